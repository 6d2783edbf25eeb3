"""Measuring: two sides in turn, so that what slows the machine slows both; and the network's share.

Everything is processor time of this process (not wall time), so a busy neighbour matters little.
"""

from __future__ import annotations

import contextlib
import gc
import io
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import matplotlib.pyplot as plt
import torch
from torch.nn.modules import module as torch_module

T = TypeVar("T")


@dataclass(frozen=True)
class Duel:
    """Processor seconds of two sides, one pair for each round."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs, round by round: both sides of a round ran under the same conditions."""
        return [mine / other for mine, other in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the rounds' ratios."""
        low, _, high = statistics.quantiles(self.ratios, n=4)
        return low, high


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds of one call, and its result; Python's garbage collector is out of the way.

    What it prints and which figures it draws, nobody sees.
    """
    gc.collect()
    gc.disable()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.process_time()
            result = work()
            return time.process_time() - start, result
    finally:
        plt.close("all")
        gc.enable()


def duel(
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    rounds: int,
    tick: Callable[[], None] = lambda: None,
) -> Duel:
    """Run both sides in turn (AB, BA, AB, ...), after one uncounted round; tick after each."""
    result = Duel([], [])
    for number in range(rounds + 1):
        sides = [(ours, result.ours), (theirs, result.theirs)]
        for work, times in sides if number % 2 else reversed(sides):
            spent, _ = timed(work)
            if number:
                times.append(spent)
        tick()
    return result


@contextlib.contextmanager
def network_time() -> Iterator[list[float]]:
    """Collect processor seconds spent inside any network's forward and backward pass.

    The list that comes out holds one number, which grows: every outermost call of a module, and
    every call of autograd, whoever makes it.
    """
    total, depth, started = [0.0], [0], [0.0]

    def enter(*_: Any) -> None:
        if depth[0] == 0:
            started[0] = time.process_time()
        depth[0] += 1

    def leave(*_: Any) -> None:
        depth[0] -= 1
        if depth[0] == 0:
            total[0] += time.process_time() - started[0]

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            enter()
            try:
                return function(*args, **kwargs)
            finally:
                leave()

        return call

    hooks = (
        torch_module.register_module_forward_pre_hook(enter),
        torch_module.register_module_forward_hook(leave, always_call=True),
    )
    grad, backward = torch.autograd.grad, torch.autograd.backward
    torch.autograd.grad, torch.autograd.backward = watched(grad), watched(backward)
    try:
        yield total
    finally:
        torch.autograd.grad, torch.autograd.backward = grad, backward
        for hook in hooks:
            hook.remove()
