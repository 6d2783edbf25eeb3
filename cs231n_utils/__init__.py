"""The Network Visualization Lab's helpers: what its notebooks import."""

from .data import Pictures, load_imagenet_val, load_menagerie, load_pictures
from .images import (
    SQUEEZENET_MEAN,
    SQUEEZENET_STD,
    blur_image,
    deprocess,
    jitter,
    preprocess,
    rescale,
)
from .models import load_model
from .scores import energy_inside, pointing_game

__all__ = [
    "SQUEEZENET_MEAN",
    "SQUEEZENET_STD",
    "Pictures",
    "blur_image",
    "deprocess",
    "energy_inside",
    "jitter",
    "load_imagenet_val",
    "load_menagerie",
    "load_model",
    "load_pictures",
    "pointing_game",
    "preprocess",
    "rescale",
]
