"""Between pictures and what a network reads: preprocess, deprocess, rescale, jitter, blur_image.

Every network of the lab reads float tensors (N, 3, H, W) holding ``(picture / 255 - mean) / std``
per channel, with ImageNet's mean and standard deviation. Pictures are RGB, 8 bits a channel.
"""

import math
import operator
from functools import lru_cache
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

FloatTriple = npt.NDArray[np.float32]

# Mean and standard deviation of ImageNet's training pictures per channel (red, green, blue), in
# units of 0..1; every pretrained torchvision classifier expects them.
SQUEEZENET_MEAN: FloatTriple = np.array([0.485, 0.456, 0.406], np.float32)
SQUEEZENET_STD: FloatTriple = np.array([0.229, 0.224, 0.225], np.float32)

# How far outside of 0..1 a value may lie and still be that of a picture: half a grey level.
_HALF_LEVEL = 0.5 / 255


def preprocess(img: Any, size: int | None = 224) -> Tensor:
    """Turn a picture into the tensor that a network reads.

    A picture of another size is scaled until its shorter side fits and cropped at its centre, so
    nothing is distorted; a picture of the right size keeps every pixel.

    Args:
        img: a PIL image (converted to RGB), a uint8 array (H, W, 3), or a batch of them
            (N, H, W, 3).
        size: height and width of the result in pixels; None keeps the picture's own.

    Returns:
        (1, 3, size, size) float32, or (N, 3, size, size) for a batch: normalised as this module's
        docstring says, roughly -2.1..2.6.

    Raises:
        TypeError: img is neither a PIL image nor a uint8 array.
        ValueError: the array isn't shaped (H, W, 3) or (N, H, W, 3), or size isn't positive.
    """
    if size is not None:
        size = _whole("size", size)
        if size < 1:
            raise ValueError(f"preprocess expected a size of at least 1 pixel, got {size}")
    pictures = _pictures(img)
    if size is not None and pictures.shape[1:3] != (size, size):
        resized = [_fit(picture, size) for picture in pictures]
        pictures = np.stack(resized) if resized else np.zeros((0, size, size, 3), np.uint8)
    X = torch.tensor(pictures).permute(0, 3, 1, 2)  # (N, 3, H, W) uint8
    X = X.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    mean, std = _mean_std_like(X)
    return X.sub_(mean).div_(std)


def deprocess(img: Tensor, should_rescale: bool | None = None) -> Image.Image:
    """Turn a tensor as a network reads it back into a picture: the inverse of `preprocess`.

    Args:
        img: (1, 3, H, W), or (3, H, W), of any float type, on any device; may require grad.
        should_rescale: what happens to brightness. True: stretch the picture's smallest..largest
            value to 0..1. False: cut off what lies outside of 0..1. None: stretch only a picture
            which does reach outside, so that ``deprocess(preprocess(img))`` is `img`.

    Returns:
        an RGB picture of H x W pixels.

    Raises:
        TypeError: img isn't a float tensor.
        ValueError: img is a batch of several or has another shape, or values that aren't finite.
    """
    _check_tensor("deprocess", img, floating=True)
    if img.dim() == 3:
        img = img[None]
    if img.dim() != 4 or img.shape[:2] != (1, 3) or img.numel() == 0:
        raise ValueError(
            f"deprocess expected one image (1, 3, H, W), got {_shape(img)}; "
            "for image i of a batch pass X[i:i+1]"
        )
    X = img.detach().to(device="cpu", dtype=torch.float32)
    _check_finite("deprocess", X)
    mean, std = _mean_std_like(X)
    X = X * std + mean
    if should_rescale is None:
        should_rescale = bool(X.min() < -_HALF_LEVEL or X.max() > 1 + _HALF_LEVEL)
    if should_rescale:
        X = rescale(X)
    levels = X[0].clamp(0, 1).mul(255).round().to(torch.uint8)  # (3, H, W)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def rescale(x: Tensor) -> Tensor:
    """Stretch values linearly so that the smallest becomes 0 and the largest 1.

    Args:
        x: a tensor of any shape, real numbers; integers are taken as float32.

    Returns:
        a new tensor of x's shape in 0..1; all zeros where x is constant.

    Raises:
        TypeError: x isn't a tensor of real numbers.
        ValueError: x is empty or has values that aren't finite.
    """
    _check_tensor("rescale", x, floating=False)
    if x.numel() == 0:
        raise ValueError(f"rescale expected at least one value, got a tensor of shape {_shape(x)}")
    x = x if x.is_floating_point() else x.to(torch.float32)
    _check_finite("rescale", x)
    low, high = x.min(), x.max()
    if low == high:
        return torch.zeros_like(x)
    if not torch.isfinite(high - low):  # the span of huge values overflows; that of halves can't
        x, low, high = x / 2, low / 2, high / 2
    return (x - low) / (high - low)


def jitter(X: Tensor, ox: SupportsIndex, oy: SupportsIndex) -> Tensor:
    """Roll images sideways and down; what leaves on one side enters on the other.

    ``jitter(jitter(X, ox, oy), -ox, -oy)`` equals X exactly.

    Args:
        X: (..., H, W), of any type, on any device.
        ox: pixels to the right, along the width (the last axis); negative to the left.
        oy: pixels down, along the height (the last but one); negative up.

    Returns:
        a new tensor of X's shape.

    Raises:
        TypeError: X isn't a tensor, or an offset isn't a whole number.
        ValueError: X has fewer than two axes.

    Source: Mordvintsev et al., "Inceptionism: going deeper into neural networks", 2015.
    """
    _check_images("jitter", X)
    return torch.roll(X, shifts=(_whole("oy", oy), _whole("ox", ox)), dims=(-2, -1))


def blur_image(X: Tensor, sigma: float = 1) -> Tensor:
    """Blur images with a Gaussian along height and width, in place.

    The same as `scipy.ndimage.gaussian_filter1d` along both axes with its defaults: weights cut off
    at 4 sigma, edges mirrored with the border pixel repeated. Runs on X's own device. Works on X's
    data, so autograd doesn't see it.

    Args:
        X: (..., H, W), any float type; overwritten.
        sigma: standard deviation of the Gaussian in pixels; 0 changes nothing.

    Returns:
        X itself.

    Raises:
        TypeError: X isn't a float tensor.
        ValueError: X has fewer than two axes, or sigma is negative or not finite.
    """
    _check_images("blur_image", X)
    _check_tensor("blur_image", X, floating=True)
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"blur_image expected a sigma of 0 or more pixels, got {sigma}")
    weights = _half_gaussian(float(sigma))
    if len(weights) == 1 or X.numel() == 0:
        return X
    # In double precision, which Apple's GPUs don't have: thus a result within rounding.
    exact = torch.float32 if X.device.type == "mps" else torch.float64
    blurred = X.detach().to(exact)
    for axis in (-2, -1):
        blurred = _correlate(blurred, weights, axis)
    X.data.copy_(blurred)
    return X


@lru_cache(maxsize=32)
def _half_gaussian(sigma: float) -> tuple[float, ...]:
    """The Gaussian's weights at distance 0, 1, ..., int(4 sigma + 0.5); the whole sums to 1."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return (1.0,)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(radius + 1)]
    total = weights[0] + 2 * math.fsum(weights[1:])
    return tuple(w / total for w in weights)


def _correlate(x: Tensor, weights: tuple[float, ...], axis: int) -> Tensor:
    """Weighted sum of x's neighbours along an axis; weights by distance, edges mirrored.

    A sum of shifted views: for the short kernels that the lab uses it beats a convolution.
    """
    n, radius = x.shape[axis], len(weights) - 1
    padded = _mirrored(x, radius, axis)
    out = padded.narrow(axis, radius, n) * weights[0]
    for k, weight in enumerate(weights[1:], start=1):
        out.add_(padded.narrow(axis, radius - k, n), alpha=weight)
        out.add_(padded.narrow(axis, radius + k, n), alpha=weight)
    return out


def _mirrored(x: Tensor, radius: int, axis: int) -> Tensor:
    """x with `radius` more values on both sides: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..."""
    n = x.shape[axis]
    if radius <= n:
        first, last = x.narrow(axis, 0, radius), x.narrow(axis, n - radius, radius)
        return torch.cat([first.flip(axis), x, last.flip(axis)], axis)
    # Wider than the image, the mirror shows its mirror: a zigzag of period 2 n.
    index = torch.arange(-radius, n + radius, device=x.device).remainder_(2 * n)
    return x.index_select(axis, torch.minimum(index, 2 * n - 1 - index))


def _pictures(img: Any) -> npt.NDArray[np.uint8]:
    """One picture or a batch as a uint8 array (N, H, W, 3)."""
    if isinstance(img, Image.Image):
        return np.asarray(img.convert("RGB"))[None]
    if not isinstance(img, np.ndarray) or img.dtype != np.uint8:
        kind = f"an array of {img.dtype}" if isinstance(img, np.ndarray) else type(img).__name__
        raise TypeError(
            f"preprocess expected a PIL image or a uint8 array (H, W, 3), got {kind}; "
            "an array of floats in 0..1 becomes one by (255 * img).round().astype(np.uint8)"
        )
    pictures = img[None] if img.ndim == 3 else img
    if pictures.ndim != 4 or pictures.shape[3] != 3 or 0 in pictures.shape[1:]:
        raise ValueError(
            f"preprocess expected a picture (H, W, 3) or a batch (N, H, W, 3), got {img.shape}; "
            "channels come last, and a grey picture needs np.stack([grey] * 3, axis=-1)"
        )
    return pictures


def _fit(picture: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    fitted = ImageOps.fit(Image.fromarray(picture), (size, size), Image.Resampling.BILINEAR)
    return np.asarray(fitted)


def _mean_std_like(X: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (X.new_tensor(c.tolist()).view(3, 1, 1) for c in (SQUEEZENET_MEAN, SQUEEZENET_STD))
    return mean, std


def _check_images(function: str, X: Any) -> None:
    if not isinstance(X, Tensor):
        raise TypeError(
            f"{function} expected a tensor (N, 3, H, W), got {type(X).__name__}; "
            "preprocess makes one from a picture"
        )
    if X.dim() < 2:
        raise ValueError(f"{function} expected images (N, 3, H, W), got a shape of {_shape(X)}")


def _check_tensor(function: str, x: Any, *, floating: bool) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{function} expected a torch tensor, got {type(x).__name__}; "
            "torch.as_tensor turns an array into one"
        )
    if x.is_complex() or (floating and not x.is_floating_point()):
        wanted = "a float tensor" if floating else "a tensor of real numbers"
        raise TypeError(f"{function} expected {wanted}, got {x.dtype}; x.float() makes one")


def _check_finite(function: str, x: Tensor) -> None:
    if not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"{function} expected finite values, got NaN or infinity; look for a division by zero "
            "in the steps that made this image"
        )


def _whole(name: str, value: SupportsIndex) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"expected a whole number of pixels for {name}, got {value!r}; "
            f"use int({name}) or np.random.randint"
        ) from None


def _shape(x: Tensor) -> str:
    return str(tuple(x.shape))
