"""``pytest --submission DIR``: one item a finding, readable names, the right exit code."""

from __future__ import annotations

import nbformat
import pytest
from fake_course import fake_notebook

from cs231n_utils.grading import standalone
from cs231n_utils.grading.results import ExerciseResult, Finding, Status

pytest_plugins = "pytester"

RIGHT = Finding("each image is judged on its own", True, 4, 4)
WRONG = Finding("the values are right", False, 0, 4, "2.5 at (0, 0)", "1.5 there",
                explanation="You took the mean.", advice="Take the maximum.")
BLOCKED = Finding("twice the same", None, 0, 2, blocked_by="the values are right")
RESULTS = {
    "right": ExerciseResult("saliency_maps", Status.PASSED, 10, findings=(RIGHT, RIGHT)),
    "wrong": ExerciseResult("saliency_maps", Status.FAILED, 4, findings=(RIGHT, WRONG, BLOCKED)),
    "stub": ExerciseResult("saliency_maps", Status.NOT_ATTEMPTED, 0, reason="not written yet"),
    "fault": ExerciseResult("saliency_maps", Status.NOT_GRADED, None, reason="it broke"),
}


@pytest.fixture
def checked(pytester, monkeypatch):
    """Run ``pytest --submission`` on a folder whose notebook has this result."""

    def run(name, *options):
        monkeypatch.setattr(standalone, "check_notebook", lambda *arguments: RESULTS[name])
        folder = pytester.mkdir("homework")
        nbformat.write(fake_notebook("saliency_maps"), folder / "saliency_maps.ipynb")
        pytester.makepyfile(test_other="def test_of_the_project(): assert False")
        return pytester.runpytest_inprocess("--submission", "homework", "-v", *options)

    return run


def test_a_right_submission_passes(checked):
    outcome = checked("right")
    assert outcome.ret == 0
    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["saliency_maps::each image is judged on its own PASSED*",
                                  "saliency_maps::each image is judged on its own (2) PASSED*"])


def test_a_wrong_one_fails_by_finding_and_says_why(checked):
    outcome = checked("wrong")
    assert outcome.ret == 1
    outcome.assert_outcomes(passed=1, failed=1, skipped=1)
    outcome.stdout.fnmatch_lines([
        "saliency_maps::the values are right FAILED*", "expected:  2.5 at (0, 0)",
        "came:      1.5 there", "mistake:   You took the mean.", "next step: Take the maximum."])
    outcome.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(("name", "words"), [("stub", "not written yet"), ("fault", "it broke")])
def test_without_findings_there_is_one_failed_item(name, words, checked):
    outcome = checked(name)
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines([f"*{words}"])


def test_only_the_submission_runs(checked):
    checked("right").stdout.no_fnmatch_line("*test_of_the_project*")


def test_a_folder_that_is_not_there_is_wrong_use(pytester):
    outcome = pytester.runpytest_inprocess("--submission", "nowhere")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*there is no folder nowhere*"])


def test_an_empty_folder_does_not_pass(pytester):
    pytester.mkdir("homework")
    assert pytester.runpytest_inprocess("--submission", "homework").ret != 0


def test_without_the_option_the_solutions_are_checked(pytester, monkeypatch):
    monkeypatch.setattr(standalone, "check_notebook", lambda *arguments: RESULTS["right"])
    folder = pytester.path / "solutions" / "network_visualization"
    folder.mkdir(parents=True)
    nbformat.write(fake_notebook("saliency_maps"), folder / "saliency_maps.ipynb")
    pytester.makeini("[pytest]\ntestpaths = tests")
    tests = pytester.mkdir("tests")
    (tests / "test_it.py").write_text("def test_it(): pass")
    outcome = pytester.runpytest_inprocess("-v")
    outcome.assert_outcomes(passed=3)
    outcome.stdout.fnmatch_lines(["saliency_maps::each image is judged on its own PASSED*"])
