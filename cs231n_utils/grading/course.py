"""Where a course lies: its root, its folders and its nbgrader configuration.

A course is nbgrader's course directory: a folder with an ``nbgrader_config.py``, from which
nbgrader's own commands and this project's find the same places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIG_NAME = "nbgrader_config.py"
ASSIGNMENT = "network_visualization"

# The exercises, in teaching order, with the function that the student writes in each. The same
# table as cs231n_utils.exercises has (a test holds them equal); here without importing torch.
FUNCTIONS: dict[str, str] = {
    "saliency_maps": "compute_saliency_maps",
    "fooling_images": "make_fooling_image",
    "class_visualization": "create_class_visualization",
}
MAX_POINTS = 10.0
_MARKUP = re.compile(r'[<>"&\\\x00-\x1f]')


class UserError(Exception):
    """Something that the person at the terminal can put right; the message says what and how."""


class CourseNotFoundError(UserError):
    """No course directory here or above."""


@dataclass(frozen=True)
class Course:
    """One nbgrader course directory and the assignment in it."""

    root: Path
    assignment: str = ASSIGNMENT
    config: Any = field(default=None, repr=False, compare=False)

    @property
    def source(self) -> Path:
        """The solved notebooks, nbgrader's source directory."""
        return self._folder("source_directory", "solutions") / self.assignment

    @property
    def released(self) -> Path:
        """The notebooks that students get, nbgrader's release directory."""
        return self._folder("release_directory", "assignments") / self.assignment

    @property
    def submitted(self) -> Path:
        """``submitted/<student>/<assignment>/`` lies below."""
        return self._folder("submitted_directory", "submitted")

    @property
    def autograded(self) -> Path:
        """``autograded/<student>/<assignment>/`` lies below."""
        return self._folder("autograded_directory", "autograded")

    @property
    def private(self) -> Path:
        """What this project notes about a course beside nbgrader's files; outside git."""
        return self.root / ".cs231n"

    @property
    def exercises(self) -> tuple[str, ...]:
        """The assignment's exercises in teaching order, which are also the notebooks' names."""
        return tuple(FUNCTIONS)

    def students(self) -> list[str]:
        """The names of all who submitted, sorted.

        Raises
        ------
        UserError
            If a folder has a name that would be markup on nbgrader's pages, which don't escape it.
        """
        names = sorted(folder.parent.name
                       for folder in self.submitted.glob(f"*/{self.assignment}"))
        for name in names:
            if _MARKUP.search(name):
                raise UserError(f"{self.submitted} holds a folder named {name!r}, which can't be a "
                                'student\'s name: rename it, without any of < > " & \\.')
        return names

    def submission(self, student: str, exercise: str) -> Path:
        """Where this student's notebook is, or would be."""
        return self.submitted / student / self.assignment / f"{exercise}.ipynb"

    def graded(self, student: str, exercise: str) -> Path:
        """Where this student's autograded notebook is, or would be."""
        return self.autograded / student / self.assignment / f"{exercise}.ipynb"

    def _folder(self, setting: str, default: str) -> Path:
        section = self.config.get("CourseDirectory", {}) if self.config is not None else {}
        return self.root / str(section.get(setting, default))


def find_course(start: Path | None = None) -> Course:
    """The course at ``start`` (or the current folder) or in the nearest folder above it.

    Raises
    ------
    CourseNotFoundError
        If neither the folder nor any above it holds an ``nbgrader_config.py``, nor the checkout
        from which this package is installed.
    """
    begin = (start or Path.cwd()).expanduser().resolve()
    if start is not None and not begin.is_dir():
        raise CourseNotFoundError(f"There is no folder {begin}.")
    for folder in _candidates(begin, explicit=start is not None):
        if (folder / CONFIG_NAME).is_file():
            return open_course(folder)
    raise CourseNotFoundError(
        f"No course found: neither {begin} nor a folder above it holds {CONFIG_NAME}.\n"
        "Go to the course's folder, or name it: --course FOLDER."
    )


def open_course(root: Path) -> Course:
    """The course in this folder, with its nbgrader configuration read.

    Raises
    ------
    UserError
        If the configuration can't be read.
    """
    from traitlets.config import PyFileConfigLoader

    try:
        config = PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
    except Exception as error:
        raise UserError(f"{root / CONFIG_NAME} can't be read: {error}") from error
    config.CourseDirectory.root = str(root)
    return Course(root=root, config=config)


def _candidates(begin: Path, explicit: bool) -> Iterator[Path]:
    yield begin
    yield from begin.parents
    if not explicit:  # `cs231n lab` from anywhere, when the package is installed from a checkout
        yield Path(__file__).resolve().parents[2]
