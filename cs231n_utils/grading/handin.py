"""The student's side of the folders: a working copy of the assignment, and handing it in."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cs231n_utils.grading.course import FUNCTIONS, Course, UserError
from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    cells_in_order,
    defines,
    read_notebook,
)


def working_copy(course: Course, folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy what is missing of the released assignment into a folder; never overwrite a file.

    Returns
    -------
    The paths that were copied, and the ones that were there already.

    Raises
    ------
    UserError
        If nothing has been released, or the folder is a file or the release itself.
    """
    if not course.released.is_dir():
        raise UserError(f"There is no assignment in {course.released}. Run `cs231n release` first.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder.")
    if folder.resolve() == course.released.resolve():
        raise UserError(f"{folder} is the assignment itself. Name another folder to work in.")
    copied, kept = [], []
    for source in sorted(course.released.rglob("*")):
        target = folder / source.relative_to(course.released)
        if source.is_dir() or ".ipynb_checkpoints" in source.parts:
            continue
        if target.exists():
            kept.append(target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        copied.append(target)
    return copied, kept


@dataclass(frozen=True)
class Handin:
    """What was handed in: where it lies, and which functions are still stubs."""

    path: Path
    unwritten: tuple[str, ...] = ()


def hand_in(notebooks: Mapping[str, Path], name: str, target: Path, as_zip: bool) -> Handin:
    """Copy a student's notebooks to ``target``, a folder or a zip archive, after looking at them.

    Raises
    ------
    UserError
        If a notebook is missing or not readable; then nothing is written.
    """
    missing = [exercise for exercise in FUNCTIONS if exercise not in notebooks]
    if missing:
        raise UserError("Missing: " + ", ".join(f"{exercise}.ipynb" for exercise in missing)
                        + ". All three belong to a submission, also the ones not solved.")
    try:
        unwritten = tuple(function for exercise, function in FUNCTIONS.items()
                          if _is_stub(notebooks[exercise], function))
    except UnreadableNotebookError as error:
        raise UserError(str(error)) from error
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if as_zip:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for exercise, path in notebooks.items():
                archive.write(path, f"{name}/{exercise}.ipynb")
    else:
        target.mkdir(parents=True, exist_ok=True)
        for exercise, path in notebooks.items():
            shutil.copyfile(path, target / f"{exercise}.ipynb")
        (target / "timestamp.txt").write_text(stamp + "\n", encoding="utf-8")
    return Handin(target, unwritten)


def _is_stub(path: Path, function: str) -> bool:
    cells = [cell for cell in cells_in_order(read_notebook(path)) if defines(cell, function)]
    return not cells or "raise NotImplementedError" in cells[-1].source
