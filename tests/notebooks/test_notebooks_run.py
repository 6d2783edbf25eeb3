"""Every notebook runs top to bottom in a fresh kernel, solved and unsolved.

What is decoration (tag "demo") is left out: nbval runs it, and grading skips it as well.
"""

import copy

import pytest
from nbformat.notebooknode import NotebookNode
from notebook_gate import ASSIGNMENTS, NOTEBOOKS, SOLUTIONS, cell, load, run_problems

from cs231n_utils.grading.solutions import executed


def without_demos(notebook: NotebookNode) -> NotebookNode:
    notebook = copy.deepcopy(notebook)
    notebook.cells = [c for c in notebook.cells if "demo" not in c.metadata.get("tags", [])]
    return notebook


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_solution_earns_full_marks(name: str) -> None:
    solved = executed(without_demos(load(name).solution), SOLUTIONS)
    assert run_problems(solved, name, points="10", unwritten=0) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_untouched_assignment_runs_to_its_end_says_what_to_do_and_earns_nothing(name: str) -> None:
    untouched = executed(load(name).assignment, ASSIGNMENTS)
    assert run_problems(untouched, name, points="0", unwritten=2) == []
    said = cell(untouched, name).outputs[-1].data["text/html"]
    assert "not written yet" in said
