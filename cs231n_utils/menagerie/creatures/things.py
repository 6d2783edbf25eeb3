"""Things that people make."""

import math

from ..canvas import Pen
from ..colours import Palette, shade, tint
from ..dice import Dice
from ..geometry import Points, arc, between, ellipse, polar, ribbon, smooth


def bicycle(pen: Pen, dice: Dice, paint: Palette) -> None:
    """From the side: two spoked wheels, diamond frame, saddle, handlebar, pedals."""
    spin, spokes = dice.between(0, 1), dice.whole(8, 12)
    rear, front, radius = (-0.58, 0.3), (0.62, 0.3), dice.between(0.36, 0.42)
    tyre, disc = dice.pick(
        [(paint.dark, tint(paint.second, 45)), (paint.accent, paint.second),
         (shade(paint.main, 30), paint.second), (shade(paint.second, 40), tint(paint.accent, 30))]
    )  # fmt: skip
    for x, y in (rear, front):
        pen.oval(x, y, radius, radius, tyre)
        pen.oval(x, y, 0.83 * radius, 0.83 * radius, disc, outline=0.5)
        for i in range(spokes):
            angle = spin + math.tau * i / spokes
            pen.stroke([(x, y), polar(x, y, 0.82 * radius, angle)], 0.022)
        pen.oval(x, y, 0.08, 0.08, paint.accent, outline=0.6)
    crank, seat, head = (-0.06, 0.32), (-0.22, -0.3), (0.44, -0.36)
    tubes: list[Points] = [
        [rear, crank],
        [rear, between(seat, crank, 0.08)],
        [crank, head],
        [between(seat, crank, 0.1), head],
        [seat, crank],
        [head, front],
    ]
    for tube in tubes:
        pen.stroke(tube, 0.085 + 2 * pen.line)
    for tube in tubes:
        pen.stroke(tube, 0.085, paint.main)
    pen.stroke([seat, (-0.26, -0.46)], 0.05, paint.dark, outline=0.6)
    pen.shape(smooth([(-0.46, -0.54), (-0.25, -0.55), (-0.04, -0.5), (-0.2, -0.43), (-0.4, -0.42)],
                     steps=4), paint.accent)  # fmt: skip
    bar = dice.between(-0.05, 0.12)
    pen.stroke(smooth([head, (0.4, -0.56), (0.54 + bar, -0.62), (0.6 + bar, -0.5)], closed=False),
               0.06, paint.second, outline=0.8)  # fmt: skip
    pen.oval(*crank, 0.13, 0.13, paint.accent)
    pen.oval(*crank, 0.06, 0.06, paint.light, outline=0.5)
    turn = dice.between(0, math.tau)
    for half in (0.0, math.pi):
        x, y = polar(*crank, 0.22, turn + half)
        pen.stroke([crank, (x, y)], 0.04, paint.dark, outline=0.4)
        pen.stroke([(x - 0.07, y), (x + 0.07, y)], 0.06, paint.second, outline=0.6)


def balloon(pen: Pen, dice: Dice, paint: Palette) -> None:
    """Gores in turn from the crown to the mouth, a band, ropes and a woven basket."""
    for x in (-0.16, -0.06, 0.06, 0.16):
        pen.stroke([(1.3 * x, 0.4), (0.8 * x, 0.78)], 0.022)
    mouth = dice.between(0.16, 0.24)
    side: Points = [
        (0.0, -1.0),
        (0.42, -0.9),
        (0.7, -0.58),
        (0.72, -0.2),
        (0.5, 0.18),
        (mouth, 0.5),
    ]
    profile = smooth(side, closed=False)
    envelope = profile + [(-x, y) for x, y in reversed(profile)]
    pen.shape(envelope, paint.main)
    gores = dice.pick([6, 7, 8, 9])
    tones = (paint.main, paint.second, paint.accent)[: 3 if gores % 2 else 2]
    with pen.within(envelope):
        for i in range(gores):
            left = math.sin(math.pi * (i / gores - 0.5))
            right = math.sin(math.pi * ((i + 1) / gores - 0.5))
            gore = [(left * x, y) for x, y in profile] + [
                (right * x, y) for x, y in reversed(profile)
            ]
            pen.shape(gore, tones[i % len(tones)], 0.6)
        top, bottom = dice.pick([(-0.42, -0.16), (-0.3, -0.02), (-0.6, -0.34)])
        _zigzag_band(pen, top, bottom, paint)
    pen.shape([(-mouth, 0.48), (mouth, 0.48), (0.8 * mouth, 0.58), (-0.8 * mouth, 0.58)],
              paint.dark, sharp=True)  # fmt: skip
    basket: Points = [(-0.17, 0.76), (0.17, 0.76), (0.14, 1.02), (-0.14, 1.02)]
    pen.shape(basket, paint.accent, sharp=True)
    with pen.within(basket):
        for i in range(4):
            pen.inner([(-0.2, 0.8 + 0.065 * i), (0.2, 0.8 + 0.065 * i)])
            pen.inner([(-0.12 + 0.08 * i, 0.7), (-0.12 + 0.08 * i, 1.1)])
    pen.stroke([(-0.17, 0.76), (0.17, 0.76)], 0.06, paint.second, outline=0.6)


def _zigzag_band(pen: Pen, top: float, bottom: float, paint: Palette) -> None:
    """A belt around the envelope with a zigzag on it."""
    sag = 0.1
    upper = [(x / 10, top + sag * (1 - (x / 8) ** 2)) for x in range(-8, 9, 2)]
    lower = [(x / 10, bottom + sag * (1 - (x / 8) ** 2)) for x in range(8, -9, -2)]
    pen.shape(upper + lower, paint.light, outline=0.7)
    middle = (top + bottom) / 2
    points = [
        (x / 10, middle + sag * (1 - (x / 8) ** 2) + (0.07 if x % 2 else -0.07))
        for x in range(-8, 9)
    ]
    pen.stroke(points, 0.05, paint.dark)


def sailboat(pen: Pen, dice: Dice, paint: Palette) -> None:
    """Two sails with seams and a stripe, a planked hull with portholes, waves."""
    belly = dice.between(0.08, 0.22)
    pen.stroke([(0, -1.0), (0, 0.5)], 0.05, paint.accent, outline=0.6)
    main_sail = smooth([(0.05, -0.92), (0.35 + belly, -0.4), (0.72, 0.3)], closed=False)
    main_sail += [(0.05, 0.34)]
    jib = smooth([(-0.06, -0.8), (-0.3 - belly / 2, -0.3), (-0.78, 0.34)], closed=False)
    jib += [(-0.08, 0.28)]
    for sail, base, other, sign in ((main_sail, paint.main, paint.second, 1),
                                    (jib, paint.second, paint.main, -1)):  # fmt: skip
        pen.shape(sail, tint(base, 15))
        with pen.within(sail):
            for y in (-0.14, 0.12):
                pen.shape([(0, y), (sign, y + 0.1), (sign, y + 0.2), (0, y + 0.1)], other, 0.6)
            for y in (-0.6, -0.36):
                pen.inner([(0, y), (sign, y + 0.2)])
    pen.oval(0.24, -0.32, 0.09, 0.09, paint.accent, outline=0.7)
    pen.shape([(0, -1.02), (0.3, -0.95 + dice.between(-0.06, 0.06)), (0, -0.86)], paint.accent,
              sharp=True)  # fmt: skip
    hull = smooth([(-0.92, 0.42), (-0.5, 0.46), (0.0, 0.46), (0.86, 0.4)], closed=False)
    hull += smooth([(0.66, 0.78), (0.3, 0.86), (-0.5, 0.84)], closed=False)
    pen.shape(hull, paint.main)
    with pen.within(hull):
        pen.stroke([(-1, 0.47), (0, 0.51), (1, 0.45)], 0.09, paint.accent)
        for y in (0.62, 0.72):
            pen.inner([(-1, y), (1, y)])
    for x in (-0.42, -0.12, 0.18, 0.48):
        pen.oval(x, 0.65, 0.065, 0.065, paint.light, outline=0.7)
    crest = [(-1.0 + 0.1 * i, 0.86 + (0.05 if i % 2 else -0.03)) for i in range(21)]
    pen.shape([*smooth(crest, closed=False, steps=3), (0.92, 1.0), (-0.92, 1.0)],
              tint(paint.second, 35))  # fmt: skip


def teapot(pen: Pen, dice: Dice, paint: Palette) -> None:
    """A round pot with spout, handle, lid and knob; bands and flowers on its belly."""
    fat = dice.between(0.5, 0.6)
    spout = smooth([(-0.4, 0.42), (-0.66, 0.26), (-0.76, -0.08), (-0.94, -0.3)], closed=False)
    pen.shape(ribbon(spout, 0.34, 0.13), paint.main)
    pen.stroke([(-1.01, -0.27), (-0.88, -0.35)], 0.05, paint.accent, outline=0.6)
    handle = smooth([(0.4, -0.28), (0.72, -0.4), (0.98, -0.14), (0.86, 0.24), (0.48, 0.44)],
                    closed=False)  # fmt: skip
    pen.shape(ribbon(handle, 0.14, 0.12), paint.second)
    pen.shape([(-0.34, 0.6), (0.34, 0.6), (0.42, 0.76), (-0.42, 0.76)], paint.second, sharp=True)
    body = ellipse(0, 0.12, 0.64, fat)
    pen.shape(body, paint.main)
    with pen.within(body):
        pen.stroke(arc(0, -0.14, 0.62, 0.1, 0.1, 3.04), 0.1, paint.second, outline=0.5)
        pen.stroke(arc(0, 0.42, 0.6, 0.1, 0.1, 3.04), 0.1, paint.second, outline=0.5)
        for x in (-0.42, 0.0, 0.42):
            y = 0.24 - 0.1 * abs(x)
            for i in range(6):
                px, py = polar(x, y, 0.09, math.tau * i / 6)
                pen.oval(px, py, 0.06, 0.06, paint.accent, outline=0.4)
            pen.dots([(x, y)], 0.09, paint.light)
        pen.dots([(0.17 * i, -0.04 - 0.03 * abs(i)) for i in range(-3, 4)], 0.05, paint.light)
    lid = arc(0, -0.33, 0.36, dice.between(0.2, 0.32), math.pi, math.tau, 16)
    lid_high = min(y for _, y in lid)
    pen.shape(lid, tint(paint.main, 20), sharp=True)
    with pen.within(lid):
        for x in (-0.24, -0.08, 0.08, 0.24):
            pen.inner([(0.3 * x, lid_high), (x, -0.33)])
    pen.stroke([(-0.4, -0.33), (0.4, -0.33)], 0.07, paint.accent, outline=0.7)
    pen.oval(0, lid_high - 0.07, 0.1, 0.09, paint.accent)


def umbrella(pen: Pen, dice: Dice, paint: Palette) -> None:
    """An open canopy of panels between ribs, scalloped edge, shaft with a crook."""
    sign = dice.pick([-1, 1])
    crook = [(0, -0.1), (0, 0.78), *arc(0.15 * sign, 0.8, 0.15 * sign, 0.18, math.pi, 0.1, 9)]
    pen.stroke(crook, 0.075, paint.accent, outline=0.9)
    pen.stroke([(0, -0.98), (0, -0.75)], 0.06, paint.accent, outline=0.7)
    count, high = dice.pick([5, 6, 7]), dice.between(0.75, 0.95)
    top, rim = (0.0, -0.82), -0.82 + high
    knots = [math.sin(math.pi * (i / count - 0.5)) * 0.98 for i in range(count + 1)]
    for i in range(count):
        left, right = knots[i], knots[i + 1]
        middle, half = (left + right) / 2, (right - left) / 2
        scallop = arc(middle, rim, half, -0.12, 0, math.pi, 8)
        panel = _rib(top, right, rim) + scallop + _rib(top, left, rim)[::-1]
        tones = (paint.main, paint.second) if count % 2 else (paint.main, tint(paint.main, 50))
        pen.shape(panel, tones[i % 2])
        hem = [between(top, point, 0.84) for point in scallop]
        edge = scallop[1:-1]
        pen.shape([*hem, *edge[::-1]], paint.accent, outline=0.5)
        spot = (0.66 * middle, rim - 0.36 * high)
        pen.dots([spot, (0.36 * middle, rim - 0.66 * high)], 0.05 + 0.3 * half * half, paint.light)
    for knot in knots:
        pen.dots([(knot, rim)], 0.07, paint.dark)
    pen.oval(0, -0.84, 0.06, 0.05, paint.dark)


def _rib(top: tuple[float, float], x: float, rim: float) -> Points:
    """The curve of a rib from the top to its tip at (x, rim)."""
    return [
        (
            x * math.sin(0.5 * math.pi * t / 8),
            rim + (top[1] - rim) * math.cos(0.5 * math.pi * t / 8),
        )
        for t in range(9)
    ]
