"""Assignments are never stale, nbgrader's command gives the same, errors keep the old ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from notebook_gate import FUNCTIONS, NOTEBOOKS, ROOT, cell

from cs231n_utils.grading.release import ASSIGNMENT, Release, ReleaseError, release


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the course: settings, solutions, and the assignments as committed."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    for folder in ("solutions", "assignments"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def contents(course: Path) -> dict[str, bytes]:
    folder = course / "assignments"
    return {p.name: p.read_bytes() for p in folder.rglob("*.ipynb")}


def edit(course: Path, name: str, old: str, new: str) -> None:
    path = course / "solutions" / ASSIGNMENT / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    for each in notebook.cells:
        each.source = each.source.replace(old, new)
    nbformat.write(notebook, path)


def test_committed_assignments_are_what_the_solutions_give() -> None:
    stale = release(ROOT, check=True)
    assert not stale.stale, f"run `make release` and commit:\n{stale}"


def test_stock_command_writes_the_very_same_files(course: Path) -> None:
    committed = contents(course)
    shutil.rmtree(course / "assignments")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(course / "no-config-of-mine")}
    subprocess.run(command, cwd=course, env=environment, check=True, capture_output=True)
    assert contents(course) == committed
    assert (course / "gradebook.db").exists()


def test_check_tells_what_is_stale_and_changes_nothing(course: Path) -> None:
    committed = contents(course)
    edit(course, "saliency_maps", "## The idea", "## An idea")
    (course / "assignments" / ASSIGNMENT / "left_over.ipynb").write_text("{}")

    found = release(course, check=True)

    assert found == Release(("saliency_maps.ipynb",), ("left_over.ipynb",))
    assert str(found) == "changed: saliency_maps.ipynb\nremoved: left_over.ipynb"
    assert contents(course) == {**committed, "left_over.ipynb": b"{}"}
    assert not (course / "gradebook.db").exists()


def test_release_writes_what_changed_only(course: Path) -> None:
    untouched = course / "assignments" / ASSIGNMENT / "fooling_images.ipynb"
    before = untouched.stat().st_mtime_ns
    edit(course, "saliency_maps", "## The idea", "## An idea")

    release(course, gradebook=False)

    assert b"## An idea" in contents(course)["saliency_maps.ipynb"]
    assert untouched.stat().st_mtime_ns == before
    assert str(release(course, check=True)) == "up to date"


def test_change_inside_the_frame_leaves_the_assignment_alone(course: Path) -> None:
    edit(course, "saliency_maps", "gradient.abs()", "gradient.square().sqrt()")
    assert not release(course, check=True).stale


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_solution_without_frame_is_refused_and_the_old_release_kept(
    course: Path, name: str
) -> None:
    committed = contents(course)
    edit(course, name, "START OF YOUR CODE", "start")
    edit(course, name, "END OF YOUR CODE", "end")
    with pytest.raises(ReleaseError, match=FUNCTIONS[name]):
        release(course, gradebook=False)
    assert contents(course) == committed


def test_duplicate_grade_id_is_refused(course: Path) -> None:
    path = course / "solutions" / ASSIGNMENT / "saliency_maps.ipynb"
    notebook = nbformat.read(path, 4)
    cell(notebook, "saliency_maps_question").metadata.nbgrader.grade_id = "saliency_maps"
    nbformat.write(notebook, path)
    with pytest.raises(ReleaseError, match="saliency_maps"):
        release(course, gradebook=False)


def test_folder_that_is_no_course_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"nbgrader_config\.py"):
        release(tmp_path, check=True)


def test_any_database_url_can_hold_the_gradebook(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CS231N_GRADEBOOK", f"sqlite:///{course}/elsewhere.db")
    release(course)
    assert (course / "elsewhere.db").exists()
    assert not (course / "gradebook.db").exists()
