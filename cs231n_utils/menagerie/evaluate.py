"""Measure a menagerie network: what it knows, and how well each exercise works on it.

Everything is measured on pictures that no training run has drawn. The three exercises are carried
out here for many pictures at once, which the one-picture functions of the notebooks can't.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cs231n_utils.images import SQUEEZENET_MEAN, SQUEEZENET_STD, blur_image
from cs231n_utils.menagerie import CLASS_NAMES, draw
from cs231n_utils.scores import energy_inside, pointing_game

#: Seeds of the fresh pictures; training draws from 10**6 upwards.
FRESH = 500_000


def normalised(X: NDArray[np.uint8]) -> Tensor:
    """Return float32 (N, 3, H, W), normalised, from uint8 (N, H, W, 3)."""
    mean = torch.as_tensor(SQUEEZENET_MEAN, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.as_tensor(SQUEEZENET_STD, dtype=torch.float32).view(1, 3, 1, 1)
    return (torch.from_numpy(np.ascontiguousarray(X)).permute(0, 3, 1, 2) / 255 - mean) / std


def pixels(X: Tensor) -> NDArray[np.uint8]:
    """Return uint8 (N, H, W, 3) from normalised float (N, 3, H, W): what a picture file keeps."""
    mean = torch.as_tensor(SQUEEZENET_MEAN, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.as_tensor(SQUEEZENET_STD, dtype=torch.float32).view(1, 3, 1, 1)
    image = (X.detach() * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)
    return image.permute(0, 2, 3, 1).contiguous().numpy()


def fresh_pictures(
    num: int, first: int = FRESH
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield blocks of at most 50 pictures: X (B, 224, 224, 3), y (B,), masks (B, 224, 224)."""
    labels = np.arange(num, dtype=np.int64) % len(CLASS_NAMES)
    for start in range(0, num, 50):
        y = labels[start : start + 50]
        drawn = [draw(int(label), first + start + i) for i, label in enumerate(y)]
        yield np.stack([d.image for d in drawn]), y, np.stack([d.mask for d in drawn])


def accuracy(network: nn.Module, num: int = 2000) -> float:
    """Return the share of fresh pictures that the network classifies right."""
    right = 0
    with torch.no_grad():
        for X, y, _ in fresh_pictures(num):
            right += int((network(normalised(X)).argmax(1).numpy() == y).sum())
    return right / num


def saliency_maps(network: nn.Module, X: NDArray[np.uint8], y: NDArray[np.int64]) -> Tensor:
    """Return (N, H, W): max over channels of |d s_y / d pixel|, for uint8 X (N, H, W, 3)."""
    images = normalised(X).requires_grad_()
    score = network(images).gather(1, torch.from_numpy(y)[:, None]).sum()
    return torch.autograd.grad(score, images)[0].abs().amax(1)


@dataclass(frozen=True)
class Saliency:
    """Shares over fresh pictures, for the plain saliency map of the true class."""

    pointing_game: float
    energy_inside: float
    mask_share: float


def saliency(network: nn.Module, num: int = 400) -> Saliency:
    """Score the plain saliency maps, max over channels of |d s_y / d pixel|, against the masks."""
    hits, energies, shares = [], [], []
    for X, y, masks in fresh_pictures(num, FRESH + 10_000):
        maps = saliency_maps(network, X, y).numpy()
        hits.append(pointing_game(maps, masks))
        energies.append(energy_inside(maps, masks))
        shares.append(masks.mean(axis=(1, 2)))
    return Saliency(*(float(np.concatenate(v).mean()) for v in (hits, energies, shares)))


@dataclass(frozen=True)
class Fooling:
    """How many (picture, target) pairs fool the network, and how many steps that takes."""

    pairs: int
    fooled: float
    median_steps: float


def fooling(network: nn.Module, pairs: int = 300, most: int = 100) -> Fooling:
    """Ascend the target's score in unit steps until the network sees the target."""
    rng = np.random.default_rng(7)
    steps: list[int] = []
    for X, y, _ in fresh_pictures(pairs, FRESH + 20_000):
        images = normalised(X)
        with torch.no_grad():
            seen = network(images).argmax(1).numpy()
        # A target that the network does not see already, and that the picture does not show.
        target = (y + rng.integers(1, len(CLASS_NAMES), len(y))) % len(CLASS_NAMES)
        target = np.where(target == seen, (target + 1) % len(CLASS_NAMES), target)
        target = np.where(target == y, (target + 1) % len(CLASS_NAMES), target)
        steps += _steps_to_fool(network, images, torch.from_numpy(target), most)
    done = [s for s in steps if s <= most]
    return Fooling(len(steps), len(done) / len(steps), float(np.median(steps)))


def _steps_to_fool(network: nn.Module, X: Tensor, target: Tensor, most: int) -> list[int]:
    """Return the number of steps for each picture, `most + 1` where they were not enough."""
    steps = torch.full((len(X),), most + 1)
    active = torch.arange(len(X))
    for step in range(most + 1):
        images = X[active].requires_grad_()
        scores = network(images)
        fooled = scores.argmax(1) == target[active]
        steps[active[fooled]] = step
        if bool(fooled.all()) or step == most:
            break
        goal = scores.gather(1, target[active][:, None]).sum()
        (gradient,) = torch.autograd.grad(goal, images)
        length = gradient.flatten(1).norm(dim=1).clamp_min(1e-20).view(-1, 1, 1, 1)
        X[active] = (images + gradient / length).detach()
        active = active[~fooled]
    return [int(s) for s in steps]


def visualize_classes(
    network: nn.Module,
    targets: list[int],
    seed: int = 0,
    l2_reg: float = 1e-3,
    learning_rate: float = 25.0,
    num_iterations: int = 100,
    blur_every: int = 10,
    max_jitter: int = 16,
) -> Tensor:
    """Return one class visualization for each target, normalised float32 (T, 3, 224, 224).

    The exercise's ascent with its defaults, all targets in one batch.
    """
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(len(targets), 3, 224, 224, generator=generator)
    goal = torch.tensor(targets)[:, None]
    mean, std = torch.as_tensor(SQUEEZENET_MEAN), torch.as_tensor(SQUEEZENET_STD)
    low = (-mean / std).view(1, 3, 1, 1).float()
    high = ((1 - mean) / std).view(1, 3, 1, 1).float()
    for t in range(num_iterations):
        shift = torch.randint(0, max_jitter + 1, (2,), generator=generator).tolist()
        images = X.roll(shift, dims=(2, 3)).requires_grad_()
        value = network(images).gather(1, goal).sum() - l2_reg * images.square().sum()
        (gradient,) = torch.autograd.grad(value, images)
        X = (images + learning_rate * gradient).detach().roll([-s for s in shift], dims=(2, 3))
        X = torch.maximum(torch.minimum(X, high), low)
        if t % blur_every == 0:
            X = blur_image(X, sigma=0.5)
    return X


@dataclass(frozen=True)
class ClassVisualization:
    """Probabilities are of the image's own class, on the picture as a file keeps it."""

    least_probability: float
    recognised: float
    recognised_by_witness: float | None


def class_visualization(
    network: nn.Module, witness: nn.Module | None, seed: int = 0
) -> tuple[ClassVisualization, NDArray[np.uint8]]:
    """Visualize every class; also return the images, uint8 (classes, 224, 224, 3)."""
    targets = list(range(len(CLASS_NAMES)))
    images = pixels(visualize_classes(network, targets, seed))
    own = torch.tensor(targets)
    with torch.no_grad():
        scores = network(normalised(images))
        seen = None if witness is None else witness(normalised(images)).argmax(1) == own
    probability = scores.softmax(1)[own, own]
    result = ClassVisualization(
        float(probability.min()),
        float((scores.argmax(1) == own).float().mean()),
        None if seen is None else float(seen.float().mean()),
    )
    return result, images


def measure(network: nn.Module, witness: nn.Module | None, share: float = 1.0) -> dict[str, object]:
    """Return every figure of the model card; `share` below 1 measures on fewer pictures."""
    visualized, _ = class_visualization(network, witness)
    return {
        "accuracy": accuracy(network, int(2000 * share)),
        "saliency": asdict(saliency(network, int(400 * share))),
        "fooling": asdict(fooling(network, int(300 * share))),
        "class_visualization": asdict(visualized),
    }
