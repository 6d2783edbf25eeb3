"""The made-up class: enough of it, and right code in the right places."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from fake_course import fake_notebook

from cs231n_utils.grading.course import FUNCTIONS, UserError, open_course
from cs231n_utils.grading.sample_class import (
    FOOLING,
    SALIENCY,
    SAMPLE_CLASS,
    VISUALIZATION,
    fill_frame,
    solution_cell,
    write_sample_class,
)
from cs231n_utils.grading.submission import is_check, read_notebook

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {"saliency_maps": SALIENCY, "fooling_images": FOOLING,
           "class_visualization": VISUALIZATION}


def test_the_class_is_large_and_varied():
    assert len(SAMPLE_CLASS) >= 15
    assert len({sample.student for sample in SAMPLE_CLASS}) == len(SAMPLE_CLASS)
    about = " ".join(sample.about for sample in SAMPLE_CLASS)
    assert all(word in about for word in ("right", "stub", "syntax", "missing", "endless"))


def test_every_answer_occurs_in_the_class():
    for exercise, answers in ANSWERS.items():
        used = {sample.answers[exercise] for sample in SAMPLE_CLASS}
        assert {name for name, text in answers.items() if text not in used} == set()


@pytest.mark.parametrize(("exercise", "name"), [
    (exercise, name) for exercise, answers in ANSWERS.items() for name in answers])
def test_an_answer_fits_into_the_released_notebook(exercise, name):
    notebook = read_notebook(open_course(ROOT).released / f"{exercise}.ipynb")
    source = fill_frame(solution_cell(notebook, exercise).source, ANSWERS[exercise][name])
    if name == "syntax error":
        with pytest.raises(SyntaxError):
            ast.parse(source)
    else:
        ast.parse(source)
    assert "NotImplementedError" not in source


def test_a_body_is_put_into_the_frame_at_its_indent():
    source = solution_cell(fake_notebook("saliency_maps"), "saliency_maps").source
    filled = fill_frame(source, "\n        answer = 1\n        answer += 1\n")
    lines = filled.split("\n")
    assert lines[3:5] == ["    answer = 1", "    answer += 1"]
    assert [line.strip() for line in lines][2::3][:1] == ["# ----- START OF YOUR CODE -----"]


def test_a_cell_without_a_frame_is_refused():
    with pytest.raises(UserError, match="frame"):
        fill_frame("def f(): pass", "pass")


def test_without_a_release_there_is_no_class(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    with pytest.raises(UserError, match="cs231n release"):
        write_sample_class(open_course(tmp_path))


def test_what_the_class_hands_in(course):
    write_sample_class(course)
    assert len(course.students()) == len(SAMPLE_CLASS)
    assert not course.submission("leilani_kahale", "fooling_images").exists()
    notebook = read_notebook(course.submission("dalia_haddad", "fooling_images"))
    assert not any(is_check(cell) for cell in notebook.cells)
    untouched = read_notebook(course.submission("jonas_weber", "saliency_maps"))
    assert untouched == read_notebook(course.released / "saliency_maps.ipynb")
    assert set(FUNCTIONS) == {path.stem for path in
                              course.submission("amara_okafor", "x").parent.glob("*.ipynb")}
