"""Birds."""

import math

from ..canvas import Pen
from ..colours import Palette, shade, tint
from ..dice import Dice
from ..geometry import arc, ellipse, mirror, smooth


def owl(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From the front: ear tufts, ringed eyes, feathered breast, wings at the sides."""
    wing = smooth([(0.5, -0.2), (0.78, 0.2), (0.72, 0.62), (0.5, 0.85), (0.42, 0.3)])
    body = smooth(
        [(0, -0.72), (0.36, -0.76), (0.62, -0.98), (0.62, -0.45), (0.66, 0.2), (0.5, 0.8),
         (0, 0.95), (-0.5, 0.8), (-0.66, 0.2), (-0.62, -0.45), (-0.62, -0.98), (-0.36, -0.76)]
    )  # fmt: skip
    for x in (-0.25, 0.25):
        for dx in (-0.1, 0.0, 0.1):
            pen.stroke([(x, 0.88), (x + dx, 1.02)], 0.07, paint.accent, outline=0.6)
    pen.shape(body, paint.main)
    belly = ellipse(0, 0.4, 0.42, 0.5)
    pen.shape(belly, tint(paint.second, 35), outline=0.7)
    with pen.within(belly):
        _feathers(pen, dice.whole(4, 6), shade(paint.second))
    for side in (wing, mirror(wing)):
        pen.shape(side, shade(paint.main, 30))
        sign = 1 if side is wing else -1
        for i in range(4):
            y = 0.1 + 0.17 * i
            pen.inner(arc(sign * 0.58, y, 0.12, 0.11, 0.2, 2.9, 7))
    look = dice.between(0, math.tau)
    for x in (-0.3, 0.3):
        pen.oval(x, -0.4, 0.3, 0.3, paint.second)
        for i in range(16):
            angle = math.tau * i / 16
            pen.inner([(x + r * math.cos(angle), -0.4 + r * math.sin(angle)) for r in (0.19, 0.28)])
        pen.oval(x, -0.4, 0.19, 0.19, paint.accent, outline=0.7)
        pen.eye(x, -0.4, 0.13, look)
    pen.shape([(-0.09, -0.32), (0.09, -0.32), (0.0, -0.08)], paint.accent, sharp=True)
    for x in (-0.16, 0.0, 0.16):
        pen.inner([(x - 0.05, -0.72), (x, -0.64), (x + 0.05, -0.72)])


def _feathers(pen: Pen, rows: int, colour: tuple[int, int, int]) -> None:
    """Rows of scallops over the breast."""
    for row in range(rows):
        y = 0.05 + 0.75 * row / rows
        for column in range(-3, 4):
            x = 0.2 * column + (0.1 if row % 2 else 0.0)
            pen.shape(arc(x, y, 0.1, 0.12, 0, math.pi, 7), colour, outline=0.5)


def penguin(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From the front: pale belly and face, flippers out, webbed feet, patch at the neck."""
    pale = dice.pick([paint.light, paint.accent, tint(paint.second, 55), tint(paint.accent, 55)])
    for x in (-0.24, 0.24):
        foot = [(x, 0.8), (x + 0.2, 1.0), (x + 0.07, 0.97), (x, 1.03), (x - 0.07, 0.97),
                (x - 0.2, 1.0)]  # fmt: skip
        pen.shape(foot, paint.accent, sharp=True)
    lift = dice.between(0.15, 0.55)
    for sign in (-1, 1):
        drop = lift if sign > 0 else dice.between(0.15, 0.55)
        tip = (sign * 0.92, 0.62 - 0.9 * drop)
        flipper = smooth([(sign * 0.4, -0.25), (sign * 0.68, 0.02), tip, (sign * 0.66, 0.3),
                          (sign * 0.42, 0.25)])  # fmt: skip
        pen.shape(flipper, shade(paint.main, 25))
    body = smooth([(0, -1), (0.3, -0.88), (0.4, -0.6), (0.46, -0.25), (0.6, 0.25), (0.5, 0.75),
                   (0, 0.92), (-0.5, 0.75), (-0.6, 0.25), (-0.46, -0.25), (-0.4, -0.6),
                   (-0.3, -0.88)])  # fmt: skip
    pen.shape(body, paint.main)
    belly = smooth([(0, -0.22), (0.3, -0.2), (0.42, 0.25), (0.34, 0.68), (0, 0.8),
                    (-0.34, 0.68), (-0.42, 0.25), (-0.3, -0.2)])  # fmt: skip
    pen.shape(belly, pale, outline=0.7)
    with pen.within(belly):
        pen.oval(0, -0.2, 0.4, 0.16, paint.second, outline=0)
        for row in range(4):
            for column in range(-2, 3):
                x, y = 0.16 * column + 0.08 * (row % 2), 0.1 + 0.17 * row
                pen.inner([(x - 0.04, y), (x, y + 0.05), (x + 0.04, y)], 0.6, paint.dark)
    for x in (-0.17, 0.17):
        pen.oval(x, -0.62, 0.17, 0.2, pale, outline=0.5)
    for x in (-0.34, 0.34):
        pen.oval(x, -0.42, 0.07, 0.14, paint.second, outline=0.5)
    look = dice.between(0, math.tau)
    for x in (-0.16, 0.16):
        pen.eye(x, -0.66, 0.09, look)
    pen.shape([(-0.13, -0.55), (0.13, -0.55), (0.0, -0.34)], paint.accent, sharp=True)
    pen.inner([(-0.08, -0.49), (0.08, -0.49)])
