"""Cluttered backgrounds that tell nothing about the class.

A ground (bands, rings, stripes, tiles, blotches) and, on it, distractors: shapes
with outlines and patterns of their own, so that neither an outline nor a texture
alone gives an object away. Everything is flat colour: such pictures compress well.
"""

import math
from typing import NamedTuple

from PIL import Image, ImageDraw

from .canvas import SUPERSAMPLING
from .colours import Colour, from_hsv, mix, shade, tint
from .dice import Dice
from .geometry import Point, Points, arc, between, ellipse, place, smooth


class Background(NamedTuple):
    """An RGBA canvas, twice the picture's size, alpha 0; and the ground's main colours."""

    canvas: Image.Image
    colours: list[Colour]


class _Brush:
    """Draws shapes given in shares of the canvas's side; alpha stays 0."""

    def __init__(self, canvas: Image.Image) -> None:
        self._side = canvas.width
        self._draw = ImageDraw.Draw(canvas)

    def _pixels(self, points: Points) -> list[int]:
        return [round(value * self._side) for point in points for value in point]

    def shape(self, points: Points, colour: Colour) -> None:
        self._draw.polygon(self._pixels(points), (*colour, 0))

    def line(self, points: Points, colour: Colour, width: float) -> None:
        self._draw.line(self._pixels(points), (*colour, 0), max(1, round(width * self._side)))


def paint_background(seed: int, size: int) -> Background:
    """The background of this seed, for pictures of ``size`` pixels."""
    dice = Dice(seed, 0)
    hue, value = dice.between(0, 1), dice.between(0.2, 1.0)
    first = from_hsv(hue, dice.between(0.08, 0.6), value)
    second = from_hsv(
        hue + dice.pick([0.06, -0.06, 0.15, -0.15, 0.5]),
        dice.between(0.08, 0.6),
        min(1.0, max(0.12, value + dice.pick([-1, 1]) * dice.between(0.08, 0.3))),
    )
    side = SUPERSAMPLING * size
    canvas = Image.new("RGBA", (side, side), (*first, 0))
    brush = _Brush(canvas)
    dice.pick([_bands, _rings, _stripes, _tiles, _blotches])(brush, dice, first, second)
    for _ in range(dice.whole(10, 22)):
        _distractor(brush, dice, mix(first, second, 50))
    return Background(canvas, [first, second])


def _bands(brush: _Brush, dice: Dice, first: Colour, second: Colour) -> None:
    """A stepped gradient from one side to the other."""
    count, angle = dice.whole(5, 14), dice.between(0, math.tau)
    for i in range(1, count):
        edge = 0.75 - 1.5 * i / count
        half_plane: Points = [(-1.5, -2.0), (-edge, -2.0), (-edge, 2.0), (-1.5, 2.0)]
        brush.shape(place(half_plane, 0.5, 0.5, angle), mix(second, first, 100 * i // count))


def _rings(brush: _Brush, dice: Dice, first: Colour, second: Colour) -> None:
    """A stepped gradient from a centre outwards."""
    x, y, count = dice.between(0.1, 0.9), dice.between(0.1, 0.9), dice.whole(4, 10)
    for i in range(count):
        radius = 1.1 * (count - i) / count
        brush.shape(ellipse(x, y, radius, radius), mix(first, second, 100 * (i + 1) // count))


def _stripes(brush: _Brush, dice: Dice, first: Colour, second: Colour) -> None:
    """Parallel stripes, straight or wavy."""
    count, angle = dice.whole(4, 11), dice.between(0, math.tau)
    wave, phase = dice.pick([0.0, 0.02, 0.04]), dice.between(0, math.tau)
    other = mix(first, second, dice.whole(40, 100))
    for i in range(count):
        x, width = 1.5 * (i / count - 0.5), 0.75 / count
        edge = [
            (x + wave * math.sin(9.0 * t / 6 + phase), t / 6)
            for t in range(-6, 7)
        ]  # fmt: skip
        back = [(px + width, py) for px, py in reversed(edge)]
        brush.shape(place(edge + back, 0.5, 0.5, angle), other)


def _tiles(brush: _Brush, dice: Dice, first: Colour, second: Colour) -> None:
    """Square tiles, their colours at random between the two."""
    count, angle = dice.whole(4, 8), dice.between(0, math.tau)
    side = 1.5 / count
    for i in range(count):
        for j in range(count):
            if dice.chance(0.65):
                x, y = i * side - 0.75, j * side - 0.75
                square = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
                tone = mix(first, second, dice.pick([25, 50, 75, 100]))
                brush.shape(place(square, 0.5, 0.5, angle), tone)


def _blotches(brush: _Brush, dice: Dice, first: Colour, second: Colour) -> None:
    """Large soft-edged forms over one another."""
    for _ in range(dice.whole(7, 14)):
        points = _blob(dice, dice.between(0, 1), dice.between(0, 1), dice.between(0.1, 0.3))
        brush.shape(points, mix(first, second, dice.pick([30, 55, 80, 100])))


def _blob(dice: Dice, x: float, y: float, radius: float) -> Points:
    """A closed curve around (x, y) at 60 to 120 % of the radius."""
    count = dice.whole(5, 8)
    corners = []
    for i in range(count):
        reach, angle = radius * dice.between(0.6, 1.2), math.tau * i / count
        corners.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return smooth(corners, steps=4)


def _distractor(brush: _Brush, dice: Dice, ground: Colour) -> None:
    """One thing at a random place, in a random colour mixed with the ground's."""
    x, y, angle = dice.between(0, 1), dice.between(0, 1), dice.between(0, math.tau)
    # Small ones are common, large ones rare, as the object's own parts are.
    radius = 0.025 + 0.17 * dice.between(0, 1) * dice.between(0, 1)
    loud = from_hsv(dice.between(0, 1), dice.between(0.3, 0.9), dice.between(0.3, 1.0))
    colour = mix(ground, loud, dice.whole(30, 90))
    if dice.chance(0.6):
        _patterned(brush, dice, _form(dice, x, y, radius, angle), colour)
    else:
        _scribble(brush, dice, (x, y), radius, angle, colour)


def _form(dice: Dice, x: float, y: float, radius: float, angle: float) -> Points:
    """The outline of a blob, an ellipse, a triangle or a box."""
    flat = radius * dice.between(0.3, 1)
    kind = dice.whole(0, 3)
    if kind == 0:
        return _blob(dice, x, y, radius)
    if kind == 1:
        return ellipse(x, y, radius, flat, angle)
    if kind == 2:
        return place([(radius, 0.0), (-radius, flat), (-flat, -radius)], x, y, angle)
    return place([(-radius, -flat), (radius, -flat), (radius, flat), (-radius, flat)], x, y, angle)


def _patterned(brush: _Brush, dice: Dice, points: Points, colour: Colour) -> None:
    """A filled form; perhaps with an outline, perhaps with copies of itself or dots inside."""
    edge = shade(colour, dice.whole(35, 80)) if dice.chance(0.6) else tint(colour, 60)
    brush.shape(points, colour)
    if dice.chance(0.6):
        brush.line([*points, points[0], points[1]], edge, dice.between(0.006, 0.014))
    x = sum(point[0] for point in points) / len(points)
    y = sum(point[1] for point in points) / len(points)
    filling = dice.between(0, 1)
    if filling < 0.3:
        for share, tone in ((0.62, edge), (0.3, colour)):
            brush.shape([between((x, y), point, share) for point in points], tone)
    elif filling < 0.6:
        for point in points[:: 1 if len(points) < 8 else len(points) // 6]:
            brush.shape(ellipse(*between((x, y), point, 0.55), 0.01, 0.01), edge)


def _scribble(
    brush: _Brush, dice: Dice, centre: Point, radius: float, angle: float, colour: Colour
) -> None:
    """A curve, an arc, a cluster of dots or a patch of hatching."""
    x, y = centre
    width = dice.between(0.006, 0.02)
    kind = dice.whole(0, 3)
    if kind == 0:
        knots = [(dice.between(-2, 2) * radius, dice.between(-2, 2) * radius) for _ in range(4)]
        brush.line(place(smooth(knots, closed=False), x, y, 0.0), colour, width)
    elif kind == 1:
        brush.line(arc(x, y, radius, radius, angle, angle + dice.between(1, 6)), colour, width)
    elif kind == 2:
        for _ in range(dice.whole(4, 9)):
            dx, dy = dice.between(-1.2, 1.2) * radius, dice.between(-1.2, 1.2) * radius
            brush.shape(ellipse(x + dx, y + dy, width, width), colour)
    else:
        for i in range(-2, 3):
            bar: Points = [(-radius, 0.4 * i * radius), (radius, 0.4 * i * radius)]
            brush.line(place(bar, x, y, angle), colour, 0.7 * width)
