"""One submitted notebook, read as data: nothing in it runs here."""

from __future__ import annotations

import ast
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from cs231n_utils.grading.course import FUNCTIONS

# A solved notebook with all its pictures takes about 3 MB. What is larger than this is not
# one of ours, and parsing it would only cost memory.
MAX_BYTES = 50_000_000
MAX_VALUES, MAX_DEPTH, MAX_CELLS = 3_000_000, 50, 2_000
"""What it may be made of: an empty list of 2 bytes takes 56 in memory, and validation far more."""

DEMO_TAG = "demo"


class UnreadableNotebookError(Exception):
    """The file isn't a Jupyter notebook that could be read; the message says why."""


def read_notebook(path: Path, follow: bool = True) -> Any:
    """The notebook in this file, converted to nbformat 4; ``follow`` says whether it may be a link.

    Raises
    ------
    UnreadableNotebookError
        If the file is missing, no plain file, too large, not JSON, or not a notebook.
    """
    try:
        return parse_notebook(read_bytes(path, follow), path.name)
    except OSError as error:
        raise UnreadableNotebookError(f"{path.name} can't be read: {error.strerror}.") from error


def read_bytes(path: Path, follow: bool) -> bytes:
    """A file's bytes, without waiting for a pipe or reading a device without end.

    Raises
    ------
    UnreadableNotebookError
        If it is no plain file, or too large.
    """
    if path.is_symlink() and not follow:
        raise UnreadableNotebookError(f"{path.name} is a link. Hand in the notebook itself.")
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableNotebookError(f"{path.name} is no plain file.")
        if found.st_size > MAX_BYTES:
            raise UnreadableNotebookError(
                f"{path.name} has {found.st_size / 1e6:.0f} MB, more than the "
                f"{MAX_BYTES / 1e6:.0f} MB that a notebook may have. Clear its outputs and save it "
                "again."
            )
        return file.read(MAX_BYTES)


def parse_notebook(raw: bytes, name: str) -> Any:
    """The notebook in these bytes; ``name`` is for the error message.

    Raises
    ------
    UnreadableNotebookError
        If the bytes are not JSON, not a notebook, or more than a notebook can be.
    """
    if sum(map(raw.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise UnreadableNotebookError(f"{name} holds more than {MAX_VALUES:,} values. Clear its "
                                      "outputs and save it again.")
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebookError(
            f"{name} is not a readable notebook (broken JSON: {error}). A damaged upload, or a "
            "file saved half. Save it again in Jupyter."
        ) from error
    if not isinstance(data, dict) or ("cells" not in data and "worksheets" not in data):
        raise UnreadableNotebookError(f"{name} is JSON, but not a notebook: it has no cells.")
    if _is_deep(data):
        raise UnreadableNotebookError(f"{name} is nested more than {MAX_DEPTH} levels deep, which "
                                      "no notebook is.")
    cells = data.get("cells")
    if isinstance(cells, list) and len(cells) > MAX_CELLS:
        raise UnreadableNotebookError(f"{name} has {len(cells):,} cells; at most {MAX_CELLS:,} can "
                                      "be graded.")
    try:
        text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")  # half characters
        notebook = nbformat.reads(text.decode(), as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises what its validators happen to raise
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableNotebookError(
            f"{name} is not a valid notebook: {first_line[:300]}") from error
    return notebook


def _is_deep(data: Any) -> bool:
    """Does JSON nest deeper than a notebook does?"""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [value for each in level if isinstance(each, dict | list)
                 for value in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)


def cells_in_order(notebook: Any) -> Iterator[Any]:
    """The notebook's code cells from top to bottom."""
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def grade_id(cell: Any) -> str:
    """nbgrader's name of this cell, or "" where it has none."""
    return str(_marks(cell).get("grade_id", ""))


def _marks(cell: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell; none where something else stands in its place."""
    marks = cell.metadata.get("nbgrader")
    return marks if isinstance(marks, dict) else {}


def is_check(cell: Any) -> bool:
    """Is this a cell from whose output nbgrader reads points?"""
    marks = _marks(cell)
    return cell.cell_type == "code" and bool(marks.get("grade")) and not marks.get("solution")


def is_demo(cell: Any) -> bool:
    """May grading leave this cell out? Only cells that are neither written nor graded."""
    marks = _marks(cell)
    needed = marks.get("grade") or marks.get("solution")
    return DEMO_TAG in cell.metadata.get("tags", []) and not needed


def defines(cell: Any, function: str) -> bool:
    """Does this cell define the function at its top level? False where it does not parse."""
    try:
        body = ast.parse(_without_magics(cell.source)).body
    except Exception:  # a source can be made to break a parser in many ways
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in body)


def exercise_of(path: Path) -> str | None:
    """The exercise that a notebook answers, by its file name or else by what it defines.

    ``saliency_maps.ipynb`` is one, and so are ``saliency_maps (2).ipynb`` and
    ``my saliency.ipynb`` with a cell that defines ``compute_saliency_maps``.
    """
    stem = path.stem.lower().replace("-", "_").replace(" ", "_")
    for exercise in FUNCTIONS:
        if stem == exercise or stem.startswith(exercise):
            return exercise
    try:
        notebook = read_notebook(path)
    except UnreadableNotebookError:
        return None
    for exercise, function in FUNCTIONS.items():
        if any(grade_id(cell) == exercise or defines(cell, function)
               for cell in cells_in_order(notebook)):
            return exercise
    return None


def _without_magics(source: str) -> str:
    """The source as plain Python: IPython's magics and shell lines turned into calls."""
    from IPython.core.inputtransformer2 import TransformerManager

    return str(TransformerManager().transform_cell(source))
