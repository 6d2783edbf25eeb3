"""Colours: mixing in whole numbers, and the palette that an object is painted with.

Every class draws its palette from the same distribution, so that colour says
nothing about the class and a network has to look at shape and pattern.
"""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

from .dice import Dice

Colour = tuple[int, int, int]


class Palette(NamedTuple):
    """What one object is painted with; each colour three bytes."""

    main: Colour
    second: Colour
    accent: Colour
    light: Colour
    dark: Colour
    ink: Colour  # outlines and inner lines: the one of light and dark that stands out


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Hue in turns (any real number), saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(first: Colour, second: Colour, percent: int) -> Colour:
    """``percent`` of the second colour in the first, in whole-number arithmetic."""
    keep = 100 - percent
    return (
        (first[0] * keep + second[0] * percent) // 100,
        (first[1] * keep + second[1] * percent) // 100,
        (first[2] * keep + second[2] * percent) // 100,
    )


def shade(colour: Colour, percent: int = 22) -> Colour:
    """The colour, darker."""
    return mix(colour, (0, 0, 0), percent)


def tint(colour: Colour, percent: int = 30) -> Colour:
    """The colour, lighter."""
    return mix(colour, (255, 255, 255), percent)


def brightness(colour: Colour) -> int:
    """Perceived brightness, 0 to 255 (Rec. 601 weights)."""
    return (299 * colour[0] + 587 * colour[1] + 114 * colour[2]) // 1000


def distance(first: Colour, second: Colour) -> int:
    """How far apart two colours are, 0 to 765."""
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))


def roll_palette(dice: Dice, background: Sequence[Colour]) -> Palette:
    """A palette that stands out from the background's colours and within itself."""
    hue = dice.between(0, 1)
    light = from_hsv(hue + dice.between(-0.1, 0.1), dice.between(0.02, 0.18), 0.97)
    dark = from_hsv(dice.between(0, 1), dice.between(0.2, 0.7), dice.between(0.08, 0.2))
    mean = sum(brightness(colour) for colour in background) // len(background)
    ink = dark if mean > dice.between(95, 130) else light
    main = _stand_out(dice, hue, ink, background, [])
    second = _stand_out(dice, hue + dice.pick([0.08, -0.08, 0.33, 0.5, -0.33]), ink, [], [main])
    accent = _stand_out(dice, dice.between(0, 1), ink, [], [main, second])
    return Palette(main, second, accent, light, dark, ink)


def _stand_out(
    dice: Dice, hue: float, ink: Colour, background: Sequence[Colour], others: Sequence[Colour]
) -> Colour:
    """The best of eight colours of about this hue; the first good one, if any is."""
    best: Colour = (0, 0, 0)
    best_margin = -1000
    low, high = (0.5, 1.0) if brightness(ink) < 128 else (0.35, 0.88)
    for _ in range(8):
        colour = from_hsv(
            hue + dice.between(-0.04, 0.04), dice.between(0.35, 0.95), dice.between(low, high)
        )
        margin = min(
            abs(brightness(colour) - brightness(ink)) - 70,
            min((distance(colour, other) - 130 for other in background), default=999),
            min((distance(colour, other) - 110 for other in others), default=999),
        )
        if margin > best_margin:
            best, best_margin = colour, margin
        if margin >= 0:
            break
        hue += 0.09  # a crowded corner of the colour wheel: move on
    return best
