"""A class of 100, 1,000 and 10,000: does a submission take the same time, and the same memory?

`python -m bench.growth` grades fake notebooks with `cs231n grade`: files, restoring, workers,
judging, journal, gradebook and summary are real; the kernel and with it the sandbox is left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from . import fake
from .results import Row, keep

PRELOAD = {"DASK_DISTRIBUTED__WORKER__PRELOAD": '["bench.without_kernel"]'}


@dataclass(frozen=True)
class Measured:
    """One class: seconds and the coordinator's largest memory, then the start with all done."""

    size: int
    seconds: float
    megabytes: float
    again: float


def measure(size: int, folder: Path) -> Measured:
    """Grade a class of this size, and start once more when it is graded."""
    course = fake.make_course(folder / f"class-{size}")
    fake.hand_in(course, {"student0": "answer = 42"})
    raw = course.submission("student0", "saliency_maps").read_bytes()
    for number in range(1, size):
        path = course.submission(f"student{number}", "saliency_maps")
        path.parent.mkdir(parents=True)
        path.write_bytes(raw)
    first, peak = _watched(course)
    found = fake.marks(course)
    if found != dict.fromkeys((f"student{n}" for n in range(size)), (10.0, 1)):
        sys.exit(f"{size}: {len(found)} have a mark, and not all the one that they should have")
    again, _ = _watched(course)
    return Measured(size, first, peak, again)


def _watched(course: object) -> tuple[float, float]:
    """Seconds of a run, and the largest resident memory of the coordinator, in MB."""
    begin, peak = time.monotonic(), 0.0
    process = fake.grade(course, "--quiet", "--jobs", "2", **PRELOAD)
    while process.poll() is None:
        try:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak = max(peak, int(line.split()[1]) / 1e3)
        except OSError:
            pass
        time.sleep(0.05)
    if process.returncode:
        sys.exit(process.communicate()[0])
    return time.monotonic() - begin, peak


def rows(found: list[Measured]) -> list[Row]:
    """What is asked: flat time, flat memory, a fast start."""
    shown = [Row(f"{each.size:,} submissions", f"{1e3 * each.seconds / each.size:.1f} ms each",
                 detail=f"{each.seconds:.1f} s with the start of 2 workers; coordinator "
                        f"{each.megabytes:.0f} MB; nothing to do: {each.again:.1f} s")
             for each in found]
    if len(found) >= 2:
        small, large = found[-2:]
        # Starting interpreter, workers and PyTorch is the same for every size: out by difference.
        slopes = [(b.seconds - a.seconds) / (b.size - a.size)
                  for a, b in pairwise(found)]
        if len(slopes) > 1:
            ratio = slopes[-1] / slopes[-2]
            shown.append(Row("time of one more, the largest step : the one before",
                             f"{ratio:.2f}", "≤ 1.20", ratio <= 1.2,
                             " : ".join(f"{1e3 * slope:.1f} ms" for slope in reversed(slopes))))
        ratio = large.megabytes / small.megabytes
        shown.append(Row(f"coordinator's memory, {large.size:,} : {small.size:,}", f"{ratio:.2f}",
                         "≤ 1.20", ratio <= 1.2))
        shown.append(Row(f"start with {large.size:,} done", f"{large.again:.1f} s", "≤ 10 s",
                         large.again <= 10, "the whole command, with its summary"))
    return shown


def main() -> int:
    """Measure; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1_000, 10_000])
    parser.add_argument("--dry", action="store_true", help="write no file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        found = []
        for size in asked.sizes:
            found.append(measure(size, Path(folder)))
            print(found[-1], flush=True)
    told = rows(found)
    for row in told:
        print(row)
    if not asked.dry:
        keep("Growth", "`python -m bench.growth`", "Wall time, 2 workers on a machine that others "
             "use too; the kernel is stubbed, all else is real.", told)
    return 0 if all(row.met for row in told) else 1


if __name__ == "__main__":
    sys.exit(main())
