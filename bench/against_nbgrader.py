"""`cs231n grade` against stock `nbgrader autograde`, and against the arithmetic alone.

`python -m bench.against_nbgrader --submissions 40 --stock 40`: the same submissions of this very
assignment (right ones and common mistakes, none that hangs), decorative cells taken out of them
for both sides, one thread for each process. Stock nbgrader runs the checks in the notebook.

Processor time is that of everything a command starts, dead or alive, as a control group counts it
(so this needs root); what starting up costs is taken off by grading two classes of one kind.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import torch

from cs231n_utils import exercises
from cs231n_utils.exercises import EXERCISES, observe
from cs231n_utils.exercises.transport import Answer
from cs231n_utils.grading.course import CONFIG_NAME, Course, open_course
from cs231n_utils.grading.examine import Examiner
from cs231n_utils.grading.release import release
from cs231n_utils.grading.sample_class import SAMPLE_CLASS, Sample, write_sample_class
from cs231n_utils.grading.submission import is_check, is_demo, read_notebook

from .results import Row, keep
from .solutions import solution

ROOT = Path(__file__).resolve().parents[1]
_HANG = ("mateo_quispe", "quentin_moreau", "noor_van_dijk", "olena_shevchenko")
"""An endless loop, a dead kernel, a loop that never stops, a network from the internet."""

_STOCK = """
from nbgrader.converters import Autograde as _stock
c.Autograde.sanitize_preprocessors = list(_stock.sanitize_preprocessors.default_args[0])
c.Autograde.autograde_preprocessors = list(_stock.autograde_preprocessors.default_args[0])
c.OverwriteCells.add_missing_cells = True
c.Autograde.exporter_class = "nbconvert.exporters.NotebookExporter"
"""


def make_course(root: Path, samples: list[Sample], stock: bool = False) -> Course:
    """A released course with these submissions, without their decorative cells."""
    root.mkdir(parents=True)
    config = (ROOT / CONFIG_NAME).read_text(encoding="utf-8")
    (root / CONFIG_NAME).write_text(config + (_STOCK if stock else ""), encoding="utf-8")
    shutil.copytree(ROOT / "solutions", root / "solutions",
                    ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    course = open_course(root)
    release(root)
    write_sample_class(course, tuple(samples))
    own = {name: {cell.source.strip() for cell in read_notebook(course.source / f"{name}.ipynb")
                  .cells} for name in course.exercises}
    for path in course.submitted.glob(f"*/{course.assignment}/*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = list(_plain(notebook.cells, own[path.stem]))
        nbformat.write(notebook, path)
    return course


def _plain(cells: list[Any], own: set[str]) -> Iterator[Any]:
    """The cells without demonstrations and without what only shows what a function does."""
    written = [index for index, cell in enumerate(cells)
               if cell.metadata.get("nbgrader", {}).get("solution")]
    for index, cell in enumerate(cells):
        shows = (cell.cell_type == "code" and index > written[-1] and not is_check(cell)
                 and cell.source.strip() in own)
        if not shows and not is_demo(cell):
            yield cell


def a_class(size: int) -> list[Sample]:
    """So many made-up students, each way of the sample class in turn."""
    some = [sample for sample in SAMPLE_CLASS if sample.student not in _HANG]
    return [replace(some[n % len(some)], student=f"{some[n % len(some)].student}_{n}")
            for n in range(size)]


@contextmanager
def group() -> Iterator[Path]:
    """A control group that counts processor time."""
    path = Path(f"/sys/fs/cgroup/cpuacct/bench-{os.getpid()}-{time.monotonic_ns()}")
    path.mkdir()
    try:
        yield path
    finally:
        end = time.monotonic() + 10
        while time.monotonic() < end and (path / "cgroup.procs").read_text():
            time.sleep(0.1)
        path.rmdir()


def timed(command: list[str], course: Course) -> tuple[float, float]:
    """Wall and processor seconds of a command and all that it starts."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with group() as counted:
        join = ["sh", "-c", f'echo $$ > {counted}/cgroup.procs; exec "$@"', "sh"]
        begin = time.monotonic()
        done = subprocess.run([*join, *command], cwd=course.root, env=environment, text=True,
                              capture_output=True, check=False)
        wall = time.monotonic() - begin
        spent = int((counted / "cpuacct.usage").read_text()) / 1e9
    if done.returncode:
        sys.exit(f"{command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return wall, spent


def stock(course: Course) -> tuple[float, float]:
    """Stock nbgrader over a class."""
    return timed([sys.executable, "-m", "nbgrader", "autograde", course.assignment], course)


def ours(course: Course, workers: int = 2) -> tuple[float, float]:
    """`cs231n grade` over a class."""
    return timed([sys.executable, "-m", "cs231n_utils.cli", "grade", "--quiet", "--jobs",
                  str(workers)], course)


def floor(rounds: int) -> float:
    """Processor seconds of the right functions on the probes, and of judging, all warm."""
    torch.set_num_threads(1)
    functions = {exercise: solution(exercise) for exercise in EXERCISES}
    examiner = Examiner(lambda exercise: 1, "floor", exercises)
    spent = []
    for _ in range(rounds + 1):
        begin = time.process_time()
        for exercise, function in functions.items():
            with redirect_stdout(StringIO()):
                seen = tuple(observe(function, probe) for probe in examiner.probes(exercise))
            verdict = examiner.judge(exercise, Answer(seen))
            if verdict.points != 10:
                sys.exit(f"the solution of {exercise} is not right")
        spent.append(time.process_time() - begin)
    return statistics.median(spent[1:])


def main() -> int:
    """Measure; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.against_nbgrader", description=__doc__)
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--stock", type=int, default=40, help="how many of them stock nbgrader "
                        "grades, evenly spread; it takes the same time for each")
    parser.add_argument("--dry", action="store_true", help="write no file")
    asked = parser.parse_args()
    everyone = a_class(asked.submissions)
    some = everyone[:: max(1, asked.submissions // asked.stock)][: asked.stock]
    right = [replace(SAMPLE_CLASS[0], student=f"right_{n}") for n in range(30)]
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        mine, _ = ours(make_course(Path(home, "ours"), everyone))
        print(f"cs231n grade: {mine:.1f} s for {len(everyone)}", flush=True)
        theirs, _ = stock(make_course(Path(home, "stock"), some, stock=True))
        print(f"nbgrader autograde: {theirs:.1f} s for {len(some)}", flush=True)
        _, few = ours(make_course(Path(home, "few"), right[:6]), 1)
        _, many = ours(make_course(Path(home, "many"), right), 1)
    each, bare = (many - few) / (len(right) - 6), floor(9)
    throughput = (theirs / len(some)) / (mine / len(everyone))
    rows = [
        Row("throughput, 2 workers : stock nbgrader autograde", f"{throughput:.1f}", "≥ 8",
            throughput >= 8, f"{len(everyone)} submissions of 3 notebooks in {mine:.1f} s with the "
            f"start of the workers; stock {len(some)} of them in {theirs:.1f} s"),
        Row("processor time of a right submission : its arithmetic alone",
            f"{each / bare:.2f}", "≤ 1.35", each / bare <= 1.35,
            f"{each:.2f} s : {bare:.2f} s; of all processes; 6 and 30 submissions, 1 worker"),
    ]
    for row in rows:
        print(row)
    if not asked.dry:
        keep("Against nbgrader", "`python -m bench.against_nbgrader`", "Wall time for throughput.",
             rows)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
