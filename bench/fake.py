"""A course whose arithmetic costs nothing (tests/grading/fake_course.py), to measure all else.

Given to a Dask worker as a preload, :mod:`bench.without_kernel` leaves the kernel out too.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "grading"


def make_course(root: Path) -> Any:
    """A released fake course."""
    sys.path.insert(0, str(FAKES))
    from fake_course import make_course as make  # type: ignore[import-not-found]

    root.mkdir(parents=True)
    return make(root)


def hand_in(course: Any, answers: dict[str, str]) -> None:
    """One notebook for each student: an answer to the first exercise."""
    from fake_course import hand_in as write

    write(course, **answers)


def environment(**more: str) -> dict[str, str]:
    """For a process that can import this checkout and the fake exercises."""
    return os.environ | {"PYTHONPATH": f"{ROOT}:{FAKES}", "OMP_NUM_THREADS": "1",
                         "OPENBLAS_NUM_THREADS": "1"} | more


def grade(course: Any, *options: str, **more: str) -> subprocess.Popen[str]:
    """`cs231n grade`, as a process in a session of its own."""
    command = [sys.executable, "-m", "cs231n_utils.cli", "grade", "--course", str(course.root)]
    return subprocess.Popen([*command, *options], env=environment(**more), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process and all of its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def marks(course: Any) -> dict[str, tuple[float | None, int]]:
    """student -> the mark in the gradebook, and how many rows there are for it."""
    with sqlite3.connect(f"file:{course.root / 'gradebook.db'}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT a.student_id, max(g.auto_score), count(*) FROM submitted_assignment a "
            "JOIN submitted_notebook s ON s.assignment_id = a.id "
            "JOIN notebook n ON n.id = s.notebook_id JOIN grade g ON g.notebook_id = s.id "
            "WHERE n.name = 'saliency_maps' GROUP BY a.student_id")
        return {student: (score, count) for student, score, count in rows}


def journal(course: Any) -> dict[str, tuple[str, float | None]]:
    """student -> state and points in the journal, of the first exercise."""
    path = course.private / "journal.sqlite"
    if not path.exists():
        return {}
    try:
        with sqlite3.connect(path, timeout=10) as db:
            return {student: (state, points) for student, state, points in db.execute(
                "SELECT student, state, json_extract(outcome, '$.points') FROM work "
                "WHERE exercise = 'saliency_maps'")}
    except sqlite3.OperationalError:  # not made yet
        return {}
