"""A small class from nothing: a course folder of its own, with made-up submissions in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from cs231n_utils.grading.course import CONFIG_NAME, Course, UserError, open_course
from cs231n_utils.grading.release import ReleaseError, release
from cs231n_utils.grading.sample_class import Sample, write_sample_class

# What shows that a folder is a demo's and may be made anew.
_MARK = "demo.txt"
# Wall time: on a machine with four times as much to do as it has processors, importing PyTorch
# alone has been seen to take more than 60 s. Short enough to wait for the one endless loop.
CELL_TIMEOUT = 120


def set_up_demo(course: Course, folder: Path) -> tuple[Course, list[Sample]]:
    """Make a demo course of a course's solutions, release it, and write the sample class.

    Raises
    ------
    UserError
        If the folder holds something else than an earlier demo, or the release fails.
    """
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()) and not (folder / ".cs231n" / _MARK).is_file():
        raise UserError(f"{folder} holds something that is not a demo. Name another folder.")
    if folder == course.root or folder in course.root.parents:
        raise UserError(f"{folder} holds the course itself. Name another folder.")
    _remove(folder)
    (folder / ".cs231n").mkdir(parents=True)
    (folder / ".cs231n" / _MARK).write_text("Made by `cs231n demo`; made anew each time.\n")
    config = (course.root / CONFIG_NAME).read_text(encoding="utf-8")
    config += "\n# --- the demo: its class has an endless loop in it\n"
    config += f"c.Execute.timeout = {CELL_TIMEOUT}\n"
    (folder / CONFIG_NAME).write_text(config, encoding="utf-8")
    demo = open_course(folder)
    shutil.copytree(course.source, demo.source,
                    ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    try:
        release(folder)
    except ReleaseError as error:
        raise UserError(f"The solutions can't be released: {in_short(error)}") from error
    return demo, write_sample_class(demo)


def in_short(error: ReleaseError) -> str:
    """What went wrong, without nbgrader's stack traces: the last exception's own line."""
    raised = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception)\w*: .+$", str(error), re.MULTILINE)
    return raised[-1] if raised else str(error).strip().splitlines()[-1]


def _remove(folder: Path) -> None:
    """Remove an earlier demo; nbgrader leaves files in it that can't be written."""
    if folder.exists():
        for path in folder.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(folder)
