"""Animals of the sea and the shore."""

import math

from ..canvas import Pen
from ..colours import Palette, shade, tint
from ..dice import Dice
from ..geometry import Points, arc, between, ellipse, mirror, place, polar, ribbon, smooth


def crab(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: broad shell, raised claws, eight jointed legs, eyes on stalks."""
    for sign in (-1, 1):
        for i in range(4):
            y, bend = -0.02 + 0.14 * i, dice.between(-0.04, 0.04)
            knee = (sign * (0.92 - 0.09 * i), 0.02 + 0.17 * i + bend)
            foot = (sign * (1.14 - 0.19 * i), 0.28 + 0.17 * i)
            pen.shape(ribbon([(sign * 0.4, y), knee], 0.13, 0.11), shade(paint.main), sharp=True)
            pen.shape(ribbon([knee, foot], 0.11, 0.02), paint.second, sharp=True)
        _claw(pen, sign, dice.between(-0.12, 0.12), dice.between(0.25, 0.6), paint)
    for x in (-0.17, 0.17):
        pen.stroke([(0.8 * x, -0.25), (x, -0.48)], 0.05, paint.main, outline=0.7)
        pen.eye(x, -0.52, 0.1, dice.between(0, math.tau))
    shell = smooth([(0, -0.34), (0.4, -0.28), (0.66, -0.02), (0.5, 0.36), (0, 0.5),
                    (-0.5, 0.36), (-0.66, -0.02), (-0.4, -0.28)])  # fmt: skip
    pen.shape(shell, paint.main)
    with pen.within(shell):
        pen.oval(0, 0.5, 0.62, 0.24, shade(paint.main, 18), outline=0)
        pen.dots([(x, y) for x, y in ((0, 0.22), (0.24, 0.14), (-0.24, 0.14), (0.44, 0.08),
                 (-0.44, 0.08), (0.13, 0.34), (-0.13, 0.34))], 0.12, paint.accent)  # fmt: skip
    pen.inner(arc(0, -0.26, 0.16, 0.14, 0.4, 2.7), 0.9)
    pen.inner(arc(-0.3, -0.02, 0.17, 0.1, 3.4, 6.0))
    pen.inner(arc(0.3, -0.02, 0.17, 0.1, 3.4, 6.0))


def _claw(pen: Pen, sign: int, raise_by: float, gape: float, paint: Palette) -> None:
    """An arm with a pincer that opens upwards."""
    elbow, wrist = (sign * 0.8, -0.3), (sign * 0.72, -0.5 + raise_by)
    pen.shape(ribbon([(sign * 0.45, -0.12), elbow], 0.15, 0.15), shade(paint.main), sharp=True)
    pen.shape(ribbon([elbow, wrist], 0.15, 0.17), paint.main, sharp=True)
    outer: Points = [(-0.17, 0), (-0.25, -0.25), (-0.1, -0.5), (0.0, -0.56), (-0.04, -0.3),
                     (0, -0.16), (0.17, 0), (0, 0.1)]  # fmt: skip
    inner: Points = [(0.17, 0.02), (0.24, -0.2), (0.16, -0.42), (0.1, -0.3), (0, -0.16)]
    x, y = wrist
    pen.shape(place(smooth(outer, steps=3), x, y, -0.2 - gape / 3), paint.second)
    pen.shape(place(smooth(inner, steps=3), x, y, gape / 2), paint.second)
    pen.dots([polar(x, y, 0.1, -2.0), polar(x, y, 0.22, -1.95)], 0.06, paint.accent)


def goldfish(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From the side: round body in scales, flowing double tail, fins with rays."""
    sway = dice.between(-0.1, 0.1)
    tails: list[Points] = [
        [(0.4, -0.02), (0.7, -0.35 + sway), (1.05, -0.55 + sway), (0.98, -0.2), (0.8, 0.02)],
        [(0.4, 0.02), (0.8, 0.0), (1.0, 0.25), (1.02, 0.6 + sway), (0.68, 0.38 + sway)],
    ]
    fins: list[Points] = [
        [(-0.35, -0.4), (-0.2, -0.78), (0.1, -0.8 + sway), (0.28, -0.66), (0.3, -0.25)],
        [(-0.2, 0.4), (-0.05, 0.72), (0.14, 0.75), (0.12, 0.35)],
        [(0.2, 0.3), (0.32, 0.56), (0.46, 0.58), (0.42, 0.18)],
    ]
    for fin, root in zip([*tails, *fins], [(0.35, 0.0)] * 2 + [(0, 0.1), (-0.1, 0), (0.2, 0)],
                         strict=True):  # fmt: skip
        pen.shape(smooth(fin), paint.second)
        for tip in fin[1:-1]:
            pen.inner([between(root, tip, 0.55), between(root, tip, 0.9)])
    body = smooth([(-0.92, 0.02), (-0.7, -0.3), (-0.25, -0.48), (0.2, -0.36), (0.52, -0.08),
                   (0.52, 0.1), (0.2, 0.38), (-0.25, 0.48), (-0.7, 0.3)])  # fmt: skip
    pen.shape(body, paint.main, outline=0)
    with pen.within(body):
        pen.oval(-0.15, 0.52, 0.7, 0.3, tint(paint.main, 40), outline=0)
        for row in range(-3, 4):
            for column in range(6):
                x = -0.34 + 0.16 * column + (0.08 if row % 2 else 0.0)
                pen.inner(arc(x, 0.145 * row, 0.09, 0.09, -1.4, 1.4, 6))
        head = ellipse(-0.82, 0, 0.44, 0.56)
        pen.shape(head, paint.accent, outline=0.8)
    pen.eye(-0.62, -0.1, 0.12, dice.between(2, 4))
    pen.inner(arc(-0.9, 0.1, 0.12, 0.08, 0.0, 1.9, 6))
    pectoral = smooth([(-0.3, 0.1), (-0.1, 0.06), (0.06, 0.22), (-0.1, 0.3)], steps=4)
    pen.shape(pectoral, paint.second, outline=0.8)
    pen.inner([(-0.24, 0.13), (0.0, 0.2)])


def jellyfish(pen: Pen, dice: Dice, paint: Palette) -> None:
    """A bell with marks and a scalloped rim, frilled arms, long wavy tentacles."""
    phase = dice.between(0, math.tau)
    for i in range(7):
        x = -0.54 + 0.18 * i
        length = dice.between(0.75, 1.1)
        spine = [
            (x * (1 + 0.12 * t) + 0.07 * math.sin(phase + 1.3 * t + i), -0.1 + length * t / 6)
            for t in range(7)
        ]
        tone = paint.main if i % 2 else paint.second
        pen.shape(ribbon(smooth(spine, closed=False, steps=3), 0.085, 0.03), tone, outline=0.7)
    for x in (-0.17, 0.17):
        frill = [
            (x + 0.16 * math.sin(phase + 2.2 * t) * (0.4 + t / 9), -0.1 + 0.12 * t)
            for t in range(6)
        ]
        pen.shape(ribbon(smooth(frill, closed=False, steps=3), 0.2, 0.07), tint(paint.accent))
    rim = [p for i in range(6) for p in arc(0.6 - 0.24 * i, -0.08, 0.12, 0.1, 0, math.pi, 6)]
    bell = arc(0, -0.08, 0.72, dice.between(0.75, 0.92), math.pi, math.tau, 28) + rim
    pen.shape(bell, paint.main)
    with pen.within(bell):
        pen.oval(0, -0.02, 0.74, 0.2, shade(paint.main), outline=0.6)
        for i in range(-2, 3):
            pen.shape(smooth([(0.05 * i, -0.8), (0.27 * i - 0.07, -0.3), (0.28 * i + 0.07, -0.3)],
                             steps=4), paint.second, outline=0.6)  # fmt: skip
        pen.dots([(0.14 * i, -0.1) for i in range(-4, 5)], 0.07, paint.accent)
        pen.dots([(-0.35, -0.62), (-0.45, -0.5)], 0.07, paint.light)


def starfish(pen: Pen, dice: Dice, paint: Palette) -> None:
    """Five tapering arms, a seam and two rows of knobs along each."""
    waist, bend = dice.between(0.3, 0.4), dice.between(-0.25, 0.25)
    corners: Points = []
    for i in range(5):
        angle = math.tau * i / 5 - math.pi / 2
        for reach, turn in ((waist, -0.63), (0.68, -0.2), (0.97, -0.07), (0.97, 0.07), (0.68, 0.2)):
            corners.append(polar(0, 0, reach, angle + turn + bend * max(0.0, reach - 0.5)))
    outline = smooth(corners, steps=4)
    pen.shape(outline, paint.main)
    with pen.within(outline):
        _arm_marks(pen, bend, paint)
    pen.shape([polar(0, 0, 0.17, math.tau * i / 5 - math.pi / 2) for i in range(5)], paint.accent,
              outline=0.7, sharp=True)  # fmt: skip
    pen.dots([(0, 0)], 0.12, paint.light)


def _arm_marks(pen: Pen, bend: float, paint: Palette) -> None:
    """A seam with pearls along each arm, knobs on both sides."""
    for i in range(5):
        angle = math.tau * i / 5 - math.pi / 2
        spine = [polar(0, 0, r, angle + bend * max(0.0, r - 0.5)) for r in (0.1, 0.35, 0.6, 0.85)]
        pen.shape(ribbon(smooth(spine, closed=False, steps=3), 0.14, 0.04), paint.second, 0.5)
        pen.dots(smooth(spine, closed=False, steps=2)[1:], 0.055, paint.light)
        for r in (0.3, 0.44, 0.58, 0.72):
            along = angle + bend * max(0.0, r - 0.5)
            pen.dots([polar(0, 0, r, along + turn * (0.12 / r - 0.02)) for turn in (-1, 1)],
                     0.09 - 0.05 * r, paint.accent)  # fmt: skip


def stingray(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: a kite of two fins, spots, a ridge and a whip of a tail."""
    sway, flap = dice.between(-0.3, 0.3), dice.between(-0.12, 0.12)
    tail = smooth([(0, 0.3), (0, 0.55), (0.3 * sway, 0.85), (sway, 1.15), (0.6 * sway, 1.4)],
                  closed=False)  # fmt: skip
    pen.shape(ribbon(tail, 0.15, 0.015), shade(paint.main))
    pen.shape([(0.0, 0.62), (0.09, 0.78), (0.0, 0.74), (-0.09, 0.78)], paint.accent, sharp=True)
    half: Points = [(0.12, -0.6), (0.3, -0.45), (0.62, -0.24), (1.0, -0.02 + flap), (0.82, 0.14),
                    (0.55, 0.25), (0.3, 0.46), (0.14, 0.52)]  # fmt: skip
    for sign in (-1, 1):
        pen.oval(sign * 0.17, 0.52, 0.1, 0.16, shade(paint.main), angle=-0.5 * sign)
    body = smooth([(0, -0.66), *half, (0, 0.5), *mirror(half)[::-1]])
    pen.shape(body, paint.main)
    with pen.within(body):
        for sign in (-1, 1):
            edge = [(sign * x, y + 0.07) for x, y in half[2:]]
            pen.stroke(smooth(edge, closed=False, steps=3), 0.07, tint(paint.main, 40))
    pen.shape(smooth([(0, -0.5), (0.2, -0.2), (0.13, 0.2), (0, 0.48), (-0.13, 0.2), (-0.2, -0.2)]),
              paint.second, outline=0.7)  # fmt: skip
    spots = [(0.34, -0.2), (0.5, -0.04), (0.3, 0.06), (0.68, 0.02), (0.42, 0.2), (0.27, 0.3)]
    for x, y in spots:
        x, y = x + dice.between(-0.03, 0.03), y + dice.between(-0.03, 0.03)
        for sign in (-1, 1):
            pen.oval(sign * x, y, 0.062, 0.055, paint.accent, outline=0.5)
    pen.dots([(0, -0.1 + 0.12 * i) for i in range(5)], 0.06, paint.light)
    for sign in (-1, 1):
        pen.eye(sign * 0.15, -0.36, 0.075, -1.5)
        for i in range(3):
            pen.inner([(sign * 0.22, -0.2 + 0.07 * i), (sign * 0.3, -0.22 + 0.07 * i)])


def turtle(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: domed shell of plates, four flippers, head and tail."""
    for sign in (-1, 1):
        front: Points = [(0.3, -0.42), (0.62, -0.62), (0.92, -0.5), (1.0, -0.2), (0.8, -0.3),
                         (0.5, -0.18)]  # fmt: skip
        rear: Points = [(0.3, 0.4), (0.52, 0.5), (0.72, 0.84), (0.5, 0.86), (0.26, 0.62)]
        for limb, pivot in ((front, (0.4, -0.3)), (rear, (0.3, 0.5))):
            turn = dice.between(-0.3, 0.3)
            moved = place([(x - pivot[0], y - pivot[1]) for x, y in limb], *pivot, turn)
            side = moved if sign > 0 else mirror(moved)
            pen.shape(smooth(side, steps=4), paint.second)
            cx = sum(p[0] for p in side) / len(side)
            cy = sum(p[1] for p in side) / len(side)
            pen.dots([(cx, cy), (cx + 0.08 * sign, cy - 0.09), (cx + 0.09 * sign, cy + 0.05)],
                     0.08, shade(paint.second, 35))  # fmt: skip
    pen.shape([(-0.08, 0.7), (0.08, 0.7), (0.0, 0.98)], paint.second, sharp=True)
    nod = dice.between(-0.08, 0.08)
    pen.shape(smooth([(0.13, -0.55), (0.21 + nod, -0.85), (0.12 + nod, -1.05), (nod, -1.1),
                      (-0.12 + nod, -1.05), (-0.21 + nod, -0.85), (-0.13, -0.55)]),
              paint.second)  # fmt: skip
    for sign in (-1, 1):
        pen.eye(nod + sign * 0.12, -0.92, 0.06, -1.5)
    pen.oval(0, 0.08, 0.62, 0.72, paint.main)
    inner, rim = ellipse(0, 0.08, 0.47, 0.57), 18
    for i in range(rim):
        angle = math.tau * (i + 0.5) / rim
        pen.inner([(0.47 * math.cos(angle), 0.08 + 0.57 * math.sin(angle)),
                   (0.61 * math.cos(angle), 0.08 + 0.71 * math.sin(angle))])  # fmt: skip
    pen.shape(inner, shade(paint.main), outline=0.8)
    _plates(pen, paint)


def _plates(pen: Pen, paint: Palette) -> None:
    """Three hexagons down the middle and the plates that lean on them."""
    for y in (-0.24, 0.08, 0.4):
        hexagon = [
            (0.0, -0.17),
            (0.17, -0.1),
            (0.17, 0.1),
            (0.0, 0.17),
            (-0.17, 0.1),
            (-0.17, -0.1),
        ]
        big = [(x, y + dy) for x, dy in hexagon]
        pen.shape(big, paint.accent, outline=0.8, sharp=True)
        pen.shape([(0.5 * x, y + 0.5 * dy) for x, dy in hexagon], tint(paint.accent), outline=0.4)
    for sign in (-1, 1):
        for y in (-0.2, 0.08, 0.36):
            squeeze = 0.4 if y == 0.08 else 0.33
            plate = [(0.21, y - 0.09), (squeeze - 0.03, y - 0.1), (squeeze + 0.03, y),
                     (squeeze - 0.03, y + 0.1), (0.21, y + 0.09)]  # fmt: skip
            pen.shape([(sign * x, py) for x, py in plate], paint.accent, outline=0.7, sharp=True)
