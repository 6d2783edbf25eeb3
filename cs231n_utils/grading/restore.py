"""What a submitted notebook goes through before anything else: read as data, marks put in order.

nbgrader knows its cells by the ids in their metadata, and takes a cell's own word for its points.
Ids get lost (Colab, other editors, a cell copied or split) and can be edited. Here each of the
course's cells is looked up by its id, or else by what it says, and gets the metadata that the
gradebook has for it; a mark that is claimed for any other cell is dropped. nbgrader's own
``OverwriteCells`` then restores what locked cells say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    defines,
    grade_id,
    read_notebook,
)


class DataExporter(NotebookExporter):  # type: ignore[misc]
    """Reads notebooks within bounds: what nbgrader converts has been looked at first."""

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """Convert a notebook's file.

        Raises
        ------
        UnreadableNotebookError
            If it is a link, too large, nested too deep, or no notebook.
        """
        read_notebook(Path(filename), follow=False)
        converted: tuple[Any, Any] = super().from_filename(filename, resources, **kw)
        return converted

    def from_file(self, file_stream: Any, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """Convert the notebook of an opened file, in its bounds."""
        notebook = read_notebook(Path(file_stream.name))
        converted: tuple[Any, Any] = self.from_notebook_node(notebook, resources, **kw)
        return converted


@dataclass(frozen=True)
class Own:
    """One of the course's cells that nbgrader knows, as the gradebook has it."""

    name: str
    kind: str
    source: str
    metadata: dict[str, Any]

    @property
    def graded(self) -> bool:
        return bool(self.metadata["grade"] or self.metadata["task"])

    def is_said_by(self, cell: Any) -> bool:
        """Does a cell without an id say what this one does: define it, or the same code?"""
        if cell.cell_type != "code" or self.kind != "code":
            return False
        if self.metadata["solution"]:
            named = re.search(rf"^\s*def\s+{re.escape(self.name)}\b", cell.source, re.MULTILINE)
            return defines(cell, self.name) or bool(named)
        return _plain(cell.source) == _plain(self.source)

    def cell(self, nb: Any) -> NotebookNode:
        """The cell as it was handed out, for a notebook of this format."""
        made = (new_code_cell if self.kind == "code" else new_markdown_cell)(self.source)
        if (nb.nbformat, nb.nbformat_minor) < (4, 5):
            del made["id"]
        return made


class RestoreMarks(NbGraderPreprocessor):  # type: ignore[misc]
    """Give each of the course's cells its metadata, and no other cell any."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Put a notebook's marks in order, in place."""
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            own = own_cells(gradebook.find_notebook(about["notebook"], about["assignment"]))
        restore_marks(nb, own, self._texts(about["notebook"]))
        return nb, resources

    def _texts(self, notebook: str) -> list[str]:
        """All cells' sources of the course's own notebook; none where it isn't at hand."""
        above = self.parent
        while above is not None and not hasattr(above, "coursedir"):
            above = above.parent
        if above is None:
            return []
        course = above.coursedir
        folder = course.format_path(course.source_directory, ".", course.assignment_id)
        try:
            cells = read_notebook(Path(folder, f"{notebook}.ipynb")).cells
        except UnreadableNotebookError:
            return []
        return [grade_id(cell) or cell.source.strip() for cell in cells]


def restore_marks(nb: Any, own: list[Own], texts: list[str]) -> None:
    """Put a notebook's marks in order, in place.

    Parameters
    ----------
    own : the course's cells that nbgrader knows, from top to bottom.
    texts : of each cell of the course's notebook what it says, or its id where it has one.
    """
    claimed = {id(cell): _claim(cell) for cell in nb.cells}
    places: dict[str, Any] = {}
    for each in own:
        by_id = [cell for cell in nb.cells if claimed[id(cell)] == each.name]
        free = [cell for cell in nb.cells if not claimed[id(cell)]]
        found = (by_id or [cell for cell in free if each.is_said_by(cell)]
                 or _after(each, texts, nb.cells, free))
        if found:
            places[each.name] = found[-1]
    for cell in nb.cells:
        cell.metadata.pop("nbgrader", None)
    for number, each in enumerate(own):
        if each.name not in places and each.graded:
            before = next((places[o.name] for o in reversed(own[:number]) if o.name in places),
                          None) if each.kind == "code" else None
            places[each.name] = each.cell(nb)
            nb.cells.insert(_place(nb.cells, before), places[each.name])
        if each.name in places:
            places[each.name].metadata["nbgrader"] = NotebookNode(each.metadata)


def own_cells(notebook: Any) -> list[Own]:
    """The cells of a notebook in the gradebook, from top to bottom."""
    return list(_own(notebook))


def _own(notebook: Any) -> Iterator[Own]:
    points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    tasks = {cell.name: float(cell.max_score) for cell in notebook.task_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    for cell in notebook.source_cells:
        metadata = {"schema_version": 3, "grade_id": cell.name, "grade": cell.name in points,
                    "solution": cell.name in solutions, "task": cell.name in tasks,
                    "locked": bool(cell.locked), "cell_type": cell.cell_type}
        if cell.name in points or cell.name in tasks:
            metadata["points"] = (points | tasks)[cell.name]
        yield Own(cell.name, cell.cell_type, cell.source, metadata)


def _claim(cell: Any) -> str:
    """The id that a cell says it has, whatever stands there instead of one."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else ""


def _after(each: Own, texts: list[str], cells: list[Any], free: list[Any]) -> list[Any]:
    """The student's first text below what stands above this cell in the course's notebook."""
    if each.kind != "markdown" or each.name not in texts[1:]:
        return []
    above = texts[texts.index(each.name) - 1]
    found = [index for index, cell in enumerate(cells) if cell.source.strip() == above]
    for cell in cells[found[-1] + 1:] if found else []:
        if cell.cell_type == "markdown":
            own = cell.source.strip() in texts or not any(cell is each for each in free)
            return [] if own else [cell]
    return []


def _place(cells: list[Any], before: Any) -> int:
    """Where a missing cell goes: behind that one, or to the end."""
    for index, cell in enumerate(cells):
        if cell is before:
            return index + 1
    return len(cells)


def _plain(source: str) -> str:
    """Code without what doesn't matter: spaces, comments, kinds of quotes."""
    try:
        return ast.dump(ast.parse(source))
    except Exception:  # a source can be made to break a parser in many ways
        return "".join(source.split())
