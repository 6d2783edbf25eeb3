"""Submissions as learning platforms hand them out, and archives that mean harm."""

from __future__ import annotations

import functools
import io
import json
import stat
import zipfile

import nbformat
import pytest
from fake_course import fake_notebook

from cs231n_utils.grading import collect as collecting
from cs231n_utils.grading.collect import collect, safe_name
from cs231n_utils.grading.course import Course, UserError


@functools.cache
def notebook(exercise: str = "saliency_maps") -> bytes:
    return nbformat.writes(fake_notebook(exercise)).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def empty(tmp_path) -> Course:
    return Course(tmp_path / "course")


def taken_from(course, tmp_path, files):
    path = tmp_path / "download.zip"
    path.write_bytes(zipped(files))
    return collect(course, [path])


LAYOUTS = {
    "Moodle": ("Ada Lovelace_123456_assignsubmission_file_/saliency_maps.ipynb", "Ada_Lovelace"),
    "Moodle, no last underline": (
        "Zoë Ng_12_assignsubmission_file/saliency_maps.ipynb", "Zoë_Ng"),
    "Canvas": ("lovelaceada_4711_815_saliency_maps.ipynb", "lovelaceada"),
    "Canvas, late and twice": ("lovelaceada_LATE_4711_815_saliency_maps-2.ipynb", "lovelaceada"),
    "Gradescope": ("assignment_1_export/submission_4711/saliency_maps.ipynb", "submission_4711"),
    "nbgrader": ("submitted/ada/network_visualization/saliency_maps.ipynb", "ada"),
    "by student": ("ada/saliency_maps.ipynb", "ada"),
    "flat": ("ada_saliency_maps.ipynb", "ada"),
    "flat, name with a hyphen": ("ada-l saliency maps.ipynb", "ada-l"),
}


@pytest.mark.parametrize(("path", "student"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_platforms_layout_is_understood(path, student, empty, tmp_path):
    collection = taken_from(empty, tmp_path, {path: notebook()})
    assert [(t.student, t.exercise) for t in collection.taken] == [(student, "saliency_maps")]
    assert empty.submission(student, "saliency_maps").read_bytes() == notebook()
    assert collection.left == []


def test_an_archive_of_students_archives(empty, tmp_path):
    inner = zipped({f"{name}.ipynb": notebook(name) for name in ("saliency_maps",
                                                                 "fooling_images")})
    mine = zipped({"my_work/saliency_maps.ipynb": notebook()})
    files = {"ada.zip": inner, "Alan T_9_assignsubmission_file_/homework.zip": inner,
             "ngzoe_4711_815_my work.zip": mine, "grace/all.zip": mine}
    collection = taken_from(empty, tmp_path, files)
    assert collection.students == ["Alan_T", "ada", "grace", "ngzoe"]
    assert len(collection.taken) == 6


def test_a_folder_is_taken_as_an_archive_is(empty, tmp_path):
    path = tmp_path / "class" / "ada" / "saliency_maps.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(notebook())
    assert collect(empty, [tmp_path / "class"]).students == ["ada"]


def test_a_renamed_notebook_is_known_by_its_content(empty, tmp_path):
    collection = taken_from(empty, tmp_path, {"ada/homework final (2).ipynb": notebook()})
    assert [t.exercise for t in collection.taken] == ["saliency_maps"]


def test_a_damaged_notebook_is_taken_and_pointed_out(empty, tmp_path):
    collection = taken_from(empty, tmp_path, {"ada/saliency_maps.ipynb": b'{"cells": ['})
    assert [t.readable for t in collection.taken] == [False]


def test_what_is_not_taken_is_listed_with_a_reason(empty, tmp_path):
    files = {"ada/essay.pdf": b"%PDF", "ada/other.ipynb": json.dumps({"cells": []}).encode(),
             "saliency_maps.ipynb": notebook(), "__MACOSX/ada/._saliency_maps.ipynb": b"litter"}
    collection = taken_from(empty, tmp_path, files)
    assert collection.taken == []
    assert {left.origin.split(": ")[1]: left.why for left in collection.left} == {
        "ada/essay.pdf": "not a notebook",
        "ada/other.ipynb": "answers none of the exercises",
        "saliency_maps.ipynb": "no student's name in its path",
    }


def test_an_earlier_notebook_stays_unless_forced(empty, tmp_path):
    taken_from(empty, tmp_path, {"ada/saliency_maps.ipynb": notebook()})
    other = notebook().replace(b"42", b"43")
    again = taken_from(empty, tmp_path, {"ada/saliency_maps.ipynb": other})
    assert again.taken == []
    assert "--force" in again.left[0].why
    assert collect(empty, [tmp_path / "download.zip"], force=True).taken[0].replaced
    assert empty.submission("ada", "saliency_maps").read_bytes() == other


def test_two_notebooks_for_one_exercise_are_not_mixed_up(empty, tmp_path):
    files = {"ada/saliency_maps.ipynb": notebook(), "ada/saliency_maps (1).ipynb": notebook()}
    collection = taken_from(empty, tmp_path, files)
    assert len(collection.taken) == 1
    assert "already has" in collection.left[0].why


# -- harm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "../../evil/saliency_maps.ipynb", "/etc/cron.d/saliency_maps.ipynb",
    "ada/../../../saliency_maps.ipynb", "..\\..\\evil\\saliency_maps.ipynb",
    "C:\\evil\\saliency_maps.ipynb",
])
def test_a_path_that_leads_out_is_left(name, empty, tmp_path):
    collection = taken_from(empty, tmp_path, {name: notebook()})
    assert collection.taken == []
    assert collection.left[0].why == "its path leads out of the archive"
    assert not empty.root.exists()


def test_a_symbolic_link_is_left(empty, tmp_path):
    path = tmp_path / "links.zip"
    entry = zipfile.ZipInfo("ada/saliency_maps.ipynb")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert collect(empty, [path]).left[0].why == "a symbolic link"
    folder = tmp_path / "folder" / "ada"
    folder.mkdir(parents=True)
    (folder / "saliency_maps.ipynb").symlink_to("/etc/passwd")
    assert collect(empty, [folder.parent]).taken == []


def test_a_bomb_is_not_unpacked(empty, tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "MAX_BYTES", 1_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada/saliency_maps.ipynb", b"0" * 10_000_000)
    assert "larger" in collect(empty, [path]).left[0].why


def test_an_archive_in_an_archive_in_an_archive_is_left(empty, tmp_path):
    deep = {"ada.zip": zipped({"b.zip": zipped({"c.zip": zipped({"s.ipynb": notebook()})})})}
    collection = taken_from(empty, tmp_path, deep)
    assert collection.taken == []
    assert "archive in an archive" in collection.left[0].why


def test_too_many_files_stop_it(empty, tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "_MAX_ENTRIES", 3)
    monkeypatch.setattr(collecting._Budget.__init__, "__defaults__", (3, 10**9))
    with pytest.raises(UserError, match="too large"):
        taken_from(empty, tmp_path, {f"{i}/saliency_maps.ipynb": notebook() for i in range(5)})


@pytest.mark.parametrize(("name", "safe"), [
    ("Ada Lovelace", "Ada_Lovelace"), ("../../root", "root"), ("a/b\\c", "a_b_c"),
    ("李 小龍", "李_小龍"), ("<script>", "script"), (".hidden", "hidden"), ("x+y", "x_y"),
    ("[*]", ""), ("..", ""),
])
def test_a_name_becomes_a_safe_folder_name(name, safe):
    assert safe_name(name) == safe


def test_neither_folder_nor_archive_says_so(empty, tmp_path):
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        collect(empty, [tmp_path / "x.txt"])
    with pytest.raises(UserError, match="There is no"):
        collect(empty, [tmp_path / "nowhere"])
