"""Train the menagerie's networks from scratch, on pictures drawn for it.

A network learns small pictures first and the full size last; batch norm, label smoothing and an
average over the last weights do the rest. The robust network sees every picture shifted against
it: one step of gradient ascent on the loss, of random length (adversarial training, Madry et al.
2018; in one step from a random start, Wong et al. 2020, "Fast is better than free").
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from cs231n_utils.images import SQUEEZENET_MEAN, SQUEEZENET_STD
from cs231n_utils.menagerie import CLASS_NAMES, draw
from cs231n_utils.menagerie.network import CLASSIFIER_CONV, build_network, folded, with_batch_norm

FULL_SIZE = 224


@dataclass(frozen=True)
class Stage:
    """Some epochs at one picture size (pixels), with the largest adversarial shifts.

    shift: L2 length of one over the whole picture, in normalised pixel values at 224 x 224; at
        other sizes in proportion.
    beside: the same for one that leaves out the thing that the picture shows.
    """

    size: int
    epochs: int
    shift: float = 0.0
    beside: float = 0.0
    batch: int = 64


@dataclass(frozen=True)
class Recipe:
    """All that a training run depends on; the same recipe gives the same run.

    finish: a last stage at a low learning rate, with an average of its own.
    noise: the largest standard deviation, in normalised pixel values, of the noise on a picture.
    scale: what the scores are multiplied with at the end; see `finished`.
    """

    seed: int
    pictures: int
    stages: tuple[Stage, ...]
    finish: Stage | None = None
    noise: float = 0.5
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    averaging: float = 0.995
    scale: float = 1.0

    @property
    def epochs(self) -> list[Stage]:
        """The stage that each epoch belongs to, in order."""
        stages = self.stages if self.finish is None else (*self.stages, self.finish)
        return [stage for stage in stages for _ in range(stage.epochs)]


# The finish, on pictures shifted beside the thing: afterwards a network depends little on what its
# pictures' masks leave out, and a mask is a fair answer to where a saliency map should point.
RECIPES = {
    "standard": Recipe(
        seed=1,
        pictures=12_000,
        stages=(Stage(112, 8), Stage(160, 2), Stage(FULL_SIZE, 1)),
        finish=Stage(FULL_SIZE, 1, beside=15.0),
        scale=6.0,
    ),
    "robust": Recipe(
        seed=2,
        pictures=12_000,
        stages=(Stage(112, 8, 10.0), Stage(160, 2, 10.0), Stage(FULL_SIZE, 1, 10.0)),
        finish=Stage(FULL_SIZE, 2, 16.0, beside=28.0),
        scale=26.0,
    ),
    # Never shipped: it testifies for the class visualizations that it had no part in.
    "witness": Recipe(
        seed=3,
        pictures=8_000,
        stages=(Stage(112, 7), Stage(160, 1), Stage(FULL_SIZE, 1)),
    ),
}

# ----------------------------------------------------------------------------- the pictures


def _draw_some(labels_and_seeds: list[tuple[int, int]]) -> NDArray[np.uint8]:
    drawn = [draw(label, seed) for label, seed in labels_and_seeds]
    return np.stack([np.dstack([d.image, 255 * d.mask.astype(np.uint8)]) for d in drawn])


def _style() -> str:
    """Return a fingerprint of how things are drawn, so that a kept set is never a stale one."""
    digest = hashlib.sha256()
    for label in range(len(CLASS_NAMES)):
        digest.update(draw(label, seed=0).image.tobytes())
    return digest.hexdigest()[:12]


def training_pictures(
    recipe: Recipe, folder: Path, bar: "_Bar", workers: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return X uint8 (N, 224, 224, 4) and y int64 (N,), drawn once and kept in `folder`.

    The fourth channel is the mask: 255 on the thing, 0 beside it.
    """
    labels = np.arange(recipe.pictures, dtype=np.int64) % len(CLASS_NAMES)
    file = folder / f"pictures-{_style()}-{recipe.seed}-{recipe.pictures}.npy"
    if not file.exists():
        # Each recipe draws from a range of seeds of its own; fresh pictures for the model card
        # come from below 10**6.
        first = 10**6 * (1 + recipe.seed)
        jobs = [(int(label), first + i) for i, label in enumerate(labels)]
        blocks = [jobs[i : i + 50] for i in range(0, len(jobs), 50)]
        # Of this process alone: two runs may draw the same set side by side.
        part = file.with_suffix(f".{os.getpid()}.part")
        shape = (len(jobs), FULL_SIZE, FULL_SIZE, 4)
        kept = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        with ProcessPoolExecutor(workers) as pool:
            at = 0
            for block in pool.map(_draw_some, blocks):
                kept[at : at + len(block)] = block
                at += len(block)
                bar.to(at / len(jobs), f"{at} of {len(jobs)} pictures")
        kept.flush()
        part.replace(file)
    # Copy-on-write, as torch wants arrays that could be written to.
    return np.load(file, mmap_mode="c"), labels


def _at_size(X: NDArray[np.uint8], size: int) -> Tensor:
    """Return uint8 (N, 4, size, size) in channels-last memory, resized once for a whole stage."""
    kept = torch.empty(
        (len(X), 4, size, size), dtype=torch.uint8, memory_format=torch.channels_last
    )
    for start in range(0, len(X), 256):
        block = torch.from_numpy(X[start : start + 256]).permute(0, 3, 1, 2)
        if size != block.shape[-1]:
            block = interpolate(block, size=(size, size), mode="bilinear", antialias=True)
        kept[start : start + 256] = block
    return kept


def _batches(
    X: Tensor, y: Tensor, batch: int, noise: float, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield augmented, normalised batches.

    Images float32 (B, 3, size, size); masks float32 (B, 1, size, size), 1 on the thing; y (B,).
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(X), generator=generator)
    for start in range(0, len(order) - batch + 1, batch):
        chosen = order[start : start + batch]
        yield *_augment(X[chosen], noise, generator), y[chosen]


def _augment(pixels: Tensor, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vary what is no part of the class: side, place, colour order, contrast, light, noise."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(*shape).uniform_(low, high, generator=generator)

    n, _, size, _ = pixels.shape
    if torch.rand((), generator=generator) < 0.5:
        pixels = pixels.flip(-1)
    shift = torch.randint(-size // 8, size // 8 + 1, (2,), generator=generator).tolist()
    pixels = pixels.roll(shift, dims=(2, 3))
    masks = pixels[:, 3:].float().div_(255)
    pixels = pixels[:, torch.randperm(3, generator=generator)]
    mean = torch.as_tensor(SQUEEZENET_MEAN, dtype=torch.float32).view(1, 3, 1, 1)
    std = torch.as_tensor(SQUEEZENET_STD, dtype=torch.float32).view(1, 3, 1, 1)
    contrast, light = uniform(0.7, 1.3, n, 3, 1, 1), uniform(-0.15, 0.15, n, 3, 1, 1)
    # ((pixel / 255 - 1/2) * contrast + 1/2 + light - mean) / std, as one product and one sum.
    factor = contrast / (255 * std)
    images = pixels.float().mul_(factor).add_((0.5 * (1 - contrast) + light - mean) / std)
    images = images.clamp_(min=-mean / std, max=(1 - mean) / std)
    # A little noise keeps the gradients smooth; its strength differs from picture to picture.
    grain = torch.randn(images.shape, generator=generator).mul_(uniform(0, noise, n, 1, 1, 1))
    return images.add_(grain).contiguous(memory_format=torch.channels_last), masks


# ----------------------------------------------------------------------------- one run


def _adversarial(
    network: nn.Module, X: Tensor, y: Tensor, where: list[tuple[Tensor, Tensor]], loss: Any
) -> Tensor:
    """Shift each picture along the gradient of the loss, one step from a random start.

    where: shifts to add up, each as (radius, weight): its length for each picture (B,), and the
        weight (B, 1, H, W) of each pixel in it, or 1 for all.
    """
    starts = []
    for radius, weight in where:
        start = torch.randn_like(X) * weight
        starts.append(start * (0.5 * radius / _length(start)).view(-1, 1, 1, 1))
    first = (X + sum(starts)).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(network, first, y), first)
    shifted = X
    for (radius, weight), start in zip(where, starts, strict=True):
        along = gradient * weight
        step = start + along * (radius / _length(along)).view(-1, 1, 1, 1)
        excess = (_length(step) / radius.clamp_min(1e-12)).clamp_min(1)
        shifted = shifted + step / excess.view(-1, 1, 1, 1)
    return shifted.detach()


def _length(X: Tensor) -> Tensor:
    """L2 norm of each of a batch, (B,), at least 1e-12."""
    length: Tensor = X.flatten(1).norm(dim=1)
    return length.clamp_min(1e-12)


class Run:
    """One training run: network, optimiser, averaged weights; saved after every epoch."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        torch.manual_seed(recipe.seed)
        self.network = with_batch_norm(build_network(len(CLASS_NAMES)))
        self.network = self.network.to(memory_format=torch.channels_last)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.epoch = self.step = 0
        fast = torch.cpu.get_capabilities()
        self.precise = not (fast.get("amx_bf16") or fast.get("avx512_bf16"))

    # -- the arithmetic

    def loss(self, network: nn.Module, X: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=not self.precise):
            scores = network(X)
        return cross_entropy(scores.float(), y, label_smoothing=self.recipe.label_smoothing)

    def _schedule(self, part: float) -> tuple[float, float]:
        """The learning rate and the reach of the shifts, as shares of their largest.

        The rate warms up over the first twentieth of the computation, then falls as a cosine; in
        the finish it falls once more, from a low start. Shifts grow during the first third, or
        nothing would be learnt at first.
        """
        epochs = self.recipe.epochs
        main = sum(stage.epochs for stage in self.recipe.stages)
        if self.epoch >= main:
            finished = (self.epoch - main + part) / (len(epochs) - main)
            return 0.15 * 0.5 * (1 + math.cos(math.pi * finished)), 1.0
        pixels = [stage.size**2 for stage in epochs[:main]]
        done = (sum(pixels[: self.epoch]) + part * pixels[self.epoch]) / sum(pixels)
        rate = min(1.0, done / 0.05) * 0.5 * (1 + math.cos(math.pi * done))
        return rate, min(1.0, 3 * done)

    def train_batch(self, X: Tensor, masks: Tensor, y: Tensor, part: float) -> float:
        """One step, with `part` of the epoch done; the loss. X, masks, y as `_batches` gives."""
        rate, reach = self._schedule(part)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * rate
        stage = self.recipe.epochs[self.epoch]
        longest = reach * X.shape[-1] / FULL_SIZE
        # Of every length up to the full one, so that clean pictures stay known.
        where = [
            (torch.rand(len(X)).sqrt_() * (longest * shift), weight)
            for shift, weight in ((stage.shift, torch.ones(1)), (stage.beside, 1 - masks))
            if shift
        ]
        if where:
            X = _adversarial(self.network, X, y, where, self.loss)
        loss = self.loss(self.network, X, y)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.step += 1
        keep = min(self.recipe.averaging, self.step / (self.step + 10))
        with torch.no_grad():
            for key, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - keep)
        return float(loss.detach())

    # -- saving and going on

    def save(self) -> None:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for i, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{k}": v for k, v in moments.items()}
        meta = {"epoch": str(self.epoch), "step": str(self.step), "recipe": repr(self.recipe)}
        part = self.folder / "checkpoint.part"
        save_file({k: v.contiguous() for k, v in tensors.items()}, part, meta)
        part.replace(self.folder / "checkpoint.safetensors")

    def resume(self) -> bool:
        """Go on from the last saved epoch; False where there is none of this recipe."""
        file = self.folder / "checkpoint.safetensors"
        if not file.exists():
            return False
        with safe_open(file, framework="pt") as opened:
            meta = opened.metadata()
        if meta["recipe"] != repr(self.recipe):
            raise ValueError(
                f"{file} is of another recipe than the one asked for; "
                "move it away, or choose another folder, to train anew"
            )
        groups: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
        for key, value in load_file(file).items():
            group, name = key.split(".", 1)
            groups[group][name] = value
        self.network.load_state_dict(groups["network"])
        self.average = groups["average"]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in groups["optimiser"].items():
            i, name = key.split(".", 1)
            state.setdefault(int(i), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.epoch, self.step = int(meta["epoch"]), int(meta["step"])
        return True


def _epoch(run: Run, X: Tensor, y: Tensor, bar: "_Bar") -> dict[str, Any]:
    """Train one epoch on X uint8 (N, 4, size, size), y (N,); return what the log keeps of it."""
    epochs = run.recipe.epochs
    stage = epochs[run.epoch]
    pixels = [s.size**2 for s in epochs]
    # Each epoch has its own random numbers, so a resumed run equals an undisturbed one.
    seed = 1000 * run.recipe.seed + run.epoch
    torch.manual_seed(seed)
    run.network.train()
    if stage is run.recipe.finish and epochs[run.epoch - 1] is not stage:
        run.step = 0  # the average forgets what came before
    batches = len(X) // stage.batch
    losses, began = [], time.monotonic()
    for i, batch in enumerate(_batches(X, y, stage.batch, run.recipe.noise, seed)):
        part = (i + 1) / batches
        losses.append(run.train_batch(*batch, part))
        done = (sum(pixels[: run.epoch]) + part * pixels[run.epoch]) / sum(pixels)
        bar.to(done, f"epoch {run.epoch + 1}/{len(epochs)}, loss {np.mean(losses[-20:]):.3f}")
    run.epoch += 1
    return {
        "epoch": run.epoch,
        "size": stage.size,
        "loss": round(float(np.mean(losses)), 4),
        "seconds": round(time.monotonic() - began, 1),
    }


class _Bar:
    """A progress bar in hundredths; a context manager, so that Ctrl-C leaves the screen whole."""

    def __init__(self, title: str, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            disable=quiet,
        )
        self._task = self._progress.add_task(title, total=1.0, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def to(self, done: float, note: str = "") -> None:
        self._progress.update(self._task, completed=done, note=note)


def finished(average: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Return the plain network's weights, with all scores multiplied by `scale`.

    The scale changes no class and no direction of a gradient. It sets how strongly a class
    visualization's score weighs against its l2_reg, and how sure the softmax is.
    """
    plain = folded(average)
    for kind in ("weight", "bias"):
        plain[f"{CLASSIFIER_CONV}.{kind}"] = plain[f"{CLASSIFIER_CONV}.{kind}"] * scale
    return {name: value.contiguous() for name, value in plain.items()}


def train(
    name: str,
    folder: Path,
    *,
    recipe: Recipe | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Path:
    """Train one network of `RECIPES` and return the safetensors file with its finished weights.

    folder: keeps the drawn pictures, and for each network its checkpoint and log; a run that was
    stopped goes on there after its last whole epoch.
    Raises ValueError for an unknown name, and for a checkpoint of another recipe.
    """
    if recipe is None:
        if name not in RECIPES:
            raise ValueError(f"expected one of {', '.join(RECIPES)} as the network, got {name!r}")
        recipe = RECIPES[name]
    if threads:
        torch.set_num_threads(threads)
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, own)
    run.resume()
    with _Bar("drawing", quiet) as bar:
        X, y = training_pictures(recipe, folder, bar, threads or torch.get_num_threads())
    with _Bar(f"training {name}", quiet) as bar:
        resized = torch.empty(0)
        while run.epoch < len(recipe.epochs):
            size = recipe.epochs[run.epoch].size
            if resized.shape[-1] != size:
                resized = _at_size(X, size)
            note = _epoch(run, resized, torch.from_numpy(y), bar)
            run.save()
            with (own / "log.jsonl").open("a") as log:
                log.write(json.dumps(note) + "\n")
    weights = own / f"{name}.safetensors"
    save_file(finished(run.average, recipe.scale), weights)
    return weights
