"""What grows and crawls in a garden."""

import math

from ..canvas import Pen
from ..colours import Palette, mix, shade, tint
from ..dice import Dice
from ..geometry import Point, Points, arc, between, ellipse, place, polar, smooth


def butterfly(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: four wings with border, cells and eye spots, a ringed body, feelers."""
    spread = dice.between(0.78, 1.05)
    upper: Points = [(0.06, -0.15), (0.25, -0.55), (0.65, -0.88), (0.98, -0.8), (0.95, -0.4),
                     (0.7, -0.06), (0.3, 0.05)]  # fmt: skip
    lower: Points = [(0.06, 0.0), (0.42, 0.04), (0.74, 0.18), (0.76, 0.5), (0.52, 0.8),
                     (0.3, 0.68), (0.12, 0.35)]  # fmt: skip
    for wing, fill, other, spot in ((lower, paint.second, paint.main, (0.5, 0.45)),
                                    (upper, paint.main, paint.second, (0.7, -0.56))):  # fmt: skip
        for sign in (-1, 1):
            outer = [(sign * spread * x, y) for x, y in wing]
            root = outer[0]
            pen.shape(smooth(outer), shade(fill, 45))
            pen.shape(smooth([between(root, p, 0.86) for p in outer]), fill, outline=0.6)
            for tip in outer[1:-1]:
                pen.inner([between(root, tip, 0.1), between(root, tip, 0.84)])
                pen.dots([between(root, tip, 0.92)], 0.06, paint.light)
            x, y = sign * spread * spot[0], spot[1]
            pen.oval(x, y, 0.15, 0.15, other, outline=0.7)
            pen.oval(x, y, 0.08, 0.08, paint.accent, outline=0.5)
            pen.dots([(x, y)], 0.06, paint.light)
    for sign in (-1, 1):
        feeler = smooth([(0.02 * sign, -0.35), (0.1 * sign, -0.6), (0.27 * sign, -0.78)],
                        closed=False)  # fmt: skip
        pen.stroke(feeler, 0.035)
        pen.dots([feeler[-1]], 0.09, pen.ink)
    body = ellipse(0, 0.08, 0.085, 0.5)
    pen.shape(body, paint.accent)
    with pen.within(body):
        for i in range(5):
            pen.shape(ellipse(0, 0.13 * i, 0.12, 0.03), shade(paint.accent, 45), outline=0)
    pen.oval(0, -0.36, 0.1, 0.1, paint.accent)


def cactus(pen: Pen, dice: Dice, paint: Palette) -> None:
    """A ribbed column with two arms, spines and a flower, in a banded pot."""
    for sign in (-1, 1):
        low, high = dice.between(-0.05, 0.25), dice.between(-0.6, -0.25)
        reach = sign * dice.between(0.52, 0.62)
        spine = smooth([(0, low), (0.7 * reach, low), (reach, low - 0.12), (reach, high)],
                       closed=False, steps=8)  # fmt: skip
        pen.stroke(spine, 0.26, paint.main, outline=1.0)
        pen.stroke(spine, 0.03, shade(paint.main, 45))
        _spines(pen, [(reach + dx, high + 0.12 * i) for i in range(4) for dx in (-0.08, 0.08)])
    top = dice.between(-0.85, -0.7)
    column = [*arc(0, top, 0.26, 0.26, math.pi, math.tau), (0.26, 0.55), (-0.26, 0.55)]
    pen.shape(column, paint.main)
    with pen.within(column):
        pen.stroke([(0.22, top), (0.22, 0.6)], 0.12, shade(paint.main))
        for x in (-0.15, -0.05, 0.05, 0.15):
            pen.stroke(smooth([(0.4 * x, top - 0.3), (x, top), (x, 0.6)], closed=False), 0.025,
                       shade(paint.main, 45))  # fmt: skip
    _spines(pen, [(x, top + 0.06 + 0.19 * i + (0.09 if n % 2 else 0)) for i in range(6)
                  for n, x in enumerate((-0.2, -0.1, 0.0, 0.1, 0.2))])  # fmt: skip
    y = top - 0.28
    for i in range(6):
        x0, y0 = polar(0, y, 0.12, math.tau * i / 6)
        pen.oval(x0, y0, 0.1, 0.06, paint.second, math.tau * i / 6, outline=0.6)
    pen.oval(0, y, 0.07, 0.07, paint.accent, outline=0.6)
    pot: Points = [(-0.42, 0.58), (0.42, 0.58), (0.32, 1.0), (-0.32, 1.0)]
    pen.shape(pot, paint.second, sharp=True)
    with pen.within(pot):
        zigzag = [(-0.4 + 0.1 * i, 0.76 if i % 2 else 0.88) for i in range(9)]
        pen.stroke(zigzag, 0.06, paint.accent)
    pen.shape([(-0.48, 0.48), (0.48, 0.48), (0.48, 0.64), (-0.48, 0.64)], tint(paint.second, 20),
              sharp=True)  # fmt: skip


def _spines(pen: Pen, places: Points) -> None:
    """A little v of thorns at each place."""
    for x, y in places:
        pen.inner([(x - 0.035, y - 0.04), (x, y + 0.02), (x + 0.035, y - 0.04)], 0.55)


def ladybug(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: round parted wing cases with spots, small head, six legs."""
    bold = dice.pick([paint.dark, paint.second, shade(paint.second, 40), paint.accent])
    for sign in (-1, 1):
        for y, dy in ((-0.3, -0.22), (0.08, 0.05), (0.42, 0.28)):
            dy += dice.between(-0.07, 0.07)
            pen.stroke([(sign * 0.5, y), (sign * 0.8, y + 0.4 * dy), (sign * 0.92, y + 1.2 * dy)],
                       0.075, bold, outline=0.4)  # fmt: skip
        feeler = smooth([(0.1 * sign, -0.75), (0.22 * sign, -0.95), (0.36 * sign, -0.98)],
                        closed=False)  # fmt: skip
        pen.stroke(feeler, 0.04, bold, outline=0.4)
    pen.oval(0, -0.7, 0.28, 0.2, bold)
    for sign in (-1, 1):
        pen.eye(sign * 0.19, -0.76, 0.07, -1.5)
    pen.oval(0, -0.5, 0.46, 0.26, shade(paint.accent, 20))
    for sign in (-1, 1):
        pen.oval(sign * 0.27, -0.54, 0.11, 0.09, paint.light, outline=0.5)
    shell = ellipse(0, 0.15, 0.7, 0.72)
    pen.shape(shell, paint.main)
    spots: list[tuple[float, float, float]] = dice.pick([
        [(0.0, -0.28, 0.13), (0.34, -0.12, 0.13), (0.28, 0.28, 0.15), (0.52, 0.4, 0.09),
         (0.17, 0.62, 0.11)],
        [(0.28, -0.2, 0.14), (0.46, 0.16, 0.12), (0.2, 0.22, 0.11), (0.32, 0.55, 0.13)],
        [(0.0, -0.3, 0.12), (0.3, -0.18, 0.1), (0.5, 0.06, 0.1), (0.2, 0.12, 0.1),
         (0.42, 0.36, 0.1), (0.15, 0.42, 0.1), (0.28, 0.64, 0.09)],
    ])  # fmt: skip
    grow = dice.between(0.85, 1.15)
    with pen.within(shell):
        pen.oval(0.0, 0.62, 0.75, 0.35, shade(paint.main, 15), outline=0)
        for x, y, r in spots:
            for sign in (-1, 1):
                pen.oval(sign * x, y, grow * r, grow * r, bold, outline=0.4)
        pen.stroke(arc(0, 0.15, 0.56, 0.58, 3.6, 4.2), 0.06, tint(paint.main, 60))
        gap = dice.pick([0.0, 0.04, 0.12])
        pen.shape([(0.0, -0.4), (gap + 0.015, 0.9), (-gap - 0.015, 0.9)], bold, outline=0.6)


def mushroom(pen: Pen, dice: Dice, paint: Palette) -> None:
    """A spotted cap, gills below it, a stem with a ring."""
    lean, fat = dice.between(-0.12, 0.12), dice.between(0.2, 0.3)
    stem = smooth([(-fat, 0.0), (fat, 0.0), (0.9 * fat + lean, 0.5), (1.35 * fat + lean, 0.9),
                   (lean, 1.0), (-1.35 * fat + lean, 0.9), (-0.9 * fat + lean, 0.5)])  # fmt: skip
    pen.shape(stem, paint.light)
    with pen.within(stem):
        for i in range(-3, 4):
            pen.inner([(0.28 * fat * i, 0.1), (0.34 * fat * i + lean, 0.95)], 0.7, paint.dark)
        pen.shape([(0.5 * fat, 0.0), (1.5 * fat, 0.0), (2 * fat + lean, 1.0), (fat + lean, 1.0)],
                  shade(paint.light, 18), outline=0)  # fmt: skip
    high = dice.between(0.8, 1.05)
    gills = ellipse(0, 0.02, 0.9, 0.2)
    pen.shape(gills, tint(paint.second, 25))
    with pen.within(gills):
        for i in range(-9, 10):
            pen.inner([(0.02 * i, 0.25), (0.11 * i, -0.12)])
    skirt = smooth([(-1.1 * fat, 0.26), (1.1 * fat, 0.26), (1.7 * fat + lean / 2, 0.46),
                    (0, 0.4), (-1.7 * fat + lean / 2, 0.46)], steps=4)  # fmt: skip
    pen.shape(skirt, paint.second)
    cap = arc(0, 0.0, 0.95, high, math.pi, math.tau, 28) + arc(0, 0.0, 0.95, 0.1, 0, math.pi, 14)
    pen.shape(cap, paint.main)
    with pen.within(cap):
        pen.stroke(arc(0, 0.0, 0.92, 0.06, 0, math.pi), 0.1, shade(paint.main))
        for x, y, r in ((0, -0.62, 0.17), (-0.42, -0.4, 0.14), (0.45, -0.42, 0.15),
                        (0.05, -0.22, 0.15), (-0.72, -0.14, 0.12), (0.75, -0.13, 0.11),
                        (-0.36, -0.08, 0.09), (0.4, -0.08, 0.09), (-0.2, -0.85, 0.1),
                        (0.28, -0.82, 0.09)):  # fmt: skip
            x, y, r = x + dice.between(-0.05, 0.05), y * high, r * dice.between(0.8, 1.2)
            pen.oval(x, y, r, 0.85 * r, paint.accent, outline=0.6)


def snail(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From the side: a banded spiral shell on a creeping foot, eyes on stalks."""
    rise = dice.between(-0.1, 0.12)
    for x, top in ((-0.82, -0.55), (-0.62, -0.6)):
        tip: Point = (x - 0.1, top + rise)
        pen.stroke([(x + 0.08, 0.0), tip], 0.06, paint.second, outline=0.8)
        pen.eye(*tip, 0.09, dice.between(2, 4))
    foot = smooth([(-0.95, -0.02 + rise / 2), (-0.72, -0.2 + rise / 2), (-0.5, 0.05), (-0.3, 0.42),
                   (0.5, 0.42), (1.08, 0.66), (0.6, 0.74), (-0.5, 0.74), (-0.8, 0.5)])  # fmt: skip
    pen.shape(foot, paint.second)
    with pen.within(foot):
        pen.stroke([(-0.8, 0.74), (1.0, 0.74)], 0.14, shade(paint.second))
        for i in range(14):
            pen.inner([(-0.66 + 0.12 * i, 0.6), (-0.62 + 0.12 * i, 0.8)])
        pen.dots([(-0.74, 0.1), (-0.62, 0.26), (-0.58, 0.46), (-0.72, 0.36)], 0.06, paint.accent)
    pen.inner(arc(-0.84, 0.0 + rise / 2, 0.1, 0.08, 0.8, 2.4, 5))
    cx, cy, radius = 0.18, -0.06, 0.62
    pen.oval(cx, cy, radius, radius, paint.main)
    turns, count = dice.between(2.3, 3.0), 44
    start = dice.between(0.3, 1.2)
    spiral = [
        polar(cx, cy, radius * (1 - i / count) ** 0.9, start + math.tau * turns * i / count)
        for i in range(count + 1)
    ]
    for i in range(count - 12):
        angle = start + math.tau * turns * i / count
        r = radius * (1 - i / count) ** 0.9
        inner = radius * max(0.0, 1 - (i + count / turns) / count) ** 0.9
        if i % 2:
            pen.stroke([polar(cx, cy, 0.75 * r + 0.25 * inner, angle),
                        polar(cx, cy, 0.25 * r + 0.75 * inner, angle)], 0.05,
                       paint.accent)  # fmt: skip
    pen.stroke(spiral, 1.3 * pen.line)


def sunflower(pen: Pen, dice: Dice, paint: Palette) -> None:
    """Two rings of petals around a disc of seeds, on a stem with leaves."""
    lean = dice.between(-0.15, 0.15)
    stem = smooth([(0, -0.2), (0.5 * lean, 0.4), (lean, 0.98)], closed=False)
    pen.stroke(stem, 0.1, paint.second, outline=1.0)
    for sign, y in ((-1, 0.66), (1, 0.78)):
        leaf = smooth([(0, 0), (0.18, -0.16), (0.5, -0.14), (0.24, 0.08)], steps=4)
        moved = place(leaf, 0.6 * lean, y, dice.between(-0.3, 0.1))
        side = moved if sign > 0 else [(1.2 * lean - x, py) for x, py in moved]
        pen.shape(side, paint.second)
        pen.inner([side[0], between(side[0], side[9], 0.85)])
    cx, cy, count = 0.0, -0.28, dice.whole(13, 17)
    petal: Points = smooth([(0.3, -0.05), (0.5, -0.12), (0.72, 0.0), (0.5, 0.12), (0.3, 0.05)],
                           steps=3)  # fmt: skip
    for ring, (tone, grow) in enumerate(((shade(paint.main, 28), 1.0), (paint.main, 0.88))):
        for i in range(count):
            angle = math.tau * (i + 0.5 * ring) / count
            pen.shape(place(petal, cx, cy, angle, grow), tone, outline=0.7)
            pen.inner([polar(cx, cy, 0.36, angle), polar(cx, cy, 0.52, angle)], 0.5)
    disc = dice.between(0.34, 0.4)
    pen.oval(cx, cy, disc, disc, paint.accent)
    pen.oval(cx, cy, 0.45 * disc, 0.45 * disc, shade(paint.accent, 30), outline=0)
    # Seeds sit at the golden angle (Vogel 1979), which gives the two sets of spirals.
    seeds = [polar(cx, cy, disc * 0.94 * math.sqrt((i + 0.5) / 70), 2.39996 * i) for i in range(70)]
    pen.dots(seeds[::2], 0.05, paint.dark)
    pen.dots(seeds[1::2], 0.05, mix(paint.light, paint.accent, 30))


def tarantula(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From above: eight thick banded hairy legs, chevrons on the abdomen, eyes, fangs."""
    for sign in (-1, 1):
        for i, angle in enumerate((-1.05, -0.4, 0.25, 0.95)):
            angle += dice.between(-0.12, 0.12)
            _hairy_leg(pen, sign, angle, (-0.35, -0.2, -0.08, 0.05)[i], paint)
        pen.stroke([(sign * 0.12, -0.5), (sign * 0.2, -0.74), (sign * 0.12, -0.86)], 0.09,
                   paint.main, outline=0.8)  # fmt: skip
    hairs = [polar(0, 0.5, 0.45, math.tau * i / 26) for i in range(26)]
    for x, y in hairs:
        pen.inner([(0.75 * x, 0.5 + 0.9 * (y - 0.5)), (0.92 * x, 0.5 + 1.12 * (y - 0.5))])
    abdomen = ellipse(0, 0.5, 0.36, 0.44)
    pen.shape(abdomen, paint.main)
    with pen.within(abdomen):
        for i in range(4):
            y = 0.24 + 0.19 * i
            pen.stroke([(-0.3, y + 0.14), (0, y), (0.3, y + 0.14)], 0.075, paint.second)
    pen.oval(0, -0.2, 0.3, 0.34, shade(paint.main, 25))
    for i in range(8):
        angle = math.tau * (i + 0.5) / 8
        pen.inner([polar(0, -0.16, 0.08, angle), polar(0, -0.16, 0.24, angle)])
    for sign in (-1, 1):
        pen.oval(sign * 0.09, -0.52, 0.08, 0.12, paint.accent, outline=0.7)
        pen.eye(sign * 0.09, -0.38, 0.06, -1.5)


def _hairy_leg(pen: Pen, sign: int, angle: float, y: float, paint: Palette) -> None:
    """Three banded segments, out, on and down, with hairs along them."""
    bend = 0.5 if angle > 0 else -0.5
    hip: Point = (sign * 0.2, y)
    knee = (hip[0] + sign * 0.42 * math.cos(angle - 0.1), y + 0.42 * math.sin(angle - 0.1))
    ankle = (knee[0] + sign * 0.36 * math.cos(angle + 0.1), knee[1] + 0.36 * math.sin(angle + 0.1))
    toe = (ankle[0] + sign * 0.2 * math.cos(angle + bend), ankle[1] + 0.2 * math.sin(angle + bend))
    for start, stop in ((hip, knee), (knee, ankle), (ankle, toe)):
        for share in (0.2, 0.4, 0.6, 0.8):
            x0, y0 = between(start, stop, share)
            dx, dy = 0.32 * (stop[1] - start[1]), -0.32 * (stop[0] - start[0])
            pen.inner([(x0 - dx, y0 - dy), (x0 + dx, y0 + dy)], 0.6)
    pen.stroke([hip, knee, ankle, toe], 0.12, paint.main, outline=0.8)
    for joint in (between(hip, knee, 0.85), between(knee, ankle, 0.35), between(knee, ankle, 0.85)):
        pen.dots([joint], 0.13, paint.second)
    pen.dots([toe], 0.13, paint.accent)
