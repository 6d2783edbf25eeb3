"""One notebook's grading as a function from data to data, so that it can be done anywhere.

A :class:`Task` holds all that is needed: what was handed in, the course's part of the notebook, the
seed of the questions, settings. :func:`execute` restores, executes, judges, and gives an
:class:`Outcome`: the notebook and the marks, ready to be recorded. It needs this package and no
file of the course; how it does it is worker.py.
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
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

from cs231n_utils.grading.examine import GraderFaultError
from cs231n_utils.grading.results import ExerciseResult, Status, priced_mistakes
from cs231n_utils.grading.sandbox import PACKAGE, SandboxMissingError
from cs231n_utils.grading.submission import UnreadableNotebookError

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


def mistakes_of(result: ExerciseResult) -> tuple[tuple[str, float], ...]:
    """What an outcome keeps of a result's mistakes: (sentence, points lost), as reports have it."""
    return tuple((sentence, lost) for sentence, lost, _ in priced_mistakes(result))


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
    from cs231n_utils.grading.worker import graded  # PyTorch: nothing for a coordinator

    text = io.StringIO()
    log = logging.Logger("cs231n.task", logging.WARNING)
    log.addHandler(logging.StreamHandler(text))
    begin, spent = time.monotonic(), _processor_seconds()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = graded(task, log)
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
