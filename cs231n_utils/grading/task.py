"""One notebook's grading as a function from data to data, so that it can be done anywhere.

A :class:`Task` holds all that is needed: what was handed in, the course's part of the notebook, the
seed of the questions, settings. :func:`execute` restores, executes, judges, and gives an
:class:`Outcome`: the notebook and the marks, ready to be recorded. It needs this package and no
file of the course, and keeps in its process what is the same for everyone: networks, probes,
packed questions and the judges' references.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import resource
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
from nbgrader import utils as nbgrader_utils
from nbgrader.api import MissingEntry
from nbgrader.preprocessors import (
    AssignLatePenalties,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.preprocessors import Execute as NbgraderExecute
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from cs231n_utils.grading.examine import Examiner, GraderFaultError
from cs231n_utils.grading.execute import Execute
from cs231n_utils.grading.results import VERDICT_MIME, ExerciseResult, Status, read_verdict
from cs231n_utils.grading.sandbox import PACKAGE, SandboxMissingError
from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    cells_in_order,
    is_check,
    parse_notebook,
)

_MAX_LOG = 20_000


@dataclass(frozen=True)
class Job:
    """One notebook to grade."""

    student: str
    exercise: str


@dataclass(frozen=True)
class SourceCell:
    """A cell of the course's that the gradebook knows; ``max_score`` where it is graded."""

    name: str
    cell_type: str
    locked: bool
    source: str
    checksum: str
    max_score: float | None
    solution: bool
    task: bool


@dataclass(frozen=True)
class Source:
    """The course's part of one exercise's notebook.

    ``own`` are the sources of all its cells; ``texts`` the same from top to bottom, a cell's id in
    place of its source where it has one.
    """

    assignment: str
    exercise: str
    kernelspec: str
    cells: tuple[SourceCell, ...]
    own: frozenset[str]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What is the same for all tasks of a run. ``config``: nbgrader's sections, as JSON."""

    run: str
    config: str
    sanitize: tuple[str, ...]
    autograde: tuple[str, ...]
    hidden: tuple[str, ...]
    package: str


@dataclass(frozen=True)
class Task:
    """All that is needed to grade one notebook. ``seed``: of this exercise's questions."""

    job: Job
    submitted: bytes
    source: Source
    settings: Settings
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    ``marks`` are (cell, automatic score or None where a person has to mark), ``comments`` (cell,
    automatic comment), ``mistakes`` (sentence, points lost). ``notebook`` is compressed.
    """

    job: Job
    status: Status
    points: float | None = None
    max_points: float = 0.0
    reason: str = ""
    mistakes: tuple[tuple[str, float], ...] = ()
    marks: tuple[tuple[str, float | None], ...] = ()
    comments: tuple[tuple[str, str | None], ...] = ()
    wall_seconds: float = 0.0
    processor_seconds: float = 0.0
    log: str = ""
    notebook: bytes = b""

    def to_json(self) -> str:
        """All but the notebook and the log, which are kept apart."""
        return json.dumps(asdict(replace(self, notebook=b"", log="")) | {"notebook": "", "log": ""})

    @classmethod
    def from_json(cls, text: str, notebook: bytes = b"") -> Outcome:
        """What `to_json` gave, with its notebook."""
        data = json.loads(text)
        pairs = {name: tuple((key, value) for key, value in data[name])
                 for name in ("mistakes", "marks", "comments")}
        own = {"job": Job(**data["job"]), "status": Status(data["status"]), "notebook": notebook}
        return cls(**data | pairs | own)


def not_graded(job: Job, reason: str, log: str = "") -> Outcome:
    """The outcome where the grader could not decide: no mark, and a person has to look."""
    return Outcome(job, Status.NOT_GRADED, reason=reason, log=log)


@lru_cache(maxsize=1)
def package_digest() -> str:
    """Which version of the lab's code this process has: two that differ could mark differently."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + path.read_bytes())
    return digest.hexdigest()


class OtherPackageError(Exception):
    """A worker has another version of the lab installed than the coordinator."""


def execute(task: Task) -> Outcome:
    """Grade one notebook.

    Raises
    ------
    OtherPackageError
        If this process has another version of the lab than whoever made the task.
    """
    if task.settings.package != package_digest():
        raise OtherPackageError
    text = io.StringIO()
    log = logging.Logger("cs231n.task", logging.WARNING)
    log.addHandler(logging.StreamHandler(text))
    begin, spent = time.monotonic(), _processor_seconds()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = _graded(task, log)
    except (GraderFaultError, UnreadableNotebookError, SandboxMissingError) as error:
        outcome = not_graded(task.job, str(error))
    except Exception as error:
        log.error(traceback.format_exc())
        outcome = not_graded(task.job, f"the grader failed: {one_line(error)}")
    return replace(outcome, wall_seconds=time.monotonic() - begin,
                   processor_seconds=_processor_seconds() - spent, log=text.getvalue()[:_MAX_LOG])


def one_line(error: BaseException) -> str:
    """An exception's kind and the first line of what it says."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _processor_seconds() -> float:
    """Of this process and of children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _graded(task: Task, log: logging.Logger) -> Outcome:
    config = Config(json.loads(task.settings.config))
    resources = {
        "metadata": {}, "unique_key": task.job.exercise, "output_extension": ".ipynb",
        "nbgrader": {"notebook": task.job.exercise, "assignment": task.source.assignment,
                     "student": task.job.student, "db_url": ""},
    }
    nb = parse_notebook(task.submitted, f"{task.job.exercise}.ipynb")
    executor = _Execute(config=config, log=log)
    executor.task = task
    for step in _steps(task.settings.sanitize, task, config, log):
        nb, resources = step(nb, resources)
    nb = nbformat.from_dict(nb)  # cells that were put back are plain dicts
    nb, resources = executor(nb, resources)
    for step in _steps(task.settings.autograde, task, config, log):
        nb, resources = step(nb, resources)
    result = _result(nb, task.job.exercise)
    graded = [cell for cell in nb.cells if nbgrader_utils.is_grade(cell)]
    written = [cell for cell in nb.cells
               if nbgrader_utils.is_solution(cell) or nbgrader_utils.is_task(cell)]
    return Outcome(
        task.job, result.status, result.points, result.max_points,
        reason="; ".join(result.mistakes), mistakes=_mistakes(result),
        marks=tuple((_name(cell), nbgrader_utils.determine_grade(cell, log)[0])
                    for cell in graded),
        comments=tuple((_name(cell), _comment(cell)) for cell in written),
        notebook=zlib.compress(nbformat.writes(nb).encode(), 1),
    )


def _name(cell: Any) -> str:
    return str(cell.metadata.nbgrader["grade_id"])


def _comment(cell: Any) -> str | None:
    """As nbgrader's SaveAutoGrades words it."""
    untouched = cell.metadata.nbgrader.get("checksum") == nbgrader_utils.compute_checksum(cell)
    return "No response." if untouched and not nbgrader_utils.is_task(cell) else None


def _result(nb: Any, exercise: str) -> ExerciseResult:
    for cell in filter(is_check, cells_in_order(nb)):
        for output in cell.outputs:
            found = read_verdict(output.get("data", {}).get(VERDICT_MIME), exercise)
            if found is not None:
                return found
    raise GraderFaultError("the autograded notebook holds no verdict")


def _mistakes(result: ExerciseResult) -> tuple[tuple[str, float], ...]:
    failed = [(each.title, each.lost) for each in result.findings if each.passed is False]
    if not failed and result.status is not Status.PASSED:
        failed = [(result.mistakes[0], result.lost)]
    return tuple(failed)


# -- nbgrader's steps, where there is no gradebook -------------------------------------------


class _Execute(Execute):
    """The executor, with what it needs of the course handed over."""

    task: Task

    def own_cells(self, exercise: str) -> frozenset[str]:
        return self.task.source.own

    def course_folders(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.task.settings.hidden))

    def examiner(self) -> Examiner:
        run = self.task.settings.run
        return Examiner(lambda exercise: self.task.seed, run, import_module(self.exercises))

    def control(self) -> Execute:
        control = super().control()
        assert isinstance(control, _Execute)
        control.task = self.task
        return control


class _Book:
    """As much of a gradebook as nbgrader asks while it restores a notebook."""

    def __init__(self, source: Source) -> None:
        self.source_cells = source.cells
        self.grade_cells = [c for c in source.cells if c.max_score is not None and not c.task]
        self.solution_cells = [c for c in source.cells if c.solution]
        self.task_cells = [c for c in source.cells if c.task]

    @cached_property
    def _by_name(self) -> dict[str, SourceCell]:
        return {cell.name: cell for cell in self.source_cells}

    def find_notebook(self, *names: str) -> _Book:
        return self

    def find_source_cell(self, name: str, *names: str) -> SourceCell:
        if name not in self._by_name:
            raise MissingEntry(name)
        return self._by_name[name]

    find_graded_cell = find_source_cell


class _RestoreCells(OverwriteCells):  # type: ignore[misc]
    """nbgrader's OverwriteCells, from a task's source in place of the gradebook."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        self.notebook_id = resources["nbgrader"]["notebook"]
        self.assignment_id = resources["nbgrader"]["assignment"]
        nb, resources = NbGraderPreprocessor.preprocess(self, nb, resources)
        if self.add_missing_cells:
            nb, resources = self.add_missing_grade_cells(nb, resources)
            nb, resources = self.add_missing_task_cells(nb, resources)
        return nb, resources


_Step = Callable[[Any, Any], tuple[Any, Any]]


def _steps(names: tuple[str, ...], task: Task, config: Any, log: logging.Logger) -> Iterator[_Step]:
    """The steps that the course's configuration names, less those that execute or record."""
    for name in names:
        kind = import_item(name)
        if issubclass(kind, NbgraderExecute | SaveAutoGrades | AssignLatePenalties):
            continue
        if issubclass(kind, OverwriteKernelspec):
            yield lambda nb, resources: _with_kernelspec(nb, resources, task.source.kernelspec)
        elif issubclass(kind, OverwriteCells):
            step = _RestoreCells(config=config, log=log)
            step.gradebook = _Book(task.source)
            yield step
        else:
            yield kind(config=config, log=log)


def _with_kernelspec(nb: Any, resources: Any, kernelspec: str) -> tuple[Any, Any]:
    found = json.loads(kernelspec) if kernelspec else None
    if found:
        nb.metadata["kernelspec"] = found
    return nb, resources
