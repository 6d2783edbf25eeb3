"""Notes of what could not be graded and why, one small file for each, in the course's own folder.

Kept apart from the autograded notebooks, so that nothing of it reaches a student's feedback.
"""

from __future__ import annotations

from pathlib import Path

from cs231n_utils.grading.course import Course


def read_fault(course: Course, student: str, exercise: str) -> str:
    """Why this exercise has no mark, or "" where no fault is noted."""
    path = _path(course, student, exercise)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def note_fault(course: Course, student: str, exercise: str, reason: str) -> None:
    """Note that this exercise could not be graded."""
    path = _path(course, student, exercise)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reason, encoding="utf-8")


def clear_fault(course: Course, student: str, exercise: str) -> None:
    """Forget an earlier fault: the exercise has been graded now."""
    _path(course, student, exercise).unlink(missing_ok=True)


def _path(course: Course, student: str, exercise: str) -> Path:
    return course.private / "not graded" / student / f"{exercise}.txt"
