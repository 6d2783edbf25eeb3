"""Questions to a student's function, as plain data, and the networks that they name.

A probe can be sent to another process: it holds numbers and a recipe for a network, no code.
What makes probes, and what knows their answers, is in `judges`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Activation = Literal["silu", "tanh", "softplus", "leaky"]

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    # Not ReLU: where it is dead, every answer is right.
    "leaky": lambda: nn.LeakyReLU(0.2),  # type: ignore[dict-item]
}


@dataclass(frozen=True)
class NetworkSpec:
    """A recipe that gives the same network to whoever builds it.

    Attributes:
        num_classes: number of scores.
        seed: of its random weights.
        pretrained: name of a shipped network to take in place of a random one.
        activation: between its convolutions.
        dropout: probability; 0 leaves the layer out.
        batch_norm: whether there is one, with running statistics unlike those of any batch.
        stride: of the first convolution, and its kernel's size if above 1.
        shrink: average pooling before the first layer, to make large pictures cheap.
        gain: factor on every score; the default spreads them over a few units.
        bias: (class, offset) added to the scores, after the gain.
        likeness: what share the classes' weights have in common, 0 to 1.
        silent: a class whose score is constant, with no gradient.
        twin: (class, other): give `class` the weights of `other`, so that it never overtakes it.
        training: whether the network is handed over in training mode.
    """

    num_classes: int = 10
    seed: int = 0
    pretrained: str | None = None
    activation: Activation = "silu"
    dropout: float = 0.0
    batch_norm: bool = False
    stride: int = 1
    shrink: int = 1
    gain: float = 20.0
    bias: tuple[tuple[int, float], ...] = ()
    likeness: float = 0.0
    silent: int | None = None
    twin: tuple[int, int] | None = None
    training: bool = False


@dataclass(frozen=True)
class Probe:
    """One question to a student's function.

    Attributes:
        exercise: which function's contract it asks about.
        name: unique among the probes of an exercise.
        network: the network to hand over.
        arrays: inputs: `X` float32, `y` int64, or `old_grad` to lie in `X.grad` beforehand.
        target: the target class, for the two exercises that have one.
        options: keyword arguments to pass.
        seed: of Python's, numpy's and torch's global random numbers during the call.
        max_calls: forward passes after which the call is stopped. Published loops give up after
            100 iterations, with up to two passes in each.
        max_records: how many different inputs are kept.
        max_seconds: of processor time, after which the call is stopped.
    """

    exercise: str
    name: str
    network: NetworkSpec
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    target: int | None = None
    options: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    max_calls: int = 250
    max_records: int = 64
    max_seconds: float = 60.0


class RandomNetwork(nn.Module):
    """A small convolutional classifier for images of any size: (N, 3, H, W) -> (N, K)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        width, stride = 6, spec.stride
        kernel = 3 if stride == 1 else stride
        activation = _ACTIVATIONS[spec.activation]
        layers: list[nn.Module] = []
        if spec.shrink > 1:
            layers.append(nn.AvgPool2d(spec.shrink))
        layers.append(nn.Conv2d(3, width, kernel, stride=stride, padding=1 if stride == 1 else 0))
        if spec.batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers += [activation(), nn.Conv2d(width, width, 3, padding=1), activation()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(spec.dropout) if spec.dropout else nn.Identity(),
            nn.Conv2d(width, spec.num_classes, 1),
            nn.AdaptiveAvgPool2d(1),
        )

    def forward(self, x: Tensor) -> Tensor:
        # (N, 3, H, W) -> (N, width, H/stride, W/stride) -> (N, K, 1, 1) -> (N, K)
        return torch.flatten(self.classifier(self.features(x)), 1)


def build_network(spec: NetworkSpec) -> nn.Module:
    """Build the network of a recipe: float32, on the CPU, in evaluation or training mode.

    The same recipe gives the same weights on every call; no parameter requires a gradient
    more or less than a freshly made module's would.
    """
    if spec.pretrained is not None:
        from cs231n_utils.models import load_model

        network: nn.Module = load_model(spec.pretrained)
        if spec.shrink > 1:
            network = Shrunk(spec.shrink, network)
        return network.train(spec.training)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network = RandomNetwork(spec)
        with torch.no_grad():
            _draw_weights(network, spec)
    return network.train(spec.training)


class Shrunk(nn.Module):
    """A network that sees its input averaged over squares of `factor` pixels."""

    def __init__(self, factor: int, network: nn.Module) -> None:
        super().__init__()
        self.factor, self.network = factor, network

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(nn.functional.avg_pool2d(x, self.factor))
        return scores


def _draw_weights(network: RandomNetwork, spec: NetworkSpec) -> None:
    """Draw weights that bend: strong enough that gradients differ from place to place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, 1.8 / fan_in**0.5)
            assert module.bias is not None
            module.bias.normal_(0, 0.3)
        elif isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                assert values is not None
                values.uniform_(0.6, 1.8)
            for values in (module.bias, module.running_mean):
                assert values is not None
                values.normal_(0, 0.4)
    head = network.classifier[1]
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    _set_head(network, head, spec)


def _set_head(network: RandomNetwork, head: nn.Conv2d, spec: NetworkSpec) -> None:
    """Centre the scores, so that classes compete, and scale them as the recipe says."""
    assert head.bias is not None
    shared = head.weight.mean(dim=0, keepdim=True) + torch.randn(1, *head.weight.shape[1:])
    head.weight.mul_(1 - spec.likeness).add_(spec.likeness * shared)
    if spec.twin is not None:
        mine, other = spec.twin
        head.weight[mine] = head.weight[other]
    if spec.silent is not None:
        head.weight[spec.silent] = 0
    head.bias.zero_()
    side = 24 * spec.stride * spec.shrink
    typical = network.eval()(torch.randn(4, 3, side, side))  # (4, K)
    head.weight.mul_(spec.gain)
    head.bias.copy_(-spec.gain * typical.mean(dim=0))
    for index, offset in spec.bias:
        head.bias[index] += offset


def image_like(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Draw preprocessed images well inside the range of valid pixels: (N, 3, H, W), |x| < 1.5."""
    return rng.uniform(-1.5, 1.5, size=shape).astype(np.float32)
