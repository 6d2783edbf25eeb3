"""Probes' use of the shipped network: one picture at a small size, where random ones won't do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cs231n_utils.exercises.probes import NetworkSpec

NETWORK = NetworkSpec(20, pretrained="menagerie")
"""Always the network that comes with the lab, whatever the notebook looks at."""


def picture(rng: np.random.Generator, size: int) -> tuple[NDArray[np.float32], int]:
    """Pick one of twenty shipped pictures: (1, 3, size, size) preprocessed, and its label."""
    from cs231n_utils.data import load_menagerie
    from cs231n_utils.images import preprocess

    pictures = load_menagerie(num=20)
    index = int(rng.integers(20))
    return preprocess(pictures.X[index], size=size).numpy(), int(pictures.y[index])


def as_image(X: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3, H, W) preprocessed -> (H, W, 3) in [0, 1], for showing."""
    from cs231n_utils.images import SQUEEZENET_MEAN, SQUEEZENET_STD

    channels_last = X.transpose(1, 2, 0).astype(np.float64)
    return np.asarray(np.clip(channels_last * SQUEEZENET_STD + SQUEEZENET_MEAN, 0, 1))
