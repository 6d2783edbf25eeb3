"""The class as one HTML page: no scripts, nothing of a student's HTML, printable."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cs231n_utils.grading.results import ClassResults, ExerciseResult, Status, spread

TITLES = {
    "saliency_maps": "Saliency maps",
    "fooling_images": "Fooling images",
    "class_visualization": "Class visualization",
}
SIGNS = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.RAISED: "!",
    Status.NOT_ATTEMPTED: "\N{EN DASH}",
    Status.MISSING: "∅",
    Status.BLOCKED: "⊘",
    Status.TIMED_OUT: "⧖",
    Status.OUT_OF_MEMORY: "▣",
    Status.CRASHED: "☠",
    Status.NOT_GRADED: "?",
}
NO_MARK = "\N{EN DASH}"
_BARS = 10
_TALLEST = 86  # per cent of the chart's height; the rest is for the count above the bar


def write_report(results: ClassResults, path: Path, when: datetime | None = None) -> Path:
    """Write the page and return its path; ``when`` is the date that it shows (now unless given)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(results, when), encoding="utf-8")
    return path


def render_report(results: ClassResults, when: datetime | None = None) -> str:
    """The page as one self-contained HTML document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cs231n_utils.grading"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(points=show_points, slug=_slug, data_uri=_data_uri)
    template = environment.get_template("report.html.j2")
    return template.render(
        results=results,
        when=(when or datetime.now()).strftime("%d %B %Y, %H:%M"),
        titles=TITLES,
        signs=SIGNS,
        exercises=_summaries(results),
        bars=histogram(results),
        figures=_figures(results),
        Status=Status,
    )


def show_points(points: float | None) -> str:
    """Points as people write them: ``10``, ``7.5``, and a dash where there is no mark."""
    return NO_MARK if points is None else f"{round(points, 2):g}"


def histogram(results: ClassResults, bars: int = _BARS) -> list[dict[str, Any]]:
    """How many students have how many points: equal steps from 0 to all, the last one closed.

    Students for whom the grader didn't decide everything are left out.
    """
    total = results.max_points or 1.0
    counts = spread((s.points for s in results.students if not s.needs_person), total, bars)
    highest = max([*counts, 1])
    step = total / bars
    return [
        {"count": count, "height": round(_TALLEST * count / highest, 1),
         "range": f"{show_points(index * step)}{NO_MARK}{show_points((index + 1) * step)}"}
        for index, count in enumerate(counts)
    ]


def _figures(results: ClassResults) -> dict[str, Any]:
    totals = sorted(student.points for student in results.students if not student.needs_person)
    return {
        "students": len(results.students),
        "mean": show_points(sum(totals) / len(totals)) if totals else NO_MARK,
        "median": show_points(_median(totals)) if totals else NO_MARK,
        "full": sum(total >= results.max_points for total in totals),
        "person": len({student for student, _ in results.needs_person}),
    }


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _summaries(results: ClassResults) -> list[dict[str, Any]]:
    """For each exercise, how the class did: counts by status, in the order of Status."""
    first = results.students[0].exercises if results.students else ()
    names = [result.exercise for result in first]
    return [_summary(name, [result for student in results.students
                            for result in student.exercises if result.exercise == name])
            for name in names]


def _summary(name: str, every: list[ExerciseResult]) -> dict[str, Any]:
    statuses = [result.status for result in every]
    marks = [result.points for result in every if result.points is not None]
    return {
        "name": name,
        "title": TITLES.get(name, name),
        "mean": show_points(sum(marks) / len(marks)) if marks else NO_MARK,
        "max": show_points(max(result.max_points for result in every)),
        "counts": [(status, statuses.count(status), round(100 * statuses.count(status)
                                                         / len(statuses), 2))
                   for status in Status if status in statuses],
    }


def _slug(text: object) -> str:
    return "".join(c if c.isalnum() else "-" for c in str(text).lower())


def _data_uri(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
