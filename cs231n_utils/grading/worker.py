"""What a worker does with a task: restore, execute, judge, and read the marks off.

nbgrader's own steps do it, those that the course's configuration names; the ones that would ask the
gradebook get what a task brings along. What is the same for everyone stays in the process:
networks, probes, packed questions and the judges' references.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
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
from cs231n_utils.grading.restore import RestoreMarks, own_cells, restore_marks
from cs231n_utils.grading.results import VERDICT_MIME, ExerciseResult, read_verdict
from cs231n_utils.grading.submission import cells_in_order, is_check, parse_notebook
from cs231n_utils.grading.task import Outcome, Source, SourceCell, Task, mistakes_of


def graded(task: Task, log: logging.Logger) -> Outcome:
    """Restore, execute and judge a notebook.

    Raises
    ------
    UnreadableNotebookError
        If what was handed in is no notebook.
    GraderFaultError
        If the grader could not decide.
    SandboxMissingError
        If there is no sandbox on this machine.
    """
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
        reason="; ".join(result.mistakes), mistakes=mistakes_of(result),
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
        if issubclass(kind, RestoreMarks):
            yield lambda nb, resources: _with_marks(nb, resources, task.source)
        elif issubclass(kind, OverwriteKernelspec):
            yield lambda nb, resources: _with_kernelspec(nb, resources, task.source.kernelspec)
        elif issubclass(kind, OverwriteCells):
            step = _RestoreCells(config=config, log=log)
            step.gradebook = _Book(task.source)
            yield step
        else:
            yield kind(config=config, log=log)


def _with_marks(nb: Any, resources: Any, source: Source) -> tuple[Any, Any]:
    restore_marks(nb, own_cells(_Book(source)), list(source.texts))
    return nb, resources


def _with_kernelspec(nb: Any, resources: Any, kernelspec: str) -> tuple[Any, Any]:
    found = json.loads(kernelspec) if kernelspec else None
    if found:
        nb.metadata["kernelspec"] = found
    return nb, resources
