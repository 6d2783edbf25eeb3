"""Grade a class: sanitise, execute, record.

nbgrader's own converter does the first and the last step, one notebook at a time, so that a
notebook which can't be graded takes nobody along, not even its neighbours in the same submission.
In between, kernels run beside each other. Only this process writes to the gradebook.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.writers import FilesWriter
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import setenv
from sqlalchemy.exc import SQLAlchemyError

from cs231n_utils.grading.course import Course, UserError
from cs231n_utils.grading.examine import this_run
from cs231n_utils.grading.execute import Execute, GraderFaultError, execute_notebook
from cs231n_utils.grading.faults import clear_fault, note_fault
from cs231n_utils.grading.results import Status, read_result
from cs231n_utils.grading.sandbox import chosen, require
from cs231n_utils.grading.submission import UnreadableNotebookError, read_notebook


@dataclass(frozen=True)
class Job:
    """One notebook to grade."""

    student: str
    exercise: str


@dataclass(frozen=True)
class Graded:
    """What became of one job, and how long its kernel took."""

    job: Job
    status: Status
    points: float | None
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Run:
    """A grading run: what was graded, what was left as it was."""

    graded: list[Graded] = field(default_factory=list)
    unchanged: list[Job] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Does everything that was looked at have a mark?"""
        return all(graded.status.has_mark for graded in self.graded)


OnGraded = Callable[[Graded], None]


def plan(course: Course, students: list[str] | None = None, force: bool = False) -> Run:
    """Which notebooks are to be graded; the others are unchanged since they were.

    Raises
    ------
    UserError
        If nobody submitted anything, or a named student didn't.
    """
    known = course.students()
    if not known:
        raise UserError(
            f"No submissions: {course.submitted} holds no <student>/{course.assignment}/.\n"
            "Bring them in with `cs231n collect ARCHIVE_OR_FOLDER`."
        )
    for student in students or []:
        if student not in known:
            raise UserError(f"No submission of {student!r}. There are: {', '.join(known)}.")
    run = Run()
    for student in students or known:
        for exercise in course.exercises:
            job = Job(student, exercise)
            if force or not _is_graded(course, job):
                run.graded.append(Graded(job, Status.NOT_GRADED, None))
            else:
                run.unchanged.append(job)
    return run


def _is_graded(course: Course, job: Job) -> bool:
    """Is there a mark that is newer than what was handed in?"""
    submitted = course.submission(job.student, job.exercise)
    graded = course.graded(job.student, job.exercise)
    if not submitted.is_file() or not graded.is_file():
        return False
    newer = graded.stat().st_mtime >= submitted.stat().st_mtime
    return newer and read_result(course, job.student, job.exercise).status.has_mark


def grade(
    course: Course,
    students: list[str] | None = None,
    *,
    force: bool = False,
    workers: int | None = None,
    sandbox: str | None = None,
    run_name: str | None = None,
    on_graded: OnGraded = lambda graded: None,
) -> Run:
    """Grade what a course's students handed in.

    Parameters
    ----------
    students : the ones to grade; all unless named.
    force : grade also what is unchanged since it was graded.
    workers : kernels beside each other; as many as processors unless given, at most 8.
    sandbox : "bubblewrap" or "none"; as the course's configuration says unless given.
    run_name : the same one asks the same questions; a new one unless given.
    on_graded : called in this thread after each notebook.

    Raises
    ------
    UserError
        If there is nothing to grade, the assignment has not been released, or there is no sandbox.
    """
    configured = course.config.get("Execute", {}) if course.config is not None else {}
    settings = {"sandbox": sandbox or str(configured.get("sandbox", "") or ""),
                "run_name": run_name or str(configured.get("run_name", "") or "") or this_run()}
    require(chosen(settings["sandbox"]))
    run = plan(course, students, force)
    jobs = [graded.job for graded in run.graded]
    run.graded.clear()
    require_released(course)
    with _log_file(course) as log:
        grader = _Grader(course, log, settings)
        for graded in grader.grade_all(jobs, workers or min(os.cpu_count() or 1, 8)):
            run.graded.append(graded)
            on_graded(graded)
    return run


def require_released(course: Course) -> None:
    """Make sure that the gradebook knows the assignment, or say how it comes to.

    Raises
    ------
    UserError
        If it doesn't, or can't be opened.
    """
    coursedir = CourseDirectory(config=course.config)
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            gradebook.find_assignment(course.assignment)
    except MissingEntry as error:
        raise UserError(
            f"The gradebook doesn't know {course.assignment!r} yet. Run `cs231n release` first."
        ) from error
    except SQLAlchemyError as error:
        where = str(coursedir.db_url).rpartition("@")[2]  # without a user's password
        raise UserError(f"The gradebook {where} can't be used: {_one_line(error)}") from error


class _Grader:
    """The three steps, for one course."""

    def __init__(self, course: Course, log: logging.Logger, settings: dict[str, str]) -> None:
        self.course = course
        self.settings = settings
        self.log = log
        self.running: set[Execute] = set()

    def grade_all(self, jobs: list[Job], workers: int) -> Iterator[Graded]:
        """Each job's outcome, in the order in which they end."""
        waiting = list(reversed(jobs))
        flying: dict[Future[Any], Job] = {}
        pool = ThreadPoolExecutor(workers, thread_name_prefix="kernel")
        try:
            while waiting or flying:
                while waiting and len(flying) < workers + 1:
                    job = waiting.pop()
                    started = self._start(job)
                    if isinstance(started, Graded):
                        yield started
                    else:
                        flying[pool.submit(self._execute, job, started)] = job
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    yield self._finish(flying.pop(future), future)
        except BaseException:  # Ctrl-C too: no kernel may outlive the run
            for executor in list(self.running):
                executor.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    # -- 1. sanitise -------------------------------------------------------------------------

    def _start(self, job: Job) -> Any:
        """The sanitised notebook, or the outcome where there is nothing to execute."""
        try:
            if not self.course.submission(job.student, job.exercise).is_file():
                return self._missing(job)
            read_notebook(self.course.submission(job.student, job.exercise))
            converter = _Converter.of(self.course, job, self.log)
            converter.sanitize()
            return read_notebook(self.course.graded(job.student, job.exercise))
        except UnreadableNotebookError as error:
            return self._fault(job, str(error))
        except Exception as error:
            return self._fault(job, f"reading the submission failed: {_one_line(error)}", error)

    def _missing(self, job: Job) -> Graded:
        clear_fault(self.course, job.student, job.exercise)
        self._write_marks(job, points=0.0)
        return Graded(job, Status.MISSING, 0.0, "the notebook was not handed in")

    # -- 2. execute --------------------------------------------------------------------------

    def _execute(self, job: Job, notebook: Any) -> tuple[Any, float]:
        """The executed notebook and the seconds that it took; runs in a thread of its own."""
        begin = time.monotonic()
        source = self.course.source / f"{job.exercise}.ipynb"
        executor = Execute(config=self.course.config, log=self.log, source_notebook=str(source),
                           course_folder=str(self.course.root), **self.settings)
        self.running.add(executor)
        try:
            resources = {
                "metadata": {"path": str(self.course.graded(job.student, job.exercise).parent)},
                "nbgrader": {"notebook": job.exercise, "student": job.student},
            }
            return execute_notebook(executor, notebook, resources), time.monotonic() - begin
        finally:
            self.running.discard(executor)

    # -- 3. record ---------------------------------------------------------------------------

    def _finish(self, job: Job, future: Future[Any]) -> Graded:
        try:
            notebook, seconds = future.result()
            _Converter.of(self.course, job, self.log).record(notebook)
        except GraderFaultError as error:
            return self._fault(job, str(error))
        except Exception as error:
            return self._fault(job, f"the grader failed: {_one_line(error)}", error)
        clear_fault(self.course, job.student, job.exercise)
        result = read_result(self.course, job.student, job.exercise)
        reason = "; ".join(result.mistakes)
        return Graded(job, result.status, result.points, reason, seconds)

    def _fault(self, job: Job, reason: str, error: BaseException | None = None) -> Graded:
        """Note that there is no mark, and why; an older mark must not stand for this one."""
        self.log.error("%s, %s: %s", job.student, job.exercise, reason, exc_info=error)
        note_fault(self.course, job.student, job.exercise, reason)
        graded = self.course.graded(job.student, job.exercise)
        graded.unlink(missing_ok=True)
        try:
            self._write_marks(job, points=None)
        except Exception as second:
            self.log.error("the gradebook can't be written: %s", second, exc_info=second)
        return Graded(job, Status.NOT_GRADED, None, reason)

    def _write_marks(self, job: Job, points: float | None) -> None:
        """Set the automatic mark of all of a notebook's cells; None asks for a person."""
        coursedir = CourseDirectory(config=self.course.config)
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            gradebook.update_or_create_student(job.student)
            gradebook.update_or_create_submission(self.course.assignment, job.student)
            notebook = gradebook.find_submission_notebook(
                job.exercise, self.course.assignment, job.student
            )
            for grade in notebook.grades:
                grade.auto_score = points
                grade.needs_manual_grade = points is None
            gradebook.db.commit()


class _Converter(Autograde):  # type: ignore[misc]
    """nbgrader's Autograde for one notebook, with the execution taken out of its middle."""

    course: Course
    job: Job

    @classmethod
    def of(cls, course: Course, job: Job, log: logging.Logger) -> _Converter:
        coursedir = CourseDirectory(
            config=course.config,
            assignment_id=course.assignment,
            student_id=job.student,
            notebook_id=job.exercise,
        )
        converter = cls(coursedir=coursedir, config=course.config, log=log)
        converter.course, converter.job = course, job
        converter.writer = FilesWriter(parent=converter, config=converter.config)
        converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
        return converter

    def sanitize(self) -> None:
        """Copy the submission to the autograded folder, with the course's own cells restored."""
        self.notebooks = [str(self.course.submission(self.job.student, self.job.exercise))]
        self.force = True
        self.init_destination(self.course.assignment, self.job.student)
        self.init_assignment(self.course.assignment, self.job.student)
        self._convert(sanitizing=True)

    def record(self, executed: Any) -> None:
        """Write an executed notebook to the autograded folder and its points to the gradebook."""
        path = self.course.graded(self.job.student, self.job.exercise)
        nbformat.write(executed, path)
        self.notebooks = [str(path)]
        self._convert(sanitizing=False)
        self.set_permissions(self.course.assignment, self.job.student)

    def _convert(self, sanitizing: bool) -> None:
        self._sanitizing = sanitizing
        self._init_preprocessors()
        if not sanitizing:
            self.exporter._preprocessors = [
                step for step in self.exporter._preprocessors if not isinstance(step, Execute)
            ]
        with setenv(NBGRADER_EXECUTION="autograde"):
            super(Autograde, self).convert_single_notebook(self.notebooks[0])
        self._sanitizing = True


def _one_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


@contextmanager
def _log_file(course: Course) -> Iterator[logging.Logger]:
    """nbgrader's and our own log of this run, in the course's private folder."""
    path = log_path(course)
    path.parent.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger("cs231n.grade")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():  # nbgrader's, about its own use of the database
            warnings.simplefilter("ignore")
            yield log
    finally:
        log.removeHandler(handler)
        handler.close()


def log_path(course: Course) -> Path:
    """Where the log of the latest run lies."""
    return course.private / "grade.log"
