"""Outlines as lists of points: x to the right, y down, an object about [-1, 1] in size."""

import math
from collections.abc import Sequence
from functools import lru_cache

Point = tuple[float, float]
Points = list[Point]


@lru_cache(maxsize=64)
def _circle(count: int) -> tuple[Point, ...]:
    """``count`` points of the unit circle."""
    step = math.tau / count
    return tuple((math.cos(step * i), math.sin(step * i)) for i in range(count))


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0) -> Points:
    """An ellipse turned by ``angle`` radians; as many corners as its size needs."""
    count = 10 if max(rx, ry) < 0.07 else 16 if max(rx, ry) < 0.2 else 36
    if angle == 0.0:
        return [(cx + rx * x, cy + ry * y) for x, y in _circle(count)]
    cos, sin = math.cos(angle), math.sin(angle)
    return [
        (cx + rx * x * cos - ry * y * sin, cy + rx * x * sin + ry * y * cos)
        for x, y in _circle(count)
    ]


def arc(
    cx: float, cy: float, rx: float, ry: float, start: float, stop: float, count: int = 14
) -> Points:
    """Points on an ellipse from angle ``start`` to ``stop`` (radians, 0 right, pi/2 down)."""
    step = (stop - start) / (count - 1)
    return [
        (cx + rx * math.cos(start + step * i), cy + ry * math.sin(start + step * i))
        for i in range(count)
    ]


def polar(cx: float, cy: float, radius: float, angle: float) -> Point:
    """The point at this distance and direction from (cx, cy)."""
    return cx + radius * math.cos(angle), cy + radius * math.sin(angle)


def mirror(points: Sequence[Point]) -> Points:
    """Left and right exchanged."""
    return [(-x, y) for x, y in points]


def between(first: Point, second: Point, share: float) -> Point:
    """The point that lies ``share`` of the way from the first to the second."""
    return (
        first[0] + share * (second[0] - first[0]),
        first[1] + share * (second[1] - first[1]),
    )


def smooth(corners: Sequence[Point], closed: bool = True, steps: int = 5) -> Points:
    """A Catmull-Rom curve through the corners."""
    count = len(corners)
    points: Points = []
    for i in range(count if closed else count - 1):
        if closed:
            a, b, c, d = (corners[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            a, b, c, d = (corners[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        for j in range(steps):
            points.append(_catmull_rom(a, b, c, d, j / steps))
    if not closed:
        points.append(corners[-1])
    return points


def _catmull_rom(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    """The point at ``t`` in [0, 1] on the piece between b and c."""
    wa = t * (-0.5 + t * (1.0 - 0.5 * t))
    wb = 1.0 + t * t * (-2.5 + 1.5 * t)
    wc = t * (0.5 + t * (2.0 - 1.5 * t))
    wd = t * t * (-0.5 + 0.5 * t)
    return (
        wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0],
        wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1],
    )


def ribbon(spine: Sequence[Point], start: float, stop: float) -> Points:
    """A band around a spine, ``start`` wide at its beginning and ``stop`` at its end."""
    left: Points = []
    right: Points = []
    last = len(spine) - 1
    for i, (x, y) in enumerate(spine):
        (ax, ay), (bx, by) = spine[max(i - 1, 0)], spine[min(i + 1, last)]
        length = math.sqrt((bx - ax) ** 2 + (by - ay) ** 2) or 1.0
        half = 0.5 * (start + (stop - start) * i / last)
        nx, ny = -(by - ay) / length * half, (bx - ax) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def place(points: Sequence[Point], x: float, y: float, angle: float, scale: float = 1.0) -> Points:
    """The points scaled, turned about the origin and moved to (x, y)."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return [(x + px * cos - py * sin, y + px * sin + py * cos) for px, py in points]
