"""One submitted notebook, read as data: nothing in it runs here."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from cs231n_utils.grading.course import FUNCTIONS

# A solved notebook with all its pictures takes about 3 MB. What is larger than this is not
# one of ours, and parsing it would only cost memory.
MAX_BYTES = 50_000_000
DEMO_TAG = "demo"


class UnreadableNotebookError(Exception):
    """The file isn't a Jupyter notebook that could be read; the message says why."""


def read_notebook(path: Path) -> Any:
    """The notebook in this file, converted to nbformat 4.

    Raises
    ------
    UnreadableNotebookError
        If the file is missing, too large, not JSON, or not a notebook.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnreadableNotebookError(
                f"{path.name} has {size / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB that "
                "a notebook may have. Clear its outputs and save it again."
            )
        return parse_notebook(path.read_bytes(), path.name)
    except OSError as error:
        raise UnreadableNotebookError(f"{path.name} can't be read: {error.strerror}.") from error


def parse_notebook(raw: bytes, name: str) -> Any:
    """The notebook in these bytes; ``name`` is for the error message.

    Raises
    ------
    UnreadableNotebookError
        If the bytes are not JSON or not a notebook.
    """
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebookError(
            f"{name} is not a readable notebook (broken JSON: {error}). A damaged upload, or a "
            "file saved half. Save it again in Jupyter."
        ) from error
    if not isinstance(data, dict) or ("cells" not in data and "worksheets" not in data):
        raise UnreadableNotebookError(f"{name} is JSON, but not a notebook: it has no cells.")
    try:
        notebook = nbformat.reads(json.dumps(data), as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises what its validators happen to raise
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableNotebookError(f"{name} is not a valid notebook: {first_line}") from error
    return notebook


def cells_in_order(notebook: Any) -> Iterator[Any]:
    """The notebook's code cells from top to bottom."""
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def grade_id(cell: Any) -> str:
    """nbgrader's name of this cell, or "" where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_check(cell: Any) -> bool:
    """Is this a cell from whose output nbgrader reads points?"""
    marks = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(marks.get("grade")) and not marks.get("solution")


def is_demo(cell: Any) -> bool:
    """May grading leave this cell out? Only cells that are neither written nor graded."""
    marks = cell.metadata.get("nbgrader", {})
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
