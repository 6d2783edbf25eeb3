"""Kill something at random while a class is graded, start again, and look what became of the marks.

`python -m bench.faults --runs 100 --submissions 30`: in turn a worker, a kernel, the coordinator
and the scheduler get `kill -9`. Afterwards every submission must have exactly one mark, the one of
the undisturbed run; journal and gradebook must agree; no process and no temporary file may be left.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from . import fake
from .results import Row, keep

KINDS = ("worker", "kernel", "coordinator", "scheduler")
ANSWERS = ("answer = 42", "answer = 21", "answer = 7", "raise ValueError('no')")
_POINTS = (10.0, 5.0, 0.0, 0.0)


class FaultError(Exception):
    """Something is not as it must be after a fault."""


def run(kind: str, count: int, released: Path, folder: Path, dice: random.Random) -> int:
    """One class, one fault; gives how many starts it took."""
    from cs231n_utils.grading.course import open_course

    shutil.copytree(released, folder / "course")
    course = open_course(folder / "course")
    names = [f"student{number}" for number in range(count)]
    fake.hand_in(course, {name: ANSWERS[number % 4] for number, name in enumerate(names)})
    temporary = folder / "t"
    temporary.mkdir()
    strike_at = dice.randrange(count - 1)
    with _cluster(folder) if kind == "scheduler" else _no_cluster() as (options, scheduler):
        process = fake.grade(course, "--quiet", "--jobs", "2", *options, TMPDIR=str(temporary))
        _strike(kind, process, scheduler, course, strike_at, dice)
        said = process.communicate(timeout=300)[0]
    starts = 1
    while process.returncode != 0:
        if starts > 3:
            raise FaultError(f"it never came to an end:\n{said}")
        process = fake.grade(course, "--quiet", "--jobs", "2", TMPDIR=str(temporary))
        said = process.communicate(timeout=300)[0]
        starts += 1
    expected = {name: (_POINTS[number % 4], 1) for number, name in enumerate(names)}
    if fake.marks(course) != expected:
        raise FaultError(f"the gradebook has {fake.marks(course)}")
    if fake.journal(course) != {name: ("recorded", mark) for name, (mark, _) in expected.items()}:
        raise FaultError(f"the journal has {fake.journal(course)}")
    _nothing_left(folder, temporary)
    return starts


def _strike(kind: str, process: subprocess.Popen[str], scheduler: Any, course: Any, strike_at: int,
            dice: random.Random) -> None:
    """Wait until so many are done and a little, then kill."""
    end = time.monotonic() + 300
    while sum(state != "to do" for state, _ in fake.journal(course).values()) < strike_at:
        if process.poll() is not None or time.monotonic() > end:
            raise FaultError(f"it ended before anything was killed: {process.communicate()[0]}")
        time.sleep(0.01)
    time.sleep(dice.random() * 0.3)
    if kind == "coordinator":
        process.send_signal(signal.SIGKILL)
        return
    if kind == "scheduler":
        scheduler.send_signal(signal.SIGKILL)
        return
    word = {"worker": "spawn_main", "kernel": "ipykernel_launcher"}[kind]
    while process.poll() is None:
        found = []
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            if any(word in part for part in command) and command[0] != "bwrap":
                found.append(child)
        if found:
            dice.choice(found).kill()
            return
        time.sleep(0.01)


@contextmanager
def _no_cluster() -> Iterator[tuple[list[str], None]]:
    yield [], None


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[list[str], Any]]:
    """A scheduler and two workers as processes of their own."""
    file, scratch = folder / "scheduler.json", folder / "w"
    scratch.mkdir()
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [["scheduler", *common, "--host", "127.0.0.1", "--port", "0"]]
    commands += [["worker", *common, "--nthreads", "1", "--death-timeout", "30",
                  "--local-directory", str(scratch)]] * 2
    running = [
        subprocess.Popen([sys.executable, "-m", f"distributed.cli.dask_{command[0]}", *command[1:]],
                         env=fake.environment(TMPDIR=str(scratch)), cwd=folder,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         start_new_session=True)
        for command in commands
    ]
    try:
        while not file.exists():
            time.sleep(0.05)
        yield ["--scheduler", json.loads(file.read_text())["address"]], running[0]
    finally:
        for process in running:
            fake.stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _nothing_left(folder: Path, temporary: Path) -> None:
    """No process that knows our folder, no file in the temporary one."""
    end = time.monotonic() + 10
    while True:
        processes = [each.pid for each in psutil.process_iter()
                     if each.pid != os.getpid() and _knows(each, str(folder))]
        files = [path.name for path in temporary.iterdir()]
        if not processes and not files:
            return
        if time.monotonic() > end:
            raise FaultError(f"left: processes {processes}, files {files}")
        time.sleep(0.1)


def _knows(process: psutil.Process, folder: str) -> bool:
    try:
        return any(folder in text for text in [*process.environ().values(), *process.cmdline()])
    except psutil.Error:
        return False


def main() -> int:
    """Count the runs in which all is as it must be; 1 unless all."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--dry", action="store_true", help="write no file")
    asked = parser.parse_args()
    dice, fine, every = random.Random(asked.seed), Counter[str](), Counter[str]()
    starts = Counter[int]()
    with tempfile.TemporaryDirectory(prefix="faults-") as home:
        fake.make_course(Path(home, "released"))
        for number, kind in zip(range(asked.runs), itertools.cycle(asked.kinds), strict=False):
            folder = Path(home, f"r{number}")
            folder.mkdir()
            every[kind] += 1
            begin = time.monotonic()
            try:
                needed = run(kind, asked.submissions, Path(home, "released"), folder, dice)
            except FaultError as error:
                print(f"{number:>3} {kind}: {error}", flush=True)
                continue
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            fine[kind] += 1
            starts[needed] += 1
            print(f"{number:>3} {kind}: fine, {needed} starts, {time.monotonic() - begin:.0f} s",
                  flush=True)
    met = fine == every
    rows = [Row(f"runs of {asked.submissions} submissions with a kill -9 in them, all marks right "
                "and nothing left", f"{fine.total()} of {every.total()}", "all", met,
                ", ".join(f"{kind} {fine[kind]} of {every[kind]}" for kind in asked.kinds))]
    print(rows[0])
    if not asked.dry:
        keep("Faults", "`python -m bench.faults`", "Fake arithmetic; kernels, sandbox, workers, "
             "journal and gradebook are real.", rows)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
