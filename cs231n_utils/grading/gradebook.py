"""The one writer of nbgrader's gradebook: one connection, one transaction for many notebooks.

nbgrader's own steps open the gradebook several times for each notebook, and its objects sum up all
marks of a class whenever one is looked at. Here its tables are written directly, as
SaveAutoGrades would: the automatic score, the automatic comment, whether a person has to look. What
a person gave by hand is never touched.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from cs231n_utils.grading.course import Course, UserError
from cs231n_utils.grading.results import Status
from cs231n_utils.grading.submission import UnreadableNotebookError, grade_id, read_notebook
from cs231n_utils.grading.task import Outcome, Source, SourceCell, one_line

BUSY_SECONDS = 30.0
"""How long another program, such as the formgrader, may be writing."""


class Marks:
    """A course's gradebook, open.

    Raises
    ------
    UserError
        If it doesn't know the assignment, or can't be opened.
    """

    def __init__(self, course: Course, busy_seconds: float = BUSY_SECONDS) -> None:
        self.course = course
        self.coursedir = CourseDirectory(config=course.config, assignment_id=course.assignment)
        url = str(self.coursedir.db_url)
        self.where = url.rpartition("@")[2]  # without a user's password
        if url.startswith("sqlite:") and "?" not in url:
            url += f"?timeout={busy_seconds:g}"
        try:
            self.book = Gradebook(url, self.coursedir.course_id)
            self._read()
        except MissingEntry as error:
            raise UserError(
                f"The gradebook doesn't know {course.assignment!r} yet. Run `cs231n release` first."
            ) from error
        except SQLAlchemyError as error:
            raise self._error(error) from error

    def _read(self) -> None:
        assignment = self.book.find_assignment(self.course.assignment)
        self.assignment, self.due = assignment.id, assignment.duedate is not None
        self.notebooks: dict[str, str] = {}
        self.graded: dict[str, dict[str, str]] = {}  # exercise -> name of a cell -> its id
        self.commented: dict[str, dict[str, str]] = {}
        self.sources: dict[str, Source] = {}
        for notebook in assignment.notebooks:
            graded = [*notebook.grade_cells, *notebook.task_cells]
            commented = [*notebook.solution_cells, *notebook.task_cells]
            self.notebooks[notebook.name] = notebook.id
            self.graded[notebook.name] = {cell.name: cell.id for cell in graded}
            self.commented[notebook.name] = {cell.name: cell.id for cell in commented}
            self.sources[notebook.name] = self._source(notebook)
        self.book.db.rollback()

    def _source(self, notebook: Any) -> Source:
        scores = {c.name: c.max_score for c in [*notebook.grade_cells, *notebook.task_cells]}
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        cells = tuple(
            SourceCell(c.name, c.cell_type, c.locked, c.source, c.checksum, scores.get(c.name),
                       c.name in solutions, c.name in tasks)
            for c in notebook.source_cells
        )
        try:
            path = self.course.source / f"{notebook.name}.ipynb"
            course = read_notebook(path).cells
        except UnreadableNotebookError:
            course = []
        own = frozenset(cell.source.strip() for cell in course)
        texts = tuple(grade_id(cell) or cell.source.strip() for cell in course)
        return Source(self.course.assignment, notebook.name, notebook.kernelspec or "", cells, own,
                      texts)

    def close(self) -> None:
        """Let go of it."""
        self.book.close()

    def recorded(self) -> set[tuple[str, str]]:
        """The (student, exercise) of which every cell has a mark."""
        marked = (
            select(SubmittedAssignment.student_id, Notebook.name)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .where(SubmittedAssignment.assignment_id == self.assignment)
            .group_by(SubmittedAssignment.student_id, Notebook.name)
            .having(func.count(Grade.auto_score) == func.count(Grade.id))
        )
        with self.book.engine.connect() as connection:
            return {(row[0], row[1]) for row in connection.execute(marked)}

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Record outcomes: all of them, or none.

        Raises
        ------
        UserError
            If the gradebook can't be written, such as while another program keeps it locked.
        """
        outcomes = list(outcomes)
        try:
            with self.book.engine.begin() as connection:
                for outcome in outcomes:
                    self._write(connection, outcome)
            for outcome in outcomes if self.due else ():
                self._penalize(outcome)
        except SQLAlchemyError as error:
            raise self._error(error) from error

    def _error(self, error: SQLAlchemyError) -> UserError:
        said = one_line(error)
        if isinstance(error, OperationalError) and "locked" in said:
            return UserError(
                f"The gradebook {self.where} is locked: another program has been writing to it for "
                "too long.\nClose it (the formgrader, a database browser, another `nbgrader`), and "
                "run this again. No mark is lost: it goes on where it stood."
            )
        if "disk is full" in said:
            return UserError(f"The disk is full: the gradebook {self.where} can't be written.\n"
                             "Make room and run this again. No mark is lost.")
        return UserError(f"The gradebook {self.where} can't be used: {said}")

    def _write(self, connection: Connection, outcome: Outcome) -> None:
        exercise = outcome.job.exercise
        submission = self._submission(connection, outcome.job.student)
        notebook = connection.scalar(
            select(SubmittedNotebook.id).where(
                SubmittedNotebook.notebook_id == self.notebooks[exercise],
                SubmittedNotebook.assignment_id == submission))
        if not self.due:
            connection.execute(update(SubmittedNotebook.__table__)
                               .where(SubmittedNotebook.id == notebook)
                               .values(late_submission_penalty=None))
        absent = 0.0 if outcome.status is Status.MISSING else None
        scores = dict(outcome.marks)
        for name, cell in self.graded[exercise].items():
            score = scores.get(name, absent)
            found = connection.execute(
                select(Grade.id, Grade.manual_score).where(
                    Grade.cell_id == cell, Grade.notebook_id == notebook)).one_or_none()
            by_hand = found is not None and found.manual_score is not None
            person = score is None or (by_hand and outcome.status is not Status.MISSING)
            values = {"auto_score": score, "needs_manual_grade": person}
            _put(connection, Grade, found, values, cell, notebook)
        for name, comment in outcome.comments:
            cell_id = self.commented[exercise].get(name)
            if cell_id is not None:
                found = connection.execute(
                    select(Comment.id).where(Comment.cell_id == cell_id,
                                             Comment.notebook_id == notebook)).one_or_none()
                _put(connection, Comment, found, {"auto_comment": comment}, cell_id, notebook)

    def _submission(self, connection: Connection, student: str) -> str:
        """The id of a student's submission, made with all its rows unless it is there."""
        folder = self.course.submission(student, "").parent
        handed_in = self.coursedir.get_existing_timestamp(str(folder))
        found: str | None = connection.scalar(
            select(SubmittedAssignment.id).where(
                SubmittedAssignment.assignment_id == self.assignment,
                SubmittedAssignment.student_id == student))
        if found is not None:
            if handed_in is not None:
                connection.execute(update(SubmittedAssignment.__table__)
                                   .where(SubmittedAssignment.id == found)
                                   .values(timestamp=handed_in))
            return found
        if connection.scalar(select(Student.id).where(Student.id == student)) is None:
            connection.execute(insert(Student.__table__).values(id=student))
        made = str(_insert(connection, SubmittedAssignment, assignment_id=self.assignment,
                           student_id=student, timestamp=handed_in))
        for exercise, notebook_id in self.notebooks.items():
            notebook = _insert(connection, SubmittedNotebook, notebook_id=notebook_id,
                               assignment_id=made)
            for cell in self.graded[exercise].values():
                _insert(connection, Grade, cell_id=cell, notebook_id=notebook)
            for cell in self.commented[exercise].values():
                _insert(connection, Comment, cell_id=cell, notebook_id=notebook)
        return made

    def _penalize(self, outcome: Outcome) -> None:
        """What the course takes off for being late, by nbgrader's own step."""
        resources = {"nbgrader": {
            "notebook": outcome.job.exercise, "assignment": self.course.assignment,
            "student": outcome.job.student, "db_url": self.coursedir.db_url}}
        step = AssignLatePenalties(config=self.course.config, log=logging.getLogger("cs231n.grade"))
        step.preprocess(NotebookNode(cells=[]), resources)


def _insert(connection: Connection, table: Any, **values: Any) -> Any:
    done = connection.execute(insert(table.__table__).values(**values))
    assert done.inserted_primary_key is not None
    return done.inserted_primary_key[0]


def _put(connection: Connection, table: Any, found: Any, values: dict[str, Any], cell: str,
         notebook: Any) -> None:
    """Change a row, or make it where the assignment has a cell more than when it was made."""
    if found is None:
        _insert(connection, table, cell_id=cell, notebook_id=notebook, **values)
    else:
        connection.execute(update(table.__table__).where(table.id == found.id).values(**values))


def config_as_json(config: Any) -> str:
    """The sections of a course's nbgrader configuration, as far as they are plain data."""
    plain: dict[str, dict[str, Any]] = {}
    for section, values in config.items():
        for name, value in values.items():
            try:
                json.dumps(value)
            except TypeError:
                continue
            plain.setdefault(section, {})[name] = value
    plain.pop("CourseDirectory", None)  # where things lie is nothing that a worker should know
    return json.dumps(plain, sort_keys=True)
