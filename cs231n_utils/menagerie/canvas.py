"""A pen that remembers what it drew, and the canvas that turns it into pixels.

Shapes are noted in the object's own units. Only when all are there is it known how
large the object is; then it is turned, fitted into its box and drawn, every corner
rounded to a whole pixel of a canvas twice the picture's size, so that rounding
errors of different machines can't change a picture.

The canvas is RGBA. The background has alpha 0 and every stroke of the pen writes
alpha 255, so the alpha channel is the object's silhouette, made by the very calls
that made the object.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .colours import Colour
from .geometry import Point, ellipse

SUPERSAMPLING = 2


class Step(NamedTuple):
    """One thing to do, on the points from ``start`` to ``stop``."""

    kind: str  # "fill", "line", "dots", "clip" or "unclip"
    start: int
    stop: int
    colour: Colour
    width: float  # of lines; the diameter of dots


class Frame(NamedTuple):
    """Where and how an object lies in the picture; lengths as shares of its side."""

    centre: Point
    longer_side: float
    angle: float  # radians
    stretch: float  # width over height, before turning
    flip: bool


class Pen:
    """Notes shapes in an object's own units; ``line`` is the usual outline's width."""

    def __init__(self, ink: Colour, line: float) -> None:
        self.ink = ink
        self.line = line
        self.points: list[Point] = []
        self.steps: list[Step] = []

    def _note(self, kind: str, points: Sequence[Point], colour: Colour, width: float) -> None:
        start = len(self.points)
        self.points.extend(points)
        self.steps.append(Step(kind, start, len(self.points), colour, width))

    def shape(
        self, points: Sequence[Point], fill: Colour, outline: float = 1.0, sharp: bool = False
    ) -> None:
        """A filled outline. ``outline`` scales the line around it; 0 leaves it out.

        ``sharp`` rounds off the line's joints, which gape where corners are acute.
        """
        self._note("fill", points, fill, 0.0)
        if outline:
            self._note("line", [*points, points[0], points[1]], self.ink, outline * self.line)
            if sharp:
                self._note("dots", points, self.ink, outline * self.line)

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Colour,
        angle: float = 0.0, outline: float = 1.0,
    ) -> None:  # fmt: skip
        """A filled ellipse."""
        self.shape(ellipse(x, y, rx, ry, angle), fill, outline)

    def stroke(
        self, points: Sequence[Point], width: float, colour: Colour | None = None,
        outline: float = 0.0,
    ) -> None:  # fmt: skip
        """A line with round ends and joints, in ink unless a colour is given."""
        if outline:
            self.stroke(points, width + 2 * outline * self.line)
        colour = self.ink if colour is None else colour
        self._note("line", points, colour, width)
        self._note("dots", points, colour, width)

    def inner(
        self, points: Sequence[Point], scale: float = 0.7, colour: Colour | None = None
    ) -> None:
        """A thin line, of ink unless a colour is given, for detail within a shape."""
        self._note("line", points, self.ink if colour is None else colour, scale * self.line)

    def dots(self, points: Sequence[Point], diameter: float, colour: Colour) -> None:
        """Round dots."""
        self._note("dots", points, colour, diameter)

    @contextmanager
    def within(self, points: Sequence[Point], outline: float = 1.0) -> Iterator[None]:
        """What is drawn meanwhile shows only inside this outline. Does not nest.

        The outline is drawn at the end, over what touched it.
        """
        self._note("clip", points, self.ink, 0.0)
        yield
        self._note("unclip", [], self.ink, 0.0)
        self._note("line", [*points, points[0], points[1]], self.ink, outline * self.line)

    def eye(self, x: float, y: float, radius: float, look: float = 0.0) -> None:
        """A round eye: white, pupil turned towards the angle ``look``, glint."""
        self.oval(x, y, radius, radius, (250, 250, 246), outline=0.8)
        px, py = x + 0.3 * radius * math.cos(look), y + 0.3 * radius * math.sin(look)
        self.dots([(px, py)], 1.15 * radius, (18, 18, 24))
        self.dots([(px + 0.2 * radius, py - 0.25 * radius)], 0.4 * radius, (250, 250, 250))


def _fit(pen: Pen, frame: Frame, side: int) -> tuple[list[int], float]:
    """Pixel coordinates x0, y0, x1, … of all points, and pixels per unit.

    The object's box counts the width of lines, but not what is behind a clip.
    """
    points = np.array(pen.points, dtype=np.float64)
    x, y = points[:, 0] * (-frame.stretch if frame.flip else frame.stretch), points[:, 1]
    cos, sin = math.cos(frame.angle), math.sin(frame.angle)
    x, y = cos * x - sin * y, sin * x + cos * y
    reach = np.zeros(len(points))
    clipped = False
    for step in pen.steps:
        clipped = step.kind == "clip" or (clipped and step.kind != "unclip")
        reach[step.start : step.stop] = -np.inf if clipped else 0.5 * step.width
    left, right = float((x - reach).min()), float((x + reach).max())
    top, bottom = float((y - reach).min()), float((y + reach).max())
    scale = frame.longer_side * side / max(right - left, bottom - top)
    pixels = np.empty(2 * len(points))
    pixels[0::2] = frame.centre[0] * side + scale * (x - 0.5 * (left + right))
    pixels[1::2] = frame.centre[1] * side + scale * (y - 0.5 * (top + bottom))
    return np.rint(pixels).astype(np.int64).tolist(), scale


def render(pen: Pen, frame: Frame, canvas: Image.Image) -> Image.Image:
    """Draw what the pen noted onto an RGBA canvas; return the canvas."""
    pixels, scale = _fit(pen, frame, canvas.width)
    whole, target, clip = canvas, ImageDraw.Draw(canvas), None
    for kind, start, stop, colour, width in pen.steps:
        xy = pixels[2 * start : 2 * stop]
        fill = (*colour, 255)
        if kind == "fill":
            target.polygon(xy, fill)
        elif kind == "line":
            target.line(xy, fill, max(1, round(width * scale)))
        elif kind == "dots":
            _dots(target, xy, round(width * scale), fill)
        elif kind == "clip":
            clip = Image.new("1", whole.size)
            ImageDraw.Draw(clip).polygon(xy, 1)
            canvas = whole.copy()
            target = ImageDraw.Draw(canvas)
        elif clip is not None and (box := clip.getbbox()) is not None:
            whole.paste(canvas.crop(box), box, clip.crop(box))
            target = ImageDraw.Draw(whole)
    return whole


def _dots(
    target: ImageDraw.ImageDraw, xy: Sequence[int], diameter: int, fill: tuple[int, int, int, int]
) -> None:
    """Discs of this diameter, in pixels, around the points x0, y0, x1, …"""
    if diameter < 2:
        return
    low, high = diameter // 2, diameter - diameter // 2 - 1
    for x, y in zip(xy[0::2], xy[1::2], strict=True):
        target.ellipse((x - low, y - low, x + high, y + high), fill)
