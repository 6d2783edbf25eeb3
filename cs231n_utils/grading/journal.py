"""What a course's grading has done, so that it can be killed at any moment and go on.

An SQLite database. An outcome is committed here, notebook and all, before the gradebook hears of
it; when the gradebook has it the row says so and lets go of the notebook. What is "done" here and
not "recorded" is recorded by the next start, without executing anything again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cs231n_utils.grading.course import Course, UserError
from cs231n_utils.grading.task import Job, Outcome

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, begun REAL NOT NULL, ended REAL
);
CREATE TABLE IF NOT EXISTS work (
    student TEXT, exercise TEXT,
    state TEXT NOT NULL CHECK (state IN ('to do', 'done', 'recorded')),
    run TEXT NOT NULL,
    digest TEXT, modified INTEGER, size INTEGER,  -- of what was handed in
    has_mark INTEGER, outcome TEXT, notebook BLOB, finished REAL,
    PRIMARY KEY (student, exercise)
);
CREATE INDEX IF NOT EXISTS unrecorded ON work (state) WHERE state = 'done';
"""


@dataclass(frozen=True)
class Stamp:
    """What was handed in: its SHA-256, its time in nanoseconds, its bytes; all 0 if nothing was."""

    digest: str = ""
    modified: int = 0
    size: int = 0


@dataclass(frozen=True)
class Entry:
    """What is known of one job."""

    recorded: bool
    has_mark: bool
    stamp: Stamp


def stamp_of(path: Path, raw: bytes) -> Stamp:
    """The stamp of a file's bytes."""
    found = path.stat()
    return Stamp(hashlib.sha256(raw).hexdigest(), found.st_mtime_ns, found.st_size)


class Journal:
    """A course's journal, open.

    Raises
    ------
    UserError
        If it can't be opened, or is damaged.
    """

    def __init__(self, course: Course) -> None:
        self.path = course.private / "journal.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            with self._errors():
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = FULL")
                self.db.executescript(_SCHEMA)
                (said,) = self.db.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    raise sqlite3.DatabaseError(said)
        except OSError as error:
            raise UserError(f"{self.path} can't be written: {error.strerror}.") from error

    def close(self) -> None:
        """Let go of it."""
        self.db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            full = "full" in str(error)
            to_do = "Make room and run this again" if full else "See to that and run this again"
            raise UserError(f"The journal {self.path} can't be written: {error}.\n"
                            f"{to_do}. No mark is lost: it goes on where it stood.") from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The journal {self.path} is damaged: {error}.\nMove it away (with its -wal and "
                "-shm, if there are any) and run this again: what the gradebook and autograded/ "
                "have stays as it is, only what was being graded is graded again."
            ) from error

    # -- runs --------------------------------------------------------------------------------

    def unfinished(self) -> str:
        """The name of the last run if it was cut off, or ""."""
        with self._errors():
            row = self.db.execute("SELECT name, ended FROM run ORDER BY id DESC LIMIT 1").fetchone()
        return str(row[0]) if row is not None and row[1] is None else ""

    def begin(self, name: str, jobs: Iterable[Job]) -> int:
        """Note that a run begins, and what it is going to do; gives its number."""
        with self._errors(), self._transaction():
            cursor = self.db.execute("INSERT INTO run (name, begun) VALUES (?, ?)",
                                     (name, time.time()))
            self.db.executemany(
                "INSERT INTO work (student, exercise, state, run) VALUES (?, ?, 'to do', ?) "
                "ON CONFLICT DO UPDATE SET state = 'to do', run = excluded.run, notebook = NULL",
                ((job.student, job.exercise, name) for job in jobs))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end(self, run: int) -> None:
        """Note that a run, and with it all that were cut off before, has come to its end."""
        with self._errors():
            self.db.execute("UPDATE run SET ended = ? WHERE id <= ? AND ended IS NULL",
                            (time.time(), run))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.OperationalError):  # a full disk has rolled it back already
                self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    # -- work --------------------------------------------------------------------------------

    def add(self, outcome: Outcome, stamp: Stamp, run: str) -> None:
        """Commit an outcome; when this returns it is on the disk."""
        with self._errors():
            self.db.execute(
                "INSERT OR REPLACE INTO work VALUES (?, ?, 'done', ?, ?, ?, ?, ?, ?, ?, ?)",
                (outcome.job.student, outcome.job.exercise, run, stamp.digest, stamp.modified,
                 stamp.size, outcome.status.has_mark, outcome.to_json(), outcome.notebook,
                 time.time()))

    def adopt(self, outcome: Outcome, stamp: Stamp) -> None:
        """Note what was graded without this journal, such as by plain `nbgrader autograde`."""
        self.add(outcome, stamp, "")
        self.recorded([outcome])

    def unrecorded(self, most: int) -> list[Outcome]:
        """Outcomes that the gradebook hasn't got yet, up to so many."""
        with self._errors():
            rows = self.db.execute("SELECT outcome, notebook FROM work WHERE state = 'done' "
                                   "LIMIT ?", (most,)).fetchall()
        return [Outcome.from_json(*row) for row in rows]

    def recorded(self, outcomes: Iterable[Outcome]) -> None:
        """Note that the gradebook has them."""
        with self._errors(), self._transaction():
            self.db.executemany(
                "UPDATE work SET state = 'recorded', notebook = NULL "
                "WHERE student = ? AND exercise = ? AND state = 'done'",
                ((o.job.student, o.job.exercise) for o in outcomes))

    def entries(self) -> dict[tuple[str, str], Entry]:
        """What is known of each (student, exercise)."""
        with self._errors():
            rows = self.db.execute("SELECT student, exercise, state, has_mark, digest, modified, "
                                   "size FROM work")
            return {
                (student, exercise): Entry(state == "recorded", bool(has_mark),
                                           Stamp(digest or "", modified or 0, size or 0))
                for student, exercise, state, has_mark, digest, modified, size in rows
            }

    def outcomes(self) -> Iterator[Outcome]:
        """All outcomes that are recorded, without their notebooks."""
        with self._errors():
            for (text,) in self.db.execute("SELECT outcome FROM work WHERE state = 'recorded'"):
                yield Outcome.from_json(text)


# -- one at a time ---------------------------------------------------------------------------


@contextmanager
def sole_grader(course: Course) -> Iterator[Path]:
    """Hold a course's lock; gives a folder for what is temporary, gone in the end.

    What a grader that was killed left in its own is removed first.

    Raises
    ------
    UserError
        If another grader holds it.
    """
    path = course.private / "grade.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"This course is being graded already, by {_holder(path)}.\n"
                            "Wait for it, or stop it there with Ctrl-C.") from error
        _sweep(path)
        scratch = Path(tempfile.mkdtemp(prefix="cs231n-"))
        scratch.chmod(0o711)  # kernels run as users of their own, in folders below
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "scratch": str(scratch),
                  "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        try:
            file.truncate(0)
            file.write(json.dumps(holder))
            file.flush()
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            file.truncate(0)


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _holder(path: Path) -> str:
    found = _read(path)
    if not found:
        return "another process"
    return f"process {found.get('pid')} on {found.get('host')} since {found.get('since')}"


def _sweep(path: Path) -> None:
    """Remove the scratch folder of a grader that was killed on this machine."""
    found = _read(path)
    scratch = Path(str(found.get("scratch", "")))
    if found.get("host") == socket.gethostname() and scratch.name.startswith("cs231n-"):
        shutil.rmtree(scratch, ignore_errors=True)
