"""Marks under fresh questions: right functions always in full, known mistakes never.

`python -m bench.fresh 100` asks every right and every wrong function of the tests' catalogue, and
the solutions, the questions of 100 courses with new secrets. It takes the way that marks take,
from the secret to the answer's bytes and back, in one process instead of a sandbox. It prints a
table, and exits with 1 where a right function lost a point or a wrong one lost none.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from cs231n_utils import exercises
from cs231n_utils.exercises import EXERCISES, observe
from cs231n_utils.exercises.transport import Answer, pack_answer, unpack_probes
from cs231n_utils.grading.examine import Examiner, seed_of

from .solutions import solution

CATALOGUE = Path(__file__).resolve().parents[1] / "tests" / "exercises"


@dataclass
class Way:
    """One function of the catalogue, and the points that it had in each course."""

    exercise: str
    name: str
    right: bool
    function: Callable[..., Any]
    points: list[float]

    @property
    def misjudged(self) -> int:
        """In how many courses it had not what it deserves."""
        return sum((points == 10) != self.right for points in self.points)


def ways() -> Iterator[Way]:
    """The solutions, and the tests' functions."""
    sys.path.insert(0, str(CATALOGUE))
    from ways import class_visualization, fooling, saliency  # type: ignore[import-not-found]

    tables = (saliency, fooling, class_visualization)
    for exercise, table in zip(EXERCISES, tables, strict=True):
        yield Way(exercise, "the solution", True, solution(exercise), [])
        for name, function in table.RIGHT.items():
            yield Way(exercise, name, True, function, [])
        for name, (function, _) in table.WRONG.items():
            yield Way(exercise, name, False, function, [])


def mark(way: Way, examiner: Examiner) -> float:
    """The points of one function: asked, answered in bytes, read and judged as when marks count."""
    seen = []
    for probe in unpack_probes(examiner.questions(way.exercise)):
        seen.append(observe(way.function, probe))
        if seen[-1].unwritten:
            break
    answer = examiner.read(way.exercise, pack_answer(Answer(tuple(seen))))
    return float(examiner.judge(way.exercise, answer).points)


def main() -> int:
    """Mark everything under as many secrets as were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.fresh", description=__doc__)
    parser.add_argument("courses", nargs="?", type=int, default=100)
    parser.add_argument("--right", action="store_true", help="the right functions only")
    asked = parser.parse_args()
    courses, console = asked.courses, Console()
    everything = [way for way in ways() if way.right or not asked.right]
    for number in track(range(courses), "courses", console=console):
        run = f"bench {number}"
        examiner = Examiner(partial(seed_of, secrets.token_bytes(32), run), run, exercises)
        for way in everything:
            way.points.append(mark(way, examiner))
    table = Table("exercise", "functions", "marked as deserved", "lowest", "highest")
    for exercise in EXERCISES:
        for right in (True, False):
            some = [way for way in everything if (way.exercise, way.right) == (exercise, right)]
            if not some:
                continue
            points = [each for way in some for each in way.points]
            fine = len(points) - sum(way.misjudged for way in some)
            table.add_row(exercise, f"{len(some)} {'right' if right else 'wrong'}",
                          f"{fine} of {len(points)}", f"{min(points):g}", f"{max(points):g}")
    console.print(table)
    misjudged = [way for way in everything if way.misjudged]
    for way in misjudged:
        console.print(f"{way.exercise}, {way.name}: misjudged in {way.misjudged} of {courses}; "
                      f"{min(way.points):g} to {max(way.points):g} points", markup=False)
    return 1 if misjudged else 0


if __name__ == "__main__":
    sys.exit(main())
