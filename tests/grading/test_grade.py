"""A class of trouble, graded once; then one test for what became of each."""

from __future__ import annotations

import json
import shutil

import pytest
from fake_course import hand_in
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from cs231n_utils.grading.course import UserError, open_course
from cs231n_utils.grading.grade import grade, plan
from cs231n_utils.grading.results import read_result, read_results
from cs231n_utils.grading.sample_class import on_imagenet, solution_cell, with_own_cell
from cs231n_utils.grading.submission import is_check, read_notebook


def retagged(notebook):
    """A check cell that asks to be skipped."""
    solution_cell(notebook, "saliency_maps").source = "def compute_saliency_maps(*given): return 0"
    for cell in notebook.cells:
        if is_check(cell):
            cell.metadata["tags"] = ["skip-execution", "demo", "raises-exception"]


def edited_check(notebook):
    """A check cell that gives full marks by itself, and claims more of them."""
    for cell in notebook.cells:
        if is_check(cell):
            cell.source = "10"
            cell.metadata["nbgrader"]["points"] = 1000


def deleted_check(notebook):
    solution_cell(notebook, "saliency_maps").source = "def compute_saliency_maps(*given): return 42"
    notebook.cells = [cell for cell in notebook.cells if not is_check(cell)]


def rewritten(notebook):
    """The function in a cell of its own, the given one emptied."""
    solution_cell(notebook, "saliency_maps").source = "compute_saliency_maps = lambda *given: 42"


def broken_setup(notebook):
    """The student broke the first cell, so that the function has nothing to work with."""
    solution_cell(notebook, "saliency_maps").source = (
        "def compute_saliency_maps(*given): return forty + 2")
    for cell in notebook.cells:
        if "forty = 40" in cell.source:
            cell.source = "import no_such_package\n" + cell.source


def changed_show(notebook):
    """The function completed in what was a cell that only shows."""
    for cell in notebook.cells:
        if "shown_ran" in cell.source:
            cell.source = "def compute_saliency_maps(*given): return 42"


STUDENTS = {
    "right": "answer = 42",
    "half": "answer = 21",
    "wrong": "answer = 7",
    "stub": "",
    "raises": "raise ValueError('oh no')",
    "syntax": "answer = (42",
    "endless": "while True: pass",
    "deaf": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "dies": "import os; os._exit(3)",
    "noisy": "import sys, warnings; warnings.warn('w'); print('e', file=sys.stderr); answer = 42",
    "chatty": "print(10); display(10); answer = 7",
    "checker_fault": "answer = 'break the checker'",
    "skips": retagged,
    "edits": edited_check,
    "deletes": deleted_check,
    "rewrites": rewritten,
    "imagenet": on_imagenet("saliency_maps", "answer = 42"),
    "helper": with_own_cell("saliency_maps", "forty = 40", "answer = forty + 2"),
    "breaks_setup": broken_setup,
    "changes_show": changed_show,
    "watches": "answer = 7 if [n for n in globals() if n.endswith('_ran')] else 42",
    "hungry": "answer = bytearray(10**11)",
}

EXPECTED = {
    "right": ("passed", 10),
    "half": ("failed", 5),
    "wrong": ("failed", 0),
    "stub": ("not attempted", 0),
    "raises": ("raised", 0),
    "syntax": ("failed", 0),
    "endless": ("timed out", 0),
    "deaf": ("timed out", 0),
    "dies": ("crashed", 0),
    "noisy": ("passed", 10),
    "chatty": ("failed", 0),
    "checker_fault": ("not graded", None),
    "skips": ("failed", 0),
    "edits": ("not attempted", 0),
    "deletes": ("passed", 10),
    "rewrites": ("passed", 10),
    "imagenet": ("passed", 10),
    "helper": ("passed", 10),
    "breaks_setup": ("blocked", 0),
    "changes_show": ("passed", 10),
    "watches": ("passed", 10),
    "hungry": ("out of memory", 0),
    "unreadable": ("not graded", None),
    "html": ("not graded", None),
    "nothing": ("missing", 0),
}


@pytest.fixture(scope="module")
def graded(released, tmp_path_factory):
    """The class of trouble, graded two at a time."""
    root = tmp_path_factory.mktemp("trouble") / "course"
    shutil.copytree(released, root)
    course = open_course(root)
    hand_in(course, **STUDENTS, nothing=None)
    for name, content in (("unreadable", '{"cells": ['), ("html", "<html>not found</html>")):
        hand_in(course, **{name: "answer = 42"})
        course.submission(name, "saliency_maps").write_text(content)
    return course, grade(course, workers=2)


@pytest.fixture(scope="module")
def marks(graded):
    """What nbgrader's gradebook says: student -> (score, needs a person)."""
    course, _ = graded
    coursedir = CourseDirectory(config=course.config)
    with Gradebook(coursedir.db_url) as gradebook:
        return {
            submission.student.id: (notebook.grades[0].auto_score,
                                    notebook.grades[0].needs_manual_grade)
            for submission in gradebook.find_assignment("network_visualization").submissions
            for notebook in submission.notebooks if notebook.name == "saliency_maps"
        }


@pytest.mark.parametrize("student", EXPECTED)
def test_what_becomes_of(student, graded):
    course, _ = graded
    result = read_result(course, student, "saliency_maps")
    assert (str(result.status), result.points) == EXPECTED[student], result


@pytest.mark.parametrize("student", EXPECTED)
def test_the_gradebook_agrees(student, marks):
    points = EXPECTED[student][1]
    assert marks[student] == (points, points is None)


def test_a_run_with_a_fault_is_not_complete(graded):
    _, run = graded
    assert not run.complete
    without_mark = {g.job.student for g in run.graded if not g.status.has_mark}
    assert without_mark == {"checker_fault", "unreadable", "html"}


def test_reasons_are_in_the_students_words(graded):
    course, _ = graded
    for student, words in {
        "syntax": "SyntaxError", "endless": "12 seconds", "dies": "kernel died",
        "breaks_setup": "ModuleNotFoundError", "unreadable": "broken JSON",
        "checker_fault": "the checker broke",
    }.items():
        result = read_result(course, student, "saliency_maps")
        assert words in result.reason + " ".join(result.mistakes), student


def test_only_the_verdict_is_a_result_of_the_check_cell(graded):
    course, _ = graded
    notebook = read_notebook(course.graded("chatty", "saliency_maps"))
    outputs = next(cell for cell in notebook.cells if is_check(cell)).outputs
    assert [o.data["text/plain"] for o in outputs if o.output_type == "execute_result"] == ["0"]


def test_every_verdict_says_how_it_came_about(graded):
    course, _ = graded
    for student in ("right", "endless"):
        assert read_result(course, student, "saliency_maps").sandbox == "bubblewrap"


def test_points_are_in_nbgraders_scale(course):
    config = (course.root / "nbgrader_config.py").read_text()
    assert "cs231n_utils.grading.execute.Execute" in config


def test_what_is_unchanged_is_not_graded_again(graded):
    course, _ = graded
    again = plan(course)
    todo = {job.student for job in again.to_do}
    assert todo == {"checker_fault", "unreadable", "html"}


def test_a_resubmission_is_graded_again(course):
    hand_in(course, ada="answer = 7")
    grade(course)
    hand_in(course, ada="answer = 42")
    grade(course)
    assert read_result(course, "ada", "saliency_maps").points == 10


def test_marks_given_by_hand_survive(course):
    hand_in(course, ada="answer = 7")
    grade(course)
    coursedir = CourseDirectory(config=course.config)
    with Gradebook(coursedir.db_url) as gradebook:
        mark = gradebook.find_grade("saliency_maps", "saliency_maps", course.assignment, "ada")
        mark.manual_score = 3.0
        gradebook.db.commit()
    grade(course, force=True)
    with Gradebook(coursedir.db_url) as gradebook:
        mark = gradebook.find_grade("saliency_maps", "saliency_maps", course.assignment, "ada")
        assert mark.score == 3.0


def test_nothing_to_grade_says_what_to_do(course):
    with pytest.raises(UserError, match="cs231n collect"):
        grade(course)


def test_a_damaged_gradebook_is_one_clear_message(course):
    hand_in(course, ada="answer = 42")
    (course.root / "gradebook.db").write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match=r"gradebook\.db can't be used"):
        grade(course)


def test_an_unreleased_assignment_is_one_clear_message(course):
    hand_in(course, ada="answer = 42")
    (course.root / "gradebook.db").unlink()
    with pytest.raises(UserError, match="cs231n release"):
        grade(course)


def test_an_unknown_student_is_named(course):
    hand_in(course, ada="answer = 42")
    with pytest.raises(UserError, match="grace"):
        grade(course, ["grace"])


def test_plain_nbgrader_autograde_grades_alike(course):
    from nbgrader.apps import NbGraderAPI

    hand_in(course, ada="import sys; print('x', file=sys.stderr); answer = 21")
    api = NbGraderAPI(coursedir=CourseDirectory(config=course.config), config=course.config)
    outcome = api.autograde(course.assignment, "ada")
    assert outcome["success"], outcome
    assert read_results(course, ["ada"]).students[0].exercises[0].points == 5


def test_a_verdict_is_data_for_programs(graded):
    course, _ = graded
    result = read_result(course, "half", "saliency_maps")
    again = json.loads(json.dumps(result.to_dict()))
    assert again["findings"][1]["explanation"].startswith("It is half")
