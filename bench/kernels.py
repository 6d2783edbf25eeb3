"""Kernels: from the request to the first executed cell, what each costs in memory and processor.

Wall time for the first, because waiting is what it is about; the machine should be idle.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from nbformat.v4 import new_code_cell, new_notebook

from cs231n_utils.grading import kernel, warm
from cs231n_utils.grading.client import Client
from cs231n_utils.grading.sandbox import usage

FIRST_CELL = """
import torch
import matplotlib.pyplot as plt
from cs231n_utils import load_model, load_pictures, preprocess, show_gallery
from cs231n_utils.exercises import check
"""
Tick = Callable[[], None]


@dataclass
class Kernels:
    """What several kernels cost, each on its own."""

    seconds: list[float] = field(default_factory=list)  # from the request to the first cell's end
    processor: list[float] = field(default_factory=list)  # grader, zygote and kernel together
    added: list[float] = field(default_factory=list)  # bytes, proportional set size


class _Measured(Client):
    """Notes how things stand when the only cell has run."""

    def run_cell(self, cell: Any, index: int, source: str) -> None:
        super().run_cell(cell, index, source)
        assert self.watch is not None
        self.at = time.perf_counter()
        below = set(usage(self.watch.pid).processes)
        self.kernel_processor = sum(map(_processor, below))
        self.memory = _memory(below | _zygotes())


def warm_and_cold(rounds: int, tick: Tick) -> tuple[Kernels, Kernels]:
    """Warm kernels, and the cold ones that they stand for; a cold one every fourth round.

    Raises
    ------
    RuntimeError
        If a kernel came to no end, or a cold one in a warm one's place.
    """
    forked, started = Kernels(), Kernels()
    warm.zygote_for(())
    _one(Kernels())  # the first one of a process loads what grading takes
    for number in range(rounds):
        with mock.patch.object(kernel.SandboxProvisioner, "launch_kernel", _never):
            _one(forked)
        if number % 4 == 0:
            with mock.patch.object(kernel, "fork", _never_warm):
                _one(started)
        tick()
    return forked, started


def _one(found: Kernels) -> None:
    gc.collect()
    notebook = new_notebook(cells=[new_code_cell(FIRST_CELL)])
    client = _Measured()
    zygotes = _zygotes()
    memory, spent = _memory(zygotes), sum(map(_processor, zygotes))
    own, start = time.process_time(), time.perf_counter()
    client.run(notebook, [0], None, "", b"")
    if client.dead is not None or notebook.cells[0].outputs:
        raise RuntimeError(f"a kernel did not run its cell: {client.reason}")
    found.seconds.append(client.at - start)
    found.processor.append(time.process_time() - own + client.kernel_processor
                           + sum(map(_processor, zygotes)) - spent)
    found.added.append(client.memory - memory)


async def _never(*_: Any, **__: Any) -> Any:
    raise RuntimeError("no warm kernel could be had")


def _never_warm(*_: Any) -> Any:
    raise warm.NoWarmKernelError("a cold one is to be measured")


def _zygotes() -> set[int]:
    """The processes of the zygote, while no kernel runs or with all that do."""
    found = warm.zygote_for(()).process
    return set(usage(found.pid).processes) if found is not None else set()


def _memory(processes: Iterable[int]) -> float:
    """What processes hold together, a shared page in equal parts: no page is counted twice."""
    total = 0.0
    for pid in processes:
        with contextlib.suppress(OSError):  # an ordinary user may not look into every one
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                total += 1024 * float(line.split()[1]) if line.startswith("Pss:") else 0.0
    return total


def _processor(pid: int) -> float:
    """Seconds that a process's threads ran, to the nanosecond; 0 where it has ended."""
    total = 0.0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0]) / 1e9
    return total
