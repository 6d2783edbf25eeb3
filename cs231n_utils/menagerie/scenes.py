"""Assembling a picture: background, palette, object, frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .backgrounds import paint_background
from .canvas import SUPERSAMPLING, Frame, Pen, render
from .colours import roll_palette
from .creatures import CREATURES
from .dice import Dice

CLASS_NAMES: tuple[str, ...] = tuple(CREATURES)

SMALLEST, LARGEST = 16, 1024


class Picture(NamedTuple):
    """A drawn scene and where its object is."""

    image: NDArray[np.uint8]  # (size, size, 3), RGB, 0 to 255
    mask: NDArray[np.bool_]  # (size, size), True where the object covers half a pixel or more


def draw(label: int, seed: int, size: int = 224) -> Picture:
    """Draw one object of a class on a cluttered background.

    The same arguments give the same bytes: colours are whole numbers, and so are the corners
    that Pillow rasterises (measured equal for Pillow 11.2.1 to 13.0 on x86-64; older ones, and
    perhaps other processors, move an edge by a pixel here and there). The background depends
    on the seed alone; another size draws the same scene, scaled.

    Args:
        label: the class, an index into ``CLASS_NAMES``.
        seed: any non-negative integer.
        size: the side of the picture in pixels, 16 to 1024.

    Returns:
        The image, uint8 (size, size, 3), and the object's mask, bool (size, size).

    Raises:
        ValueError: for a label, a seed or a size out of range.
    """
    label = _checked("label", label, 0, len(CLASS_NAMES) - 1)
    seed = _checked("seed", seed, 0, None)
    size = _checked("size", size, SMALLEST, LARGEST)
    background = paint_background(seed, size)
    dice = Dice(seed, 1 + label)
    palette = roll_palette(dice, background.colours)
    creature = CREATURES[CLASS_NAMES[label]]
    pen = Pen(palette.ink, dice.between(0.028, 0.055))
    creature.sketch(pen, dice, palette)
    return _develop(render(pen, _roll_frame(dice, creature.tilt), background.canvas))


def draw_background(seed: int, size: int = 224) -> NDArray[np.uint8]:
    """The background of this seed without an object, uint8 (size, size, 3)."""
    seed = _checked("seed", seed, 0, None)
    size = _checked("size", size, SMALLEST, LARGEST)
    return _develop(paint_background(seed, size).canvas).image


def _roll_frame(dice: Dice, tilt: float) -> Frame:
    """A place, a size and a turn of at most ``tilt`` radians either way."""
    side = dice.between(0.42, 0.74)
    room = 0.485 - 0.5 * side  # a narrow margin stays free
    return Frame(
        centre=(0.5 + dice.between(-room, room), 0.5 + dice.between(-room, room)),
        longer_side=side,
        angle=dice.between(-tilt, tilt),
        stretch=dice.between(0.88, 1.14),
        flip=dice.chance(0.5),
    )


def _develop(canvas: Image.Image) -> Picture:
    """Average blocks of canvas pixels down to the picture's."""
    image = np.array(canvas.convert("RGB").reduce(SUPERSAMPLING))  # a copy: writable
    coverage = np.asarray(canvas.getchannel("A").reduce(SUPERSAMPLING))
    return Picture(image, coverage >= 128)


def _checked(name: str, value: int, low: int, high: int | None) -> int:
    """The value as an int, or a ValueError that says what to pass."""
    wanted = f"an integer from {low} to {high}" if high is not None else f"an integer >= {low}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}: expected {wanted}, got {value!r}; pass a plain int.")
    if value < low or (high is not None and value > high):
        hint = "labels index CLASS_NAMES" if name == "label" else "choose one in that range"
        raise ValueError(f"{name}: expected {wanted}, got {value}; {hint}.")
    return int(value)
