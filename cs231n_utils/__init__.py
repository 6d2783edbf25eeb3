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
from .plots import (
    compare,
    show_class_visualization,
    show_fooling,
    show_gallery,
    show_pictures,
    show_saliency_maps,
)
from .scores import energy_inside, pointing_game
from .unwritten import once_written

__all__ = [
    "SQUEEZENET_MEAN",
    "SQUEEZENET_STD",
    "Pictures",
    "blur_image",
    "compare",
    "deprocess",
    "energy_inside",
    "jitter",
    "load_imagenet_val",
    "load_menagerie",
    "load_model",
    "load_pictures",
    "once_written",
    "pointing_game",
    "preprocess",
    "rescale",
    "show_class_visualization",
    "show_fooling",
    "show_gallery",
    "show_pictures",
    "show_saliency_maps",
]
