"""Notebooks checked without Jupyter, in a process of their own."""

from __future__ import annotations

import nbformat
import pytest
from fake_course import cell, fake_notebook
from nbformat.v4 import new_code_cell, new_notebook

from cs231n_utils.grading import standalone
from cs231n_utils.grading.course import UserError
from cs231n_utils.grading.results import Status
from cs231n_utils.grading.sample_class import SALIENCY
from cs231n_utils.grading.standalone import cells_up_to_function, check_notebook, notebooks_in

FUNCTION = "compute_saliency_maps"


def write(path, *sources: str):
    """A notebook whose last cell is the student's, the others the course's."""
    cells = [new_code_cell(source) for source in sources[:-1]]
    cells.append(cell(sources[-1], grade=False, solution=True, locked=False, grade_id=FUNCTION))
    nbformat.write(new_notebook(cells=cells), path)
    return path


def function_of(body: str) -> str:
    import textwrap

    lines = textwrap.indent(textwrap.dedent(body), "    ")
    return f"def {FUNCTION}(X, y, model):\n    model.eval()\n{lines}\n    return saliency"


@pytest.fixture
def submission(tmp_path):
    return tmp_path / "saliency_maps.ipynb"


def test_a_right_function_passes_the_real_check(submission):
    write(submission, "%matplotlib inline\nimport torch", "print('noise')",
          function_of(SALIENCY["one image at a time"]))
    result = check_notebook(submission, "saliency_maps")
    assert result.status is Status.PASSED, result
    assert result.points == 10


def test_a_wrong_function_gets_findings(submission):
    write(submission, "import torch", function_of(SALIENCY["mean over channels"]))
    result = check_notebook(submission, "saliency_maps")
    assert result.status is Status.FAILED
    assert any(finding.passed is False for finding in result.findings)


@pytest.mark.parametrize(("sources", "status", "words"), [
    (["1 +"], Status.FAILED, "SyntaxError"),
    (["x = 1"], Status.FAILED, "does not define compute_saliency_maps"),
    (["import os; os._exit(0)"], Status.CRASHED, "ended"),
    (["import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], Status.CRASHED, "ended"),
    (["while True: pass"], Status.TIMED_OUT, "5 seconds"),
], ids=["syntax error", "no function", "exit", "signal", "endless"])
def test_a_notebook_that_does_not_get_to_the_check(sources, status, words, submission):
    write(submission, *sources)
    seconds = 5 if status is Status.TIMED_OUT else 60
    result = check_notebook(submission, "saliency_maps", seconds)
    assert result.status is status
    assert words in result.reason
    assert result.points == 0


def test_a_fault_of_the_checker_is_no_mark():
    result = standalone._from_answer({"fault": "the check itself failed"}, "saliency_maps")
    assert (result.status, result.points) == (Status.NOT_GRADED, None)


def test_demonstrations_checks_and_what_follows_are_left_out():
    sources = cells_up_to_function(fake_notebook("saliency_maps"), FUNCTION)
    assert len(sources) == 2
    assert sources[-1].startswith(f"def {FUNCTION}")


def test_a_second_definition_further_down_is_the_one_that_counts():
    notebook = fake_notebook("saliency_maps")
    notebook.cells.append(new_code_cell(f"def {FUNCTION}(): return 1"))
    assert cells_up_to_function(notebook, FUNCTION)[-1].endswith("return 1")


def test_notebooks_are_found_by_name_and_by_content(tmp_path):
    nbformat.write(fake_notebook("fooling_images"), tmp_path / "my homework.ipynb")
    nbformat.write(fake_notebook("saliency_maps"), tmp_path / "Saliency-maps (1).ipynb")
    (tmp_path / "notes.ipynb").write_text("{}")
    found = notebooks_in([tmp_path])
    assert {name: path.name for name, path in found.items()} == {
        "saliency_maps": "Saliency-maps (1).ipynb", "fooling_images": "my homework.ipynb"}


def test_two_notebooks_for_one_exercise_are_a_question(tmp_path):
    for name in ("saliency_maps.ipynb", "saliency_maps old.ipynb"):
        nbformat.write(fake_notebook("saliency_maps"), tmp_path / name)
    with pytest.raises(UserError, match="both answer"):
        notebooks_in([tmp_path])


def test_nothing_to_check_says_what_was_expected(tmp_path):
    with pytest.raises(UserError, match=r"expected saliency_maps\.ipynb"):
        notebooks_in([tmp_path])
    with pytest.raises(UserError, match="There is no"):
        notebooks_in([tmp_path / "nowhere"])
