"""A class's results as CSV, for a spreadsheet, and as JSON, for a program."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from cs231n_utils.grading.results import ClassResults

# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(results: ClassResults) -> str:
    """One line for each student: points and status of each exercise, the total, the mistakes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [r.exercise for r in results.students[0].exercises] if results.students else []
    columns = [column for name in names for column in (name, f"{name}_status")]
    writer.writerow(["student", *columns, "total", "max", "mistakes"])
    for student in results.students:
        cells: list[object] = [_plain(student.student)]
        for result in student.exercises:
            cells += ["" if result.points is None else f"{result.points:g}", str(result.status)]
        total = "" if student.needs_person else f"{student.points:g}"
        mistakes = " | ".join(
            mistake for result in student.exercises if result.lost for mistake in result.mistakes
        )
        writer.writerow([*cells, total, f"{student.max_points:g}", _plain(mistakes)])
    return out.getvalue()


def as_json(results: ClassResults) -> str:
    """Everything but the pictures."""
    return json.dumps(
        {
            "assignment": results.assignment,
            "max_points": results.max_points,
            "students": [
                {
                    "student": student.student,
                    "points": None if student.needs_person else student.points,
                    "needs_person": student.needs_person,
                    "exercises": [result.to_dict() for result in student.exercises],
                }
                for student in results.students
            ],
            "mistakes": [
                {
                    "exercise": count.exercise,
                    "mistake": count.mistake,
                    "students": list(count.students),
                    "points_lost": count.points_lost,
                }
                for count in results.mistakes()
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def write_exports(results: ClassResults, folder: Path, name: str = "results") -> list[Path]:
    """Write both beside each other and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.csv", folder / f"{name}.json"]
    paths[0].write_text(as_csv(results), encoding="utf-8")
    paths[1].write_text(as_json(results) + "\n", encoding="utf-8")
    return paths


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
