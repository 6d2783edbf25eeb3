"""How well a saliency map finds the object: two numbers for each picture.

Both need a mask of the object, so they work on the menagerie, which is drawn and knows its masks.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def pointing_game(maps: npt.ArrayLike, masks: npt.ArrayLike) -> BoolArray:
    """Whether each map's largest value lies on the object.

    A map that points nowhere (all values equal) is a miss, whatever its mask. Of several equal
    largest values the first in reading order counts.

    Args:
        maps: (N, H, W) real numbers, finite, larger where a pixel matters more.
        masks: (N, H, W) bool, True on the object.

    Returns:
        (N,) bool; its mean is the pointing game's accuracy.

    Raises:
        TypeError: masks are not bool, or maps are not real numbers.
        ValueError: the shapes differ or are not (N, H, W), or a map is not finite.

    Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016,
    section 5.1, here without that paper's tolerance of 15 pixels around the object.
    """
    maps_, masks_ = _checked(maps, masks)
    n, height, width = maps_.shape
    flat = maps_.reshape(n, height * width)
    largest = flat.argmax(axis=1)
    points = flat.max(axis=1) > flat.min(axis=1)
    hit: BoolArray = masks_.reshape(n, height * width)[np.arange(n), largest] & points
    return hit


def energy_inside(maps: npt.ArrayLike, masks: npt.ArrayLike) -> FloatArray:
    """The share of each map's energy that lies on the object.

    A map spread evenly over the picture scores the mask's own share of the picture, so compare with
    ``masks.mean(axis=(1, 2))``. An all-zero map scores 0.

    Args:
        maps: (N, H, W) real numbers, finite and not negative.
        masks: (N, H, W) bool, True on the object.

    Returns:
        (N,) float64 in 0..1.

    Raises:
        TypeError: masks are not bool, or maps are not real numbers.
        ValueError: the shapes differ or are not (N, H, W), or a map has values below 0 or not
            finite.

    Source: Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural
    networks", CVPR workshops 2020, section 4.3 (the energy-based pointing game), with a mask in
    place of their bounding box.
    """
    maps_, masks_ = _checked(maps, masks)
    if (maps_ < 0).any():
        raise ValueError(
            "energy_inside expected maps without negative values, got a smallest value of "
            f"{maps_.min():.3g}; take the absolute value of the gradient first"
        )
    # Scaled by each map's own largest value first: sums of tiny or huge maps stay in range.
    largest = maps_.max(axis=(1, 2), keepdims=True)
    scaled = maps_ / np.where(largest > 0, largest, 1)
    total = scaled.sum(axis=(1, 2))
    inside = np.where(masks_, scaled, 0).sum(axis=(1, 2))
    share: FloatArray = inside / np.where(total > 0, total, 1)
    return share


def _checked(maps: npt.ArrayLike, masks: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    maps_, masks_ = _array(maps), _array(masks)
    if masks_.dtype != np.bool_:
        raise TypeError(f"expected bool masks, got {masks_.dtype}; write `masks > 0`")
    if maps_.dtype.kind not in "fiub":
        raise TypeError(f"expected maps of real numbers, got {maps_.dtype}")
    if maps_.ndim != 3 or maps_.shape != masks_.shape or 0 in maps_.shape[1:]:
        raise ValueError(
            "expected maps and masks of one shape (N, H, W), got "
            f"{maps_.shape} and {masks_.shape}; a single map needs a leading axis: map[None]"
        )
    values = maps_.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("expected finite maps, got NaN or infinity")
    return values, masks_


def _array(values: Any) -> npt.NDArray[Any]:
    """As a NumPy array; a torch tensor is brought to the CPU and out of its graph first."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
