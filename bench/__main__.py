"""Measure, print a table, write RESULTS.md and RESULTS.json beside this file.

Exit code 1 if a bar is missed. `python -m bench --quick` takes fewer rounds and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator

import matplotlib
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cs231n_utils.exercises import EXERCISES
from cs231n_utils.grading.sandbox import problem

from . import kernels, subjects
from .clock import Duel
from .results import Row, keep

HOW = (
    "Processor time, one thread. Two sides are measured in turn; a ratio is the median of the "
    "rounds' ratios."
)


def measure(quick: bool, progress: Progress) -> Iterator[Row]:
    """Everything, in the order of the table."""
    rounds = {"visualization": 2 if quick else 7, "saliency": 3 if quick else 41}
    seeds = range(2 if quick else 7)
    steps = 2 * (rounds["visualization"] + 1) + rounds["saliency"] + 1 + 3 * len(seeds)
    rounds["kernels"] = 4 if quick else 21
    steps += rounds["kernels"]
    task = progress.add_task("measuring", total=steps)

    def tick() -> None:
        progress.advance(task)

    yield from checks(seeds, tick)
    yield from visualization(rounds["visualization"], tick)
    yield saliency(rounds["saliency"], tick)
    yield from kernel_rows(rounds["kernels"], tick)


def visualization(rounds: int, tick: subjects.Tick) -> Iterator[Row]:
    """The loop around the network, without and with the pictures it shows on its way."""
    for show_every, name in ((0, "no pictures shown"), (25, "all defaults")):
        duel = subjects.class_visualization(rounds, show_every, tick)
        yield ratio_row(
            f"class visualization, {name} : 100 bare passes", duel, 1.10
        )


def saliency(rounds: int, tick: subjects.Tick) -> Row:
    """The solution against captum."""
    duel = subjects.saliency(rounds, tick)
    return ratio_row("saliency maps, 25 pictures : captum's", duel, 1.0)


def ratio_row(what: str, duel: Duel, bar: float) -> Row:
    """A ratio to two decimals: what two runs of one measurement agree in."""
    low, high = duel.spread
    ours, theirs = statistics.median(duel.ours), statistics.median(duel.theirs)
    detail = f"{ours:.2f} s : {theirs:.2f} s; quartiles {low:.3f} to {high:.3f}"
    detail += f", {len(duel.ours)} rounds"
    return Row(what, f"{duel.ratio:.2f}", f"≤ {bar:.2f}", round(duel.ratio, 2) <= bar, detail)


def kernel_rows(rounds: int, tick: subjects.Tick) -> Iterator[Row]:
    """A kernel in the sandbox that was forked, and one that was started."""
    if problem():
        yield Row("a kernel in the sandbox", "not measured", detail=problem())
        return
    warm, cold = kernels.warm_and_cold(rounds, tick)
    seconds = statistics.median(warm.seconds)
    low, _, high = statistics.quantiles(warm.seconds, n=4)
    detail = f"wall; quartiles {low * 1e3:.0f} to {high * 1e3:.0f} ms, {rounds} rounds"
    detail += f"; cold: {statistics.median(cold.seconds):.1f} s"
    yield Row("warm kernel, request to first cell run", f"{seconds * 1e3:.0f} ms", "≤ 150 ms",
              seconds <= 0.150, detail)
    added, of_cold = (statistics.median(side.added) / 1e6 for side in (warm, cold))
    yield Row("memory that a warm kernel adds", f"{added:.0f} MB", "≤ 120 MB", added <= 120,
              f"proportional set size; cold: {of_cold:.0f} MB")
    yield Row("a notebook with imports only, processor time",
              f"{statistics.median(warm.processor):.2f} s",
              detail=f"grader and kernel; cold: {statistics.median(cold.processor):.2f} s")


def checks(seeds: range, tick: subjects.Tick) -> Iterator[Row]:
    """The check of each right solution: its first run and the median of all."""
    first = total = network = 0.0
    rows = []
    for exercise in EXERCISES:
        spent, share = subjects.whole_check(exercise, seeds, tick)
        median = statistics.median(spent)
        first, total, network = first + spent[0], total + median, network + share * median
        detail = f"network's own arithmetic {share:.0%}; first run {spent[0]:.2f} s"
        rows.append(Row(f"  {exercise}", f"{median:.2f} s", detail=detail))
    yield Row(
        "checking the three right solutions", f"{total:.2f} s", "≤ 5 s", max(total, first) <= 5,
        f"network's own arithmetic {network / total:.0%}; first run {first:.2f} s",
    )  # fmt: skip
    yield from rows


def table(rows: list[Row]) -> Table:
    """The same for the terminal."""
    shown = Table("what", "measured", "bar", "detail", title="Speed")
    for row in rows:
        style = "" if not row.bar else "green" if row.met else "bold red"
        shown.add_row(row.what, row.value, row.bar, row.detail, style=style)
    return shown


def main() -> int:
    """Run it all; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no files written")
    quick = parser.parse_args().quick
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rows = list(measure(quick, progress))
    Console().print(table(rows))
    if not quick:
        keep("Speed", "`make bench`", HOW, rows)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
