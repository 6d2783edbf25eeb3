"""The commands as someone at a terminal meets them; what they do is tested elsewhere."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner

from cs231n_utils import cli
from cs231n_utils.grading import standalone
from cs231n_utils.grading.course import FUNCTIONS
from cs231n_utils.grading.results import ExerciseResult, Finding, Status

STUDENT = ("lab", "check", "submit")
INSTRUCTOR = ("release", "collect", "grade", "report", "demo")
MAINTAINER = ("train", "card", "doctor")


@pytest.fixture
def cs231n(monkeypatch):
    """Run the command; gives the exit code and all that it printed."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments):
        outcome = CliRunner().invoke(cli.app, list(map(str, arguments)))
        if outcome.exception and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        return outcome.exit_code, outcome.output

    return run


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with a release, and the current folder in it."""
    root = tmp_path / "course"
    for exercise, function in FUNCTIONS.items():
        path = root / "assignments" / "network_visualization" / f"{exercise}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        stub = f"def {function}():\n    raise NotImplementedError('write this part')"
        nbformat.write(new_notebook(cells=[new_code_cell(stub)]), path)
    (root / "nbgrader_config.py").write_text(
        'c = get_config()\nc.CourseDirectory.release_directory = "assignments"\n')
    (root / "deep" / "below").mkdir(parents=True)
    monkeypatch.chdir(root / "deep" / "below")
    return root


# -- help and errors -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*STUDENT, *INSTRUCTOR, *MAINTAINER])
def test_each_help_has_examples(name, cs231n):
    code, said = cs231n(name, "--help")
    assert code == 0
    assert "Examples" in said
    assert f"cs231n {name}" in said.split("Examples")[1]


def test_the_help_lists_every_command_for_its_reader(cs231n):
    code, said = cs231n("--help")
    places = [said.index(panel) for panel in ("Student", "Instructor", "Maintainer")]
    assert code == 0
    assert places == sorted(places)
    assert all(name in said for name in (*STUDENT, *INSTRUCTOR, *MAINTAINER))


@pytest.mark.parametrize(("arguments", "words"), [
    (("check", "nowhere"), "There is no nowhere"),
    (("check",), "no notebook of this lab"),
    (("submit", "nowhere", "--name", "ada"), "There is no nowhere"),
    (("submit", ".", "--name", "???"), "no letter or digit"),
    (("collect", "nowhere.zip"), "There is no nowhere.zip"),
    (("grade",), "cs231n collect"),
    (("report",), "No submissions"),
    (("release", "--course", "nowhere"), "There is no folder"),
    (("card", "--folder", "nowhere"), "cs231n train witness"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_wrong_use_is_one_clear_message(arguments, words, cs231n, course):
    code, said = cs231n(*arguments)
    assert code == 2
    assert words in said
    assert "Traceback" not in said


def test_outside_of_a_course_it_says_so(cs231n, tmp_path):
    code, said = cs231n("grade", "--course", tmp_path)
    assert code == 2
    assert "--course FOLDER" in said


def test_a_broken_configuration_is_named(cs231n, course):
    (course / "nbgrader_config.py").write_text("c = get_config(\n")
    code, said = cs231n("grade")
    assert code == 2
    assert "nbgrader_config.py can't be read" in said


def test_ctrl_c_is_130_and_no_stack_trace(cs231n, course, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cs231n_utils.grading.handin.working_copy", interrupted)
    code, said = cs231n("lab")
    assert code == 130
    assert "Interrupted" in said


def test_a_folder_that_cannot_be_made_is_one_clear_message(cs231n, course):
    (course / "report").write_text("a file where a folder should be")
    cs231n("submit", work(course), "--name", "ada")
    code, said = cs231n("report")
    assert (code, "report: " in said) == (2, True)


def test_a_release_that_fails_says_why_in_one_line(cs231n, course):
    (course / "solutions" / "network_visualization").mkdir(parents=True)
    (course / "solutions" / "network_visualization" / "saliency_maps.ipynb").write_text("{")
    code, said = cs231n("release")
    assert code == 2
    assert "Not released" in said
    assert "Traceback" not in said


def test_an_unknown_network_is_named(cs231n, monkeypatch, tmp_path):
    code, said = cs231n("train", "alexnet", "--folder", tmp_path)
    assert code == 2
    assert "alexnet" in said


# -- student ---------------------------------------------------------------------------------


def test_lab_copies_what_is_missing_and_nothing_else(cs231n, course):
    mine = course / "my_work" / "saliency_maps.ipynb"
    mine.parent.mkdir()
    mine.write_text("my work")
    code, said = cs231n("lab", "--copy-only")
    assert code == 0
    assert "2 files copied, 1 of yours" in said
    assert mine.read_text() == "my work"
    assert len(list(mine.parent.glob("*.ipynb"))) == 3


def test_lab_opens_jupyterlab_there(cs231n, course, monkeypatch):
    called = []
    monkeypatch.setattr("subprocess.call", lambda command: called.append(command) or 0)
    assert cs231n("lab", course / "work", "--no-browser", "--port", 8890)[0] == 0
    [command] = called
    assert command[:5] == [sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir",
                           str(course / "work")]
    assert command[5:8] == ["--no-browser", "--port", "8890"]


def test_lab_does_not_let_one_work_on_the_assignment_itself(cs231n, course):
    code, said = cs231n("lab", course / "assignments" / "network_visualization")
    assert code == 2
    assert "is the assignment itself" in said


FINDING = Finding("the values are right", False, 0, 10, "2.5", "1.5 [bold]x[/]",
                  explanation="You took the mean.", advice="Take the maximum.")
RESULTS = {
    "passed": ExerciseResult("saliency_maps", Status.PASSED, 10.0),
    "failed": ExerciseResult("saliency_maps", Status.FAILED, 0.0, findings=(FINDING,)),
    "not graded": ExerciseResult("saliency_maps", Status.NOT_GRADED, None, reason="it broke"),
}


@pytest.mark.parametrize(("name", "code"), [("passed", 0), ("failed", 1), ("not graded", 1)])
def test_check_exits_0_only_when_all_pass(name, code, cs231n, course, monkeypatch):
    monkeypatch.setattr(standalone, "check_notebook", lambda *arguments: RESULTS[name])
    notebook = course / "assignments" / "network_visualization" / "saliency_maps.ipynb"
    outcome, said = cs231n("check", notebook)
    assert outcome == code
    assert name in said
    if name == "failed":
        assert all(line in said for line in ("expected", "1.5 [bold]x[/]", "Take the maximum."))


def test_check_wants_all_three_of_a_folder(cs231n, course, monkeypatch):
    monkeypatch.setattr(standalone, "check_notebook", lambda *arguments: RESULTS["passed"])
    folder = course / "assignments" / "network_visualization"
    assert cs231n("check", folder)[0] == 0
    (folder / "fooling_images.ipynb").unlink()
    code, said = cs231n("check", folder)
    assert code == 1
    assert "missing" in said


def work(course: Path) -> Path:
    folder = course / "work"
    shutil.copytree(course / "assignments" / "network_visualization", folder)
    return folder


def test_submit_copies_into_the_course(cs231n, course):
    code, said = cs231n("submit", work(course), "--name", "Ada Lovelace")
    target = course / "submitted" / "Ada_Lovelace" / "network_visualization"
    assert code == 0
    assert said.count("still the stub") == 3
    assert {path.name for path in target.iterdir()} == {
        "timestamp.txt", *(f"{exercise}.ipynb" for exercise in FUNCTIONS)}


def test_submit_packs_an_archive_that_collect_understands(cs231n, course):
    assert cs231n("submit", work(course), "--name", "ada", "--zip")[0] == 0
    archive = Path("ada.zip")
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == sorted(f"ada/{name}.ipynb" for name in FUNCTIONS)
    code, said = cs231n("collect", archive)
    assert code == 0
    assert "3 notebooks of 1 students" in said


def test_submit_refuses_what_is_not_all_there(cs231n, course):
    folder = work(course)
    (folder / "fooling_images.ipynb").unlink()
    code, said = cs231n("submit", folder, "--name", "ada")
    assert (code, "fooling_images.ipynb" in said) == (2, True)
    assert not (course / "submitted").exists()


def test_submit_refuses_what_is_not_readable(cs231n, course):
    folder = work(course)
    (folder / "fooling_images.ipynb").write_text('{"cells": [')
    code, said = cs231n("submit", folder, "--name", "ada")
    assert (code, "not a readable notebook" in said) == (2, True)
    assert not (course / "submitted").exists()


# -- instructor and maintainer ---------------------------------------------------------------


def test_collect_lists_what_it_took_and_left(cs231n, course):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        released = course / "assignments" / "network_visualization" / "saliency_maps.ipynb"
        archive.write(released, "ada/saliency_maps.ipynb")
        archive.writestr("ada/essay.pdf", "x")
    Path("download.zip").write_bytes(out.getvalue())
    code, said = cs231n("collect", "download.zip")
    assert code == 0
    assert all(words in said for words in ("ada", "saliency_maps", "essay.pdf", "not a notebook"))


def test_a_report_before_grading_says_that_nothing_is_graded(cs231n, course):
    cs231n("submit", work(course), "--name", "ada")
    code, said = cs231n("report", "--output", course / "out")
    assert code == 0
    assert "not graded yet" in said
    assert {path.name for path in (course / "out").iterdir()} == {
        "report.html", "results.csv", "results.json"}


def test_demo_spares_a_folder_that_is_not_its_own(cs231n, course):
    folder = course / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("years of work")
    code, said = cs231n("demo", "--folder", folder)
    assert (code, "not a demo" in said) == (2, True)
    assert (folder / "chapter1.tex").read_text() == "years of work"


def test_doctor_says_what_to_do(cs231n, monkeypatch):
    from cs231n_utils import doctor

    looks = [doctor.Look("Python", True, "3.11"), doctor.Look("cache", False, "full", "empty it")]
    monkeypatch.setattr(doctor, "examine", lambda **settings: iter(looks))
    code, said = cs231n("doctor")
    assert code == 1
    assert all(words in said for words in ("ok", "problem", "→ empty it"))


def test_doctor_looks_at_everything_without_raising(monkeypatch, tmp_path):
    from cs231n_utils.doctor import examine

    monkeypatch.setenv("CS231N_CACHE", str(tmp_path / "cache"))
    looks = list(examine(tmp_path, start_kernel=False))
    assert [look.name for look in looks] == [
        "Python", "packages", "networks and pictures", "nbgrader in JupyterLab",
        "writing notebooks", "download cache"]
    assert all(look.fine or look.to_do for look in looks)


def test_doctor_notices_a_folder_that_cannot_be_written(tmp_path):
    from cs231n_utils.doctor import examine

    looks = {look.name: look for look in examine(tmp_path / "nowhere", start_kernel=False)}
    assert not looks["writing notebooks"].fine
