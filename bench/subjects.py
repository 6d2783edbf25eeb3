"""What is measured: the functions in the solution notebooks, as students are to write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from captum.attr import Saliency
from torch import Tensor, nn

from cs231n_utils import load_menagerie, load_model, preprocess
from cs231n_utils.exercises import check

from .clock import Duel, duel, network_time, timed
from .solutions import solution

ITERATIONS = 100
IMAGES = 25
Tick = Callable[[], None]


def class_visualization(rounds: int, show_every: int, tick: Tick) -> Duel:
    """100 iterations of the reference against 100 bare forward and backward passes."""
    model, create = load_model("menagerie"), solution("class_visualization")
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    target = 3

    def reference() -> None:
        create(
            target, model, torch.float32, num_iterations=ITERATIONS, show_every=show_every,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip

    return duel(reference, lambda: bare_passes(model, image, target), rounds, tick)


def bare_passes(model: nn.Module, image: Tensor, target: int) -> None:
    """Nothing but the network: score, and its gradient in the image."""
    image = image.clone().requires_grad_()
    for _ in range(ITERATIONS):
        torch.autograd.grad(model(image)[0, target], image)


def saliency(rounds: int, tick: Tick) -> Duel:
    """The solution against captum, on 25 pictures: from X, which stays as it is, to the maps."""
    model, compute = load_model("menagerie"), solution("saliency_maps")
    pictures = load_menagerie(num=IMAGES)
    X, y = preprocess(pictures.X), torch.as_tensor(pictures.y)
    captum = Saliency(model)
    return duel(
        lambda: compute(X, y, model),
        lambda: captum.attribute(X.clone().requires_grad_(), target=y).amax(dim=1),
        rounds,
        tick,
    )


def whole_check(exercise: str, seeds: range, tick: Tick) -> tuple[list[float], float]:
    """Processor seconds of checking the right solution, for each seed; and the network's share.

    Raises:
        RuntimeError: the solution does not get full marks, so nothing worth timing happened.
    """
    function = solution(exercise)
    spent = []
    for seed in seeds:
        seconds, verdict = timed(partial(check, exercise, function, seed=seed))
        if not verdict.passed:
            raise RuntimeError(f"the solution of {exercise} is not right for seed {seed}")
        spent.append(seconds)
        tick()
    with network_time() as inside:
        whole, _ = timed(partial(check, exercise, function, seed=seeds.start))
    return spent, inside[0] / whole
