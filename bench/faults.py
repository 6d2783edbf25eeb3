"""Kill something at random while a class is graded, start again, and look what became of the marks.

`python -m bench.faults --runs 100 --submissions 30`: in turn a worker, a zygote, a kernel, the
coordinator and the scheduler get `kill -9`. Afterwards every submission must have exactly one mark,
the one of the undisturbed run; journal and gradebook must agree; no process and no temporary file
may be left. A run in which all was done before the kill doesn't count and is made again.
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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from . import fake
from .results import Row, keep

KINDS = ("worker", "zygote", "kernel", "coordinator", "scheduler")
ANSWERS = ("answer = 42", "answer = 21", "answer = 7", "raise ValueError('no')")
_POINTS = (10.0, 5.0, 0.0, 0.0)


class FaultError(Exception):
    """Something is not as it must be after a fault."""


def run(kind: str, count: int, released: Path, folder: Path, dice: random.Random) -> int:
    """One class, one fault; gives how many starts it took, 0 if it was done before."""
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
        struck = _strike(kind, process, scheduler, course, strike_at, dice)
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
    return starts if struck else 0


def _strike(kind: str, process: subprocess.Popen[str], scheduler: Any, course: Any, strike_at: int,
            dice: random.Random) -> bool:
    """Wait until so many are done and a little, then kill; False if all had ended before that."""
    end = time.monotonic() + 300
    while sum(state != "to do" for state, _ in fake.journal(course).values()) < strike_at:
        if process.poll() is not None or time.monotonic() > end:
            raise FaultError(f"it ended before anything was killed: {process.communicate()[0]}")
        time.sleep(0.01)
    time.sleep(dice.random() * 0.1)
    while process.poll() is None:
        if kind in ("coordinator", "scheduler"):
            (process if kind == "coordinator" else scheduler).send_signal(signal.SIGKILL)
            return True
        found = _below(process.pid)[kind]
        if found:
            dice.choice(found).kill()
            return True
        time.sleep(0.01)
    return False


def _below(pid: int) -> dict[str, list[psutil.Process]]:
    """A grader's workers, their zygotes, and the kernels that these forked."""
    found: dict[str, list[psutil.Process]] = {"worker": [], "zygote": [], "kernel": []}
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if _is_forked(child):
                    parent = child.parent()
                    forked = parent is not None and _is_forked(parent)
                    found["kernel" if forked else "zygote"].append(child)
                elif any("spawn_main" in word for word in child.cmdline()):
                    found["worker"].append(child)
    return found


def _is_forked(process: psutil.Process) -> bool:
    """A zygote, or what has it for its origin; not the bubblewrap around it."""
    command = process.cmdline()
    return command[:1] != ["bwrap"] and "/zygote.py" in command


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
                for attempt in range(5):
                    own = folder / str(attempt)
                    own.mkdir()
                    needed = run(kind, asked.submissions, Path(home, "released"), own, dice)
                    if needed:
                        break
                else:
                    raise FaultError("five times it was done before anything could be killed")
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
