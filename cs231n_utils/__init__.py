"""The Network Visualization Lab's helpers: what its notebooks import.

Each name is fetched from its module when it is first asked for, so that what needs no network
(`cs231n --help`, reading submissions) doesn't wait some seconds for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "data": ("Pictures", "load_imagenet_val", "load_menagerie", "load_pictures"),
    "images": (
        "SQUEEZENET_MEAN",
        "SQUEEZENET_STD",
        "blur_image",
        "deprocess",
        "jitter",
        "preprocess",
        "rescale",
    ),
    "models": ("load_model",),
    "plots": (
        "compare",
        "show_class_visualization",
        "show_fooling",
        "show_gallery",
        "show_pictures",
        "show_saliency_maps",
    ),
    "scores": ("energy_inside", "pointing_game"),
    "unwritten": ("once_written",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
