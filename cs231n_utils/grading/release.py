"""From the solutions to what students get: clear, release, and tell what is stale.

`solutions/` is the single source. `assignments/` is generated from it, by nbgrader's own converter
with the course's own `nbgrader_config.py`, so `nbgrader generate_assignment` and `release` write
the same files.
"""

import copy
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearSolutions
from nbgrader.utils import is_solution
from traitlets import Unicode
from traitlets.config import Config, PyFileConfigLoader

ASSIGNMENT = "network_visualization"
CONFIG = "nbgrader_config.py"


class ReleaseError(Exception):
    """The solutions could not be turned into a release; the message says which cell and why."""


class ClearFramedSolutions(ClearSolutions):  # type: ignore[misc]
    """nbgrader's ClearSolutions, which keeps the frame around what the student writes.

    Between the two frame lines comes `code_stub`, with `{name}` standing for the cell's grade_id,
    the name of the function. Markdown solutions are replaced whole, as nbgrader does it. A code
    solution without a frame is refused: the stub would take the given part away with it.
    """

    begin_solution_delimeter = Unicode("START OF YOUR CODE", help="in the frame's first line").tag(
        config=True
    )
    end_solution_delimeter = Unicode("END OF YOUR CODE", help="in the frame's last line").tag(
        config=True
    )

    def _replace_solution_region(self, cell: NotebookNode, language: str) -> bool:
        if cell.cell_type != "code":
            return False
        source, found = self._cleared(cell, language)
        if is_solution(cell) and not found:
            raise ReleaseError(
                f"solution cell {self._name(cell)!r} has no line with "
                f"{self.begin_solution_delimeter!r}; frame what the student is to write"
            )
        cell.source = source
        return found

    def _cleared(self, cell: NotebookNode, language: str) -> tuple[str, bool]:
        kept: list[str] = []
        inside = found = False
        for line in cell.source.split("\n"):
            begins = self.begin_solution_delimeter in line
            ends = self.end_solution_delimeter in line
            if (begins and inside) or (ends and not inside):
                raise ReleaseError(
                    f"cell {self._name(cell)!r}: the frame lines do not pair up at {line.strip()!r}"
                )
            if begins or ends or not inside:
                kept.append(line)
            if begins:
                kept += self._stub(cell, language, indent=line[: len(line) - len(line.lstrip())])
                found = True
            inside = begins or (inside and not ends)
        if inside:
            raise ReleaseError(
                f"cell {self._name(cell)!r}: no line with {self.end_solution_delimeter!r}"
            )
        return "\n".join(kept), found

    def _stub(self, cell: NotebookNode, language: str, indent: str) -> list[str]:
        stub = self.code_stub[language].format(name=self._name(cell))
        return [indent + line for line in stub.split("\n")]

    @staticmethod
    def _name(cell: NotebookNode) -> str:
        return str(cell.metadata.get("nbgrader", {}).get("grade_id", "without nbgrader metadata"))


@dataclass(frozen=True)
class Release:
    """What a release changed, or would change: file names below the release directory."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the released files differed from what the solutions give."""
        return bool(self.written or self.removed)

    def __str__(self) -> str:
        lines = [f"changed: {name}" for name in self.written]
        lines += [f"removed: {name}" for name in self.removed]
        return "\n".join(lines) or "up to date"


def release(
    course_root: Path | str,
    check: bool = False,
    *,
    assignment: str = ASSIGNMENT,
    gradebook: bool = True,
) -> Release:
    """Generate the students' notebooks from the solutions.

    Args:
        course_root: the folder of `nbgrader_config.py`.
        check: change nothing, neither files nor gradebook; only tell what is stale.
        assignment: the name of the assignment.
        gradebook: record the notebooks in the course's gradebook, as grading needs it.

    Returns:
        what changed, or would change. Files that are up to date are left untouched.

    Raises:
        ReleaseError: a solution can't be cleared, or nbgrader refused it; the old release is kept.
    """
    root = Path(course_root).resolve()
    config = course_config(root)
    target = root / CourseDirectory(config=config).release_directory / assignment
    with tempfile.TemporaryDirectory() as fresh:
        generate(config, assignment, Path(fresh), gradebook=gradebook and not check)
        new, old = _files(Path(fresh) / assignment), _files(target)
        written = tuple(name for name in new if old.get(name) != new[name])
        removed = tuple(name for name in old if name not in new)
        if not check:
            for name in written:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(new[name])
            for name in removed:
                (target / name).unlink()
    return Release(written, removed)


def generate(config: Config, assignment: str, destination: Path, gradebook: bool = False) -> None:
    """Write the release of an assignment below `destination` with nbgrader's own converter.

    Raises:
        ReleaseError: nbgrader refused a notebook; the message says why.
    """
    config = copy.deepcopy(config)
    config.CourseDirectory.release_directory = str(destination)
    config.CourseDirectory.assignment_id = assignment
    config.GenerateAssignment.no_database = not gradebook
    config.SaveCells.enabled = gradebook
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    with _errors_of(converter.log) as errors:
        try:
            converter.start()
        except Exception as error:  # nbgrader wraps whatever a preprocessor raised into its own
            raise ReleaseError("\n".join(errors) or str(error)) from error


def course_config(course_root: Path) -> Config:
    """Read a course's `nbgrader_config.py`, as nbgrader's commands would from that folder.

    Raises:
        ReleaseError: there is none.
    """
    if not (course_root / CONFIG).is_file():
        raise ReleaseError(f"expected a course with an {CONFIG} in {course_root}, found none")
    config: Config = PyFileConfigLoader(CONFIG, path=str(course_root)).load_config()
    config.CourseDirectory.root = str(course_root)
    return config


def _files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative name; of the editors' own folders none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }


@contextmanager
def _errors_of(log: logging.Logger) -> Iterator[list[str]]:
    """Collect what nbgrader logs as an error: its exceptions only say "see the traceback above"."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        yield errors
    finally:
        log.removeHandler(handler)
