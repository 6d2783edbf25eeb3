"""Reference gradients, in float64, from the definition: a vector-Jacobian product of the scores.

Every objective that a student may have differentiated is a function of the scores, so its
gradient is a combination of the score gradients: sum over k of w_k * d s_k / d x. The forward
pass is done once for each batch of images, and each combination is computed once.

The tests hold this against central differences and against captum.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cs231n_utils.exercises.probes import NetworkSpec, build_network

Array = NDArray[np.float64]


@lru_cache(maxsize=64)
def precise_network(spec: NetworkSpec) -> nn.Module:
    """The checker's own copy of a probe's network: float64, evaluation mode, frozen."""
    return build_network(spec).double().eval().requires_grad_(False)


class Landscape:
    """Scores of a network at some images, and the gradients of whatever is made of them.

    Args:
        spec: the network.
        x: (N, 3, H, W) images.
        training: look at the network in training mode instead, as a wrong function might
            (running statistics are left as they are).
    """

    def __init__(self, spec: NetworkSpec, x: NDArray[np.floating], training: bool = False) -> None:
        self._x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        network = precise_network(spec)
        if training:
            network = build_network(spec).double().train().requires_grad_(False)
        with torch.enable_grad():
            self._outputs = network(self._x)
        self._gradients: dict[bytes, Array] = {}

    @cached_property
    def scores(self) -> Array:
        """(N, K) raw scores."""
        return np.asarray(self._outputs.detach().numpy())

    @cached_property
    def probabilities(self) -> Array:
        """(N, K) softmax of the scores."""
        powers = np.exp(self.scores - self.scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def gradient(self, weights: Array) -> Array:
        """(N, 3, H, W): d/dx of the sum over n, k of weights[n, k] * s[n, k]."""
        key = np.ascontiguousarray(weights, dtype=np.float64).tobytes()
        if key not in self._gradients:
            (gradient,) = torch.autograd.grad(
                self._outputs,
                self._x,
                torch.from_numpy(np.frombuffer(key).reshape(self.scores.shape).copy()),
                retain_graph=True,
                materialize_grads=True,
            )
            self._gradients[key] = np.asarray(gradient.numpy())
        return self._gradients[key]

    def score_gradient(self, classes: NDArray[np.integer] | int) -> Array:
        """(N, 3, H, W): d s_y / dx, one class for each image, or one for all."""
        return self.gradient(one_hot(np.broadcast_to(classes, len(self.scores)), self.scores))


def one_hot(classes: NDArray[np.integer], scores: Array) -> Array:
    """(N, K), 1 where k is the image's class."""
    return np.asarray(np.eye(scores.shape[1])[classes])


def saliency_reference(spec: NetworkSpec, X: NDArray[np.floating], y: NDArray[np.int64]) -> Array:
    """(N, H, W): the largest |d s_y / d pixel| over the channels."""
    return np.asarray(np.abs(Landscape(spec, X).score_gradient(y)).max(axis=1))
