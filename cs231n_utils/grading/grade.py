"""Grade a class: plan, send out, record.

The coordinator. It decides what is to be graded, hands tasks to a fleet of workers (fleet.py; what
they do is task.py), and records what comes back: first in the journal, then as an autograded
notebook and in the gradebook, which nobody else writes to. Stopped at any point and started again
it goes on where it stood.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory

from cs231n_utils.grading.course import Course, UserError
from cs231n_utils.grading.examine import course_secret, seed_of, this_run
from cs231n_utils.grading.faults import clear_fault, note_fault
from cs231n_utils.grading.fleet import Fleet, Working, open_fleet
from cs231n_utils.grading.gradebook import Marks, config_as_json
from cs231n_utils.grading.journal import Entry, Journal, Stamp, sole_grader, stamp_of
from cs231n_utils.grading.results import Status, read_result
from cs231n_utils.grading.sandbox import chosen, require
from cs231n_utils.grading.submission import UnreadableNotebookError, read_bytes
from cs231n_utils.grading.task import (
    Job,
    Outcome,
    Settings,
    Task,
    mistakes_of,
    not_graded,
    package_digest,
)

_BATCH, _BATCH_SECONDS = 25, 1.0
"""Outcomes, and how long they may wait, until they are recorded together."""


@dataclass(frozen=True)
class Plan:
    """What is to be graded, and what is unchanged since it was."""

    to_do: list[Job] = field(default_factory=list)
    unchanged: list[Job] = field(default_factory=list)


@dataclass
class Run:
    """A grading run: what was graded, what was left as it was, what is still to be done."""

    name: str = ""
    graded: list[Outcome] = field(default_factory=list)
    unchanged: list[Job] = field(default_factory=list)
    left: int = 0
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Does everything that was looked at have a mark?"""
        return not self.left and all(outcome.status.has_mark for outcome in self.graded)


class Observer:
    """Told how a run goes; this one doesn't listen."""

    def planned(self, plan: Plan, name: str) -> None:
        """What is going to be done, under which name."""

    def graded(self, outcome: Outcome) -> None:
        """One more is recorded in the journal."""

    def looked(self, working: Mapping[str, Working]) -> None:
        """What each worker does now."""


# -- 1. plan ---------------------------------------------------------------------------------


def plan(course: Course, students: list[str] | None = None, force: bool = False) -> Plan:
    """Which notebooks are to be graded; the others are unchanged since they were.

    Raises
    ------
    UserError
        If nobody submitted anything, or a named student didn't.
    """
    journal = Journal(course)
    try:
        return _plan(course, students, force, journal.entries())
    finally:
        journal.close()


def _plan(
    course: Course, students: list[str] | None, force: bool,
    entries: Mapping[tuple[str, str], Entry], marked: set[tuple[str, str]] | None = None,
    adopt: Callable[[Job], None] = lambda job: None,
) -> Plan:
    known = course.students()
    if not known:
        raise UserError(
            f"No submissions: {course.submitted} holds no <student>/{course.assignment}/.\n"
            "Bring them in with `cs231n collect ARCHIVE_OR_FOLDER`."
        )
    for student in students or []:
        if student not in known:
            raise UserError(f"No submission of {student!r}. There are: {', '.join(known)}.")
    made = Plan()
    for student in students or known:
        for exercise in course.exercises:
            job = Job(student, exercise)
            entry = entries.get((student, exercise))
            if force or (marked is not None and (student, exercise) not in marked):
                current = False
            elif entry is None:  # not by this journal; by plain `nbgrader autograde` perhaps
                current = _graded_elsewhere(course, job)
                if current:
                    adopt(job)
            else:
                current = entry.recorded and entry.has_mark and _unchanged(course, job, entry.stamp)
            (made.unchanged if current else made.to_do).append(job)
    return made


def _unchanged(course: Course, job: Job, stamp: Stamp) -> bool:
    """Is what was handed in still what was graded, and the autograded notebook still there?"""
    path = course.submission(job.student, job.exercise)
    try:
        found = path.stat()
    except OSError:
        return not stamp.digest
    if not course.graded(job.student, job.exercise).is_file():
        return False
    if (found.st_mtime_ns, found.st_size) == (stamp.modified, stamp.size):
        return True
    return found.st_size == stamp.size and stamp_of(path, path.read_bytes()).digest == stamp.digest


def _graded_elsewhere(course: Course, job: Job) -> bool:
    """Is there a mark that is newer than what was handed in?"""
    submitted = course.submission(job.student, job.exercise)
    graded = course.graded(job.student, job.exercise)
    if not submitted.is_file() or not graded.is_file():
        return False
    newer = graded.stat().st_mtime >= submitted.stat().st_mtime
    return newer and read_result(course, job.student, job.exercise).status.has_mark


# -- 2. send out -----------------------------------------------------------------------------


def grade(
    course: Course,
    students: list[str] | None = None,
    *,
    force: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    sandbox: str | None = None,
    run_name: str | None = None,
    demos: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Grade what a course's students handed in.

    Parameters
    ----------
    students : the ones to grade; all unless named.
    force : grade also what is unchanged since it was graded.
    workers : processes on this machine, each with one kernel; as many as processors unless given.
    scheduler : the address of a Dask scheduler whose workers are taken in place of those.
    sandbox : "bubblewrap" or "none"; as the course's configuration says unless given.
    run_name : the same one asks the same questions; that of a run that was cut off, or else a new
        one unless given.
    demos : run the demonstrations too, which no mark depends on.
    observer : is told how it goes, in this thread.

    Raises
    ------
    UserError
        If there is nothing to grade, the assignment has not been released, there is no sandbox, or
        something that a person has to see to keeps it from going on. What was graded until then is
        kept.
    """
    configured = course.config.get("Execute", {}) if course.config is not None else {}
    kind = chosen(sandbox or str(configured.get("sandbox", "") or ""))
    if scheduler is None:
        require(kind)
    begin = time.monotonic()
    with ExitStack() as stack:
        # In this order, for `cs231n collect` and `cs231n release` are what a beginner needs first.
        if not course.students():
            _plan(course, students, force, {})
        stack.enter_context(_interruptible())
        scratch = stack.enter_context(sole_grader(course))
        marks = Marks(course)
        stack.callback(marks.close)
        journal = Journal(course)
        stack.callback(journal.close)
        log = stack.enter_context(_log_file(course))
        coordinator = _Coordinator(course, journal, marks, log, observer or Observer())
        coordinator.catch_up()
        made = _plan(course, students, force, journal.entries(), marks.recorded(),
                     coordinator.adopt)
        run = Run(name=run_name or str(configured.get("run_name", "") or "")
                  or journal.unfinished() or this_run(), unchanged=made.unchanged,
                  left=len(made.to_do))
        if not made.to_do:
            coordinator.observer.planned(made, run.name)
            return run
        coordinator.settings = _settings(course, run.name, str(kind), demos)
        number = journal.begin(run.name, made.to_do)
        coordinator.observer.planned(made, run.name)
        try:
            for outcome in coordinator.grade_all(made.to_do, scheduler, workers, scratch):
                run.graded.append(outcome)
                run.left -= 1
            journal.end(number)
        except KeyboardInterrupt:
            run.interrupted = True
        run.seconds = time.monotonic() - begin
    return run


def _settings(course: Course, run: str, kind: str, demos: bool) -> Settings:
    """What all tasks have in common."""
    config = course.config.copy()
    config.Execute.sandbox, config.Execute.demos = kind, demos
    nbgrader = Autograde(coursedir=CourseDirectory(config=config), config=config)

    def names(steps: list[Any]) -> tuple[str, ...]:
        return tuple(step if isinstance(step, str) else f"{step.__module__}.{step.__qualname__}"
                     for step in steps)

    return Settings(
        run, config_as_json(config), names(nbgrader.sanitize_preprocessors),
        names(nbgrader.autograde_preprocessors), (str(course.root),), package_digest())


class _Coordinator:
    """Makes tasks, and records what becomes of them."""

    settings: Settings

    def __init__(self, course: Course, journal: Journal, marks: Marks, log: logging.Logger,
                 observer: Observer) -> None:
        self.course, self.journal, self.marks = course, journal, marks
        self.log, self.observer = log, observer
        self.stamps: dict[Job, Stamp] = {}
        self.unsent: list[Outcome] = []
        self.waiting: list[Outcome] = []
        self.recorded_at = time.monotonic()

    def grade_all(self, jobs: list[Job], scheduler: str | None, workers: int | None,
                  scratch: Path) -> Iterator[Outcome]:
        """Each job's outcome, in the journal."""
        there = [job for job in jobs
                 if self.course.submission(job.student, job.exercise).is_file()]
        missing = set(jobs) - set(there)
        try:
            for job in jobs:
                if job in missing:
                    yield self._note(_missing(job))
            if there:
                count = min(workers or os.cpu_count() or 1, len(there))
                with open_fleet(scheduler, count, scratch) as fleet:
                    yield from self._grade_on(fleet, there)
        finally:
            self.record()

    def _grade_on(self, fleet: Fleet, jobs: list[Job]) -> Iterator[Outcome]:
        def look() -> None:
            self.observer.looked(fleet.working)
            if time.monotonic() - self.recorded_at > _BATCH_SECONDS:
                self.record()

        for outcome in fleet.outcomes(self._tasks(jobs), look):
            yield self._note(outcome)
            while self.unsent:
                yield self._note(self.unsent.pop())
        while self.unsent:
            yield self._note(self.unsent.pop())

    def _tasks(self, jobs: list[Job]) -> Iterator[Task]:
        """A task for each job, read when it is asked for."""
        secret = course_secret(self.course)
        for job in jobs:
            path = self.course.submission(job.student, job.exercise)
            try:
                raw = read_bytes(path, follow=False)
                self.stamps[job] = stamp_of(path, raw)
            except UnreadableNotebookError as error:
                self.unsent.append(not_graded(job, str(error)))
                continue
            except OSError as error:
                self.unsent.append(not_graded(job, f"{path.name} can't be read: {error.strerror}"))
                continue
            seed = seed_of(secret, self.settings.run, job.exercise)
            yield Task(job, raw, self.marks.sources[job.exercise], self.settings, seed)

    # -- 3. record ---------------------------------------------------------------------------

    def _note(self, outcome: Outcome) -> Outcome:
        """Put an outcome into the journal; the gradebook gets it with a few others."""
        if outcome.log or not outcome.status.has_mark:
            level = logging.WARNING if outcome.status.has_mark else logging.ERROR
            self.log.log(level, "%s, %s: %s\n%s", outcome.job.student, outcome.job.exercise,
                         outcome.reason, outcome.log)
        stamp = self.stamps.pop(outcome.job, Stamp())
        self.journal.add(outcome, stamp, self.settings.run)
        self.waiting.append(outcome)
        if len(self.waiting) >= _BATCH:
            self.record()
        self.observer.graded(outcome)
        return _light(outcome)

    def catch_up(self) -> None:
        """Record what an earlier run graded and could not record any more."""
        while left := self.journal.unrecorded(_BATCH):
            self.waiting = left
            self.record()

    def record(self) -> None:
        """Autograded notebooks, then the gradebook, then the journal: it has them."""
        self.recorded_at = time.monotonic()
        if not self.waiting:
            return
        try:
            for outcome in self.waiting:
                self._write(outcome)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise UserError(
                f"{error.filename} can't be written: {error.strerror}.\n"
                + ("Make room" if full else "See to that") + " and run this again. No mark is "
                "lost: it goes on where it stood.") from error
        self.marks.write(self.waiting)
        self.journal.recorded(self.waiting)
        self.waiting = []

    def _write(self, outcome: Outcome) -> None:
        student, exercise = outcome.job.student, outcome.job.exercise
        path = self.course.graded(student, exercise)
        if not outcome.notebook:  # an older mark must not stand for this one
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, zlib.decompress(outcome.notebook),
                     0o664 if self.marks.coursedir.groupshared else 0o444)
        if outcome.status.has_mark:
            clear_fault(self.course, student, exercise)
        else:
            note_fault(self.course, student, exercise, outcome.reason)

    def adopt(self, job: Job) -> None:
        """Take a mark that came about without the journal into it."""
        path = self.course.submission(job.student, job.exercise)
        found = read_result(self.course, job.student, job.exercise)
        outcome = Outcome(job, found.status, found.points, found.max_points,
                          mistakes=mistakes_of(found))
        self.journal.adopt(outcome, stamp_of(path, path.read_bytes()))


def _missing(job: Job) -> Outcome:
    return Outcome(job, Status.MISSING, 0.0, reason="the notebook was not handed in")


def _light(outcome: Outcome) -> Outcome:
    """An outcome without what a whole class of them would fill the memory with."""
    return Outcome(outcome.job, outcome.status, outcome.points, outcome.max_points,
                   outcome.reason, wall_seconds=outcome.wall_seconds,
                   processor_seconds=outcome.processor_seconds)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, and on the disk when this returns."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(mode)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM, which clusters and systems stop programs with, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _log_file(course: Course) -> Iterator[logging.Logger]:
    """The log of this run, in the course's private folder."""
    log = logging.getLogger("cs231n.grade")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(log_path(course), mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield log
    finally:
        log.removeHandler(handler)
        handler.close()


def log_path(course: Course) -> Path:
    """Where the log of the latest run lies."""
    return course.private / "grade.log"
