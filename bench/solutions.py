"""The functions of the solution notebooks, as plain functions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from cs231n_utils.exercises import EXERCISES

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions" / "network_visualization"


def solution(exercise: str) -> Callable[..., Any]:
    """The solved function, out of its notebook: the notebook's first cell and its own are run."""
    notebook = nbformat.read(SOLUTIONS / f"{exercise}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    name = EXERCISES[exercise]
    (own,) = (c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
    namespace: dict[str, Any] = {"__name__": exercise}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in (cells[0], own):
            exec(compile(cell.source, f"{exercise}.ipynb", "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function
