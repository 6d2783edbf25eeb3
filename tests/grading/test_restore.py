"""The released notebooks after what editors and hands do to them: every mark finds its cell."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest

from cs231n_utils.grading.course import FUNCTIONS
from cs231n_utils.grading.restore import Own, restore_marks
from cs231n_utils.grading.submission import (
    MAX_CELLS,
    MAX_DEPTH,
    UnreadableNotebookError,
    grade_id,
    parse_notebook,
    read_notebook,
)

RELEASED = Path(__file__).resolve().parents[2] / "assignments" / "network_visualization"
ANSWER = "Because the network looks at the corner."


def own_of(notebook) -> list[Own]:
    return [Own(grade_id(cell), cell.cell_type, cell.source,
                {**cell.metadata["nbgrader"], "cell_type": cell.cell_type})
            for cell in notebook.cells if grade_id(cell)]


def texts_of(notebook) -> list[str]:
    return [grade_id(cell) or cell.source.strip() for cell in notebook.cells]


def solved(exercise):
    """The released notebook with a function and an answer written into it."""
    notebook = read_notebook(RELEASED / f"{exercise}.ipynb")
    for cell in notebook.cells:
        if grade_id(cell) == FUNCTIONS[exercise]:
            cell.source = cell.source.replace("raise NotImplementedError", "pass  #")
        if grade_id(cell).endswith("_question"):
            cell.source = ANSWER
    return notebook


def bare(notebook):
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata.clear()


def foreign_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode({"vscode": {"languageId": "python"}})


def wrong_types(notebook):
    for cell in notebook.cells:
        cell.metadata["nbgrader"] = ["no", "ids"]


def reformatted(notebook):
    """Without ids, and a formatter has gone over the check."""
    bare(notebook)
    for cell in notebook.cells:
        if cell.source.startswith("check("):
            cell.source = cell.source.replace('"', "'").replace(", ", ",  ") + "  # run me"


def cells_between(notebook):
    bare(notebook)
    for place in range(len(notebook.cells), 0, -1):
        notebook.cells.insert(place, nbformat.v4.new_code_cell("mine = 1"))
        del notebook.cells[place]["id"]


def flags_flipped(notebook):
    for cell in notebook.cells:
        if grade_id(cell):
            marks = cell.metadata["nbgrader"]
            marks |= {"grade": not marks["grade"], "solution": not marks["solution"],
                      "points": "many", "locked": not marks["locked"]}


def untouched(notebook):
    pass


def syntax_error(notebook):
    bare(notebook)
    for cell in notebook.cells:
        if "def " + FUNCTIONS["saliency_maps"] in cell.source:
            cell.source += "\n    broken = ("


EDITED = [untouched, bare, foreign_metadata, wrong_types, reformatted, cells_between,
          flags_flipped, syntax_error]


@pytest.mark.parametrize("exercise", FUNCTIONS)
@pytest.mark.parametrize("edit", EDITED, ids=lambda edit: edit.__name__)
def test_every_mark_finds_its_cell(edit, exercise):
    released, notebook = read_notebook(RELEASED / f"{exercise}.ipynb"), solved(exercise)
    edit(notebook)
    before = len(notebook.cells)
    restore_marks(notebook, own_of(released), texts_of(released))
    assert len(notebook.cells) == before
    named = {grade_id(cell): cell for cell in notebook.cells if grade_id(cell)}
    assert list(named) == [each.name for each in own_of(released)]
    for each in own_of(released):
        assert named[each.name].metadata["nbgrader"] == each.metadata
        assert named[each.name].cell_type == each.kind
    assert f"def {FUNCTIONS[exercise]}" in named[FUNCTIONS[exercise]].source
    assert named[exercise].source.startswith("check(")
    assert named[f"{exercise}_question"].source == ANSWER
    nbformat.validate(notebook)


@pytest.mark.parametrize("minor", [0, 5])
def test_what_is_gone_is_put_back_where_it_belongs(minor):
    released = read_notebook(RELEASED / "saliency_maps.ipynb")
    notebook = solved("saliency_maps")
    if minor == 0:
        bare(notebook)
    notebook.cells = [cell for cell in notebook.cells
                      if not cell.source.startswith("check(") and cell.source != ANSWER]
    restore_marks(notebook, own_of(released), texts_of(released))
    names = [grade_id(cell) for cell in notebook.cells]
    place = names.index("compute_saliency_maps")
    assert names[place + 1] == "saliency_maps"
    assert names[-1] == "saliency_maps_question"
    assert notebook.cells[place + 1].source == 'check("saliency_maps", compute_saliency_maps)'
    nbformat.validate(notebook)


def test_a_notebook_without_the_function_still_has_its_check():
    released = read_notebook(RELEASED / "saliency_maps.ipynb")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("nothing = 0")])
    restore_marks(notebook, own_of(released), texts_of(released))
    assert [grade_id(cell) for cell in notebook.cells] == [
        "", "saliency_maps", "saliency_maps_question"]


def test_of_two_cells_with_one_id_the_last_counts_and_no_other_has_a_mark():
    released, notebook = read_notebook(RELEASED / "saliency_maps.ipynb"), solved("saliency_maps")
    for cell in list(notebook.cells):
        if grade_id(cell):
            notebook.cells.insert(0, copy.deepcopy(cell))
    notebook.cells.insert(0, copy.deepcopy(notebook.cells[0]))
    notebook.cells[0].metadata["nbgrader"]["grade_id"] = "a_check_of_my_own"
    restore_marks(notebook, own_of(released), texts_of(released))
    assert [grade_id(cell) for cell in notebook.cells[:4]] == ["", "", "", ""]
    assert sum(bool(grade_id(cell)) for cell in notebook.cells) == len(own_of(released))


def nested(levels):
    return '{"cells": [], "metadata": {"x": ' + "[" * levels + "]" * levels + "}}"


MANY = json.dumps({"cells": [{"cell_type": "raw", "metadata": {}, "source": ""}] * (MAX_CELLS + 1),
                   "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


@pytest.mark.parametrize(("raw", "said"), [
    (nested(MAX_DEPTH + 1), "nested"),
    (nested(100_000), "broken JSON"),
    (MANY, "cells"),
    ('{"cells": [' + "0," * 3_100_000 + "0]}", "values"),
    ('{"cells": [1]}', "not a valid notebook"),
], ids=["deep", "very deep", "many cells", "many values", "no cells"])
def test_what_no_notebook_is_gets_refused(raw, said):
    with pytest.raises(UnreadableNotebookError, match=said):
        parse_notebook(raw.encode(), "saliency_maps.ipynb")


def test_half_a_character_costs_no_more_than_itself():
    raw = (RELEASED / "saliency_maps.ipynb").read_text().replace("# Saliency", "# \\ud83d", 1)
    notebook = parse_notebook(raw.encode(), "saliency_maps.ipynb")
    nbformat.writes(notebook).encode()
    assert notebook.cells[0].source.startswith("# ?")


def test_a_link_is_no_submission(tmp_path):
    (tmp_path / "link.ipynb").symlink_to(RELEASED / "saliency_maps.ipynb")
    with pytest.raises(UnreadableNotebookError, match="link"):
        read_notebook(tmp_path / "link.ipynb", follow=False)
