"""What came out of grading, as plain records: a class, its students, exercises and findings.

Read from the autograded notebooks. All in them is data here, whoever wrote it: lengths and counts
are capped, numbers must be finite and in range, pictures are decoded and encoded again, and HTML is
never looked at.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cs231n_utils.grading.course import MAX_POINTS, Course

VERDICT_MIME = "application/vnd.cs231n.verdict+json"
_TEXTS = ("expected", "got", "mistake", "explanation", "advice", "blocked_by")
_MAX_FINDINGS = 100
_MAX_TEXT = 2_000
_MAX_HTML = 20_000_000
_MAX_PICTURES = 5
_PANEL = '<div class="pictures">'
_PICTURE = re.compile(
    r'<img alt="(original|yours|expected|difference(?: \u00d7 \d{1,6})?)" '
    r'src="data:image/png;base64,([A-Za-z0-9+/=]+)">'
)
_MAX_PICTURE_BYTES = 5_000_000
_MAX_PICTURE_PIXELS = 8_000_000


class Status(StrEnum):
    """What became of one exercise of one student."""

    PASSED = "passed"
    FAILED = "failed"
    RAISED = "raised"
    NOT_ATTEMPTED = "not attempted"
    MISSING = "missing"
    BLOCKED = "blocked"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"
    NOT_GRADED = "not graded"

    @property
    def has_mark(self) -> bool:
        """Did the grader decide? Everything else needs a person."""
        return self is not Status.NOT_GRADED


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was expected, what came, and what explains it.

    ``passed`` is None while another finding (``blocked_by``) has to pass first; ``mistake`` is the
    id of a known mistake, ``explanation`` its sentences.
    """

    name: str
    passed: bool | None
    points: float = 0.0
    max_points: float = 0.0
    expected: str = ""
    got: str = ""
    mistake: str = ""
    explanation: str = ""
    advice: str = ""
    blocked_by: str = ""

    @property
    def lost(self) -> float:
        """The points that this finding cost."""
        return max(0.0, self.max_points - self.points)

    @property
    def title(self) -> str:
        """What went wrong in one sentence: the named mistake, or else what doesn't hold."""
        if self.explanation:
            return first_sentence(self.explanation)
        return f"Not met: {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Shown:
    """One picture out of a verdict: what it shows, and a PNG made here."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class ExerciseResult:
    """One student's result in one exercise; ``points`` is None where no mark was recorded."""

    exercise: str
    status: Status
    points: float | None = 0.0
    max_points: float = MAX_POINTS
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    pictures: tuple[Shown, ...] = field(default=(), repr=False)
    sandbox: str = ""
    run: str = ""
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> float:
        """The points that are missing to full marks; 0 where no mark was recorded."""
        return 0.0 if self.points is None else max(0.0, self.max_points - self.points)

    @property
    def mistakes(self) -> list[str]:
        """What went wrong, one sentence each, in reading order; what is only blocked left out."""
        failed = [finding.title for finding in self.findings if finding.passed is False]
        if not failed and self.status is not Status.PASSED:
            return [_sentence(self.reason or str(self.status))]
        return list(dict.fromkeys(failed))

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; without the pictures."""
        return {
            "exercise": self.exercise,
            "status": str(self.status),
            "points": self.points,
            "max_points": self.max_points,
            "reason": self.reason,
            "sandbox": self.sandbox,
            "run": self.run,
            "notes": list(self.notes),
            "findings": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True)
class StudentResult:
    """One student's results, one for each exercise of the assignment."""

    student: str
    exercises: tuple[ExerciseResult, ...]

    @property
    def points(self) -> float:
        """The sum of the marks that were recorded."""
        return sum(result.points or 0.0 for result in self.exercises)

    @property
    def max_points(self) -> float:
        """What could be had."""
        return sum(result.max_points for result in self.exercises)

    @property
    def needs_person(self) -> bool:
        """Is there an exercise on which the grader didn't decide?"""
        return any(not result.status.has_mark for result in self.exercises)


@dataclass(frozen=True)
class MistakeCount:
    """One mistake over the whole class."""

    exercise: str
    mistake: str
    students: tuple[str, ...]
    points_lost: float
    advice: str = ""
    pictures: tuple[Shown, ...] = field(default=(), repr=False)
    pictured: str = ""


@dataclass(frozen=True)
class ClassResults:
    """A class's results in one assignment."""

    assignment: str
    students: tuple[StudentResult, ...]

    @property
    def max_points(self) -> float:
        """What one student could have."""
        return max((student.max_points for student in self.students), default=0.0)

    @property
    def without_sandbox(self) -> list[str]:
        """The students of whom an exercise was run without one."""
        return [student.student for student in self.students
                if any(result.sandbox == "none" for result in student.exercises)]

    @property
    def notes(self) -> list[tuple[str, ExerciseResult]]:
        """All (student, result) with something worth knowing."""
        return [(student.student, result) for student in self.students
                for result in student.exercises if result.notes]

    @property
    def needs_person(self) -> list[tuple[str, ExerciseResult]]:
        """All (student, result) on which the grader didn't decide."""
        return [(student.student, result) for student in self.students
                for result in student.exercises if not result.status.has_mark]

    def counts(self) -> dict[Status, int]:
        """How many exercises ended in which status, only those that occur."""
        every = [result.status for student in self.students for result in student.exercises]
        return {status: every.count(status) for status in Status if status in every}

    def mistakes(self) -> list[MistakeCount]:
        """What the class got wrong, the dearest first; without what nobody wrote or handed in."""
        found: dict[tuple[str, str], list[_Entry]] = {}
        for student in self.students:
            for result in student.exercises:
                for mistake, lost, advice in priced_mistakes(result):
                    entry = (student.student, lost, advice, result.pictures)
                    found.setdefault((result.exercise, mistake), []).append(entry)
        counted = [_count(exercise, mistake, entries)
                   for (exercise, mistake), entries in found.items()]
        return sorted(counted, key=lambda count: (-count.points_lost, count.mistake))


_Entry = tuple[str, float, str, tuple[Shown, ...]]  # student, points lost, advice, pictures


def _count(exercise: str, mistake: str, entries: list[_Entry]) -> MistakeCount:
    pictured, pictures = next(((who, shown) for who, _, _, shown in entries if shown), ("", ()))
    return MistakeCount(
        exercise=exercise,
        mistake=mistake,
        students=tuple(student for student, *_ in entries),
        points_lost=sum(lost for _, lost, _, _ in entries),
        advice=next((advice for _, _, advice, _ in entries if advice), ""),
        pictures=pictures,
        pictured=pictured,
    )


def priced_mistakes(result: ExerciseResult) -> Iterator[tuple[str, float, str]]:
    """Each mistake of a result once, with the points of all findings that it explains.

    A finding that was blocked counts with what blocked it.
    """
    if result.status in _NOTHING_TO_SEE or not result.lost:
        return
    failed = [finding for finding in result.findings if finding.passed is False]
    if not failed:
        yield result.mistakes[0], result.lost, ""
        return
    titles = {finding.name: finding.title for finding in failed}
    first = failed[0].title
    lost: dict[str, float] = dict.fromkeys(titles.values(), 0.0)
    for finding in result.findings:
        if not finding.passed:
            lost[titles.get(finding.name) or titles.get(finding.blocked_by) or first] += (
                finding.lost
            )
    for title, points in lost.items():
        advice = next((f.advice for f in failed if f.title == title and f.advice), "")
        yield title, points, advice


def spread(totals: Iterable[float], most: float, steps: int) -> list[int]:
    """How many totals lie in each of ``steps`` equal parts up to ``most``, the last one closed."""
    counts = [0] * steps
    for total in totals:
        counts[min(int(total / (most or 1.0) * steps), steps - 1)] += 1
    return counts


_NOTHING_TO_SEE = (Status.NOT_GRADED, Status.NOT_ATTEMPTED, Status.MISSING)


def _sentence(text: str) -> str:
    """The text with a capital letter, unless it begins with a name such as a function's."""
    name = "_" in text.partition(" ")[0]
    return text if name else text[:1].upper() + text[1:]


def first_sentence(text: str) -> str:
    """The text up to its first full stop that ends a sentence."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`]|\w+\()", text.strip(), maxsplit=1)[0]


# -- from what the check wrote ---------------------------------------------------------------


def read_verdict(
    data: Any, exercise: str, pictures: tuple[Shown, ...] = ()
) -> ExerciseResult | None:
    """The result in a verdict's JSON form, or None where it isn't one for this exercise."""
    if not isinstance(data, Mapping):
        return None
    named = data.get("exercise", exercise)
    points, max_points = _number(data.get("points")), _number(data.get("max_points"))
    try:
        status = Status(str(data.get("status", "")))
    except ValueError:
        return None
    if named != exercise or not max_points or max_points < 0:
        return None
    if points is None and status.has_mark:
        return None
    return ExerciseResult(
        exercise=exercise,
        status=status,
        points=min(max(points, 0.0), max_points) if points is not None and status.has_mark
        else None,
        max_points=max_points,
        findings=tuple(_findings(data.get("findings"))),
        reason=_text(data.get("message")),
        pictures=pictures,
        sandbox=_text(data.get("sandbox")),
        run=_text(data.get("run")),
        notes=tuple(map(_text, data["notes"][:10])) if isinstance(data.get("notes"), list) else (),
    )


def _findings(items: Any) -> Iterator[Finding]:
    for item in items[:_MAX_FINDINGS] if isinstance(items, list) else []:
        if isinstance(item, Mapping) and item.get("name"):
            yield Finding(
                name=_text(item["name"]),
                passed=item.get("passed") if item.get("passed") in (True, None) else False,
                points=_number(item.get("points")) or 0.0,
                max_points=_number(item.get("max_points")) or 0.0,
                **{key: _text(item.get(key)) for key in _TEXTS},
            )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_MAX_TEXT]


def verdict_in(cell: Any, exercise: str) -> ExerciseResult | None:
    """The result in the output of a check cell, or None where no verdict is there."""
    found = None
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result":
            data = output.data.get(VERDICT_MIME)
            pictures = pictures_in(output.data.get("text/html"))
            found = read_verdict(data, exercise, pictures) or found
    return found


def pictures_in(html: Any) -> tuple[Shown, ...]:
    """The pictures of the first difference that a verdict's HTML shows.

    Of the HTML nothing is used but the letters of PNGs, made anew, and captions from a known list.
    """
    text = "".join(map(str, html)) if isinstance(html, list) else str(html or "")
    for panel in text[:_MAX_HTML].split(_PANEL)[1:]:
        found = _PICTURE.findall(panel)[:_MAX_PICTURES]
        if any(caption.startswith("difference") for caption, _ in found):
            clean = ((caption, safe_picture(letters)) for caption, letters in found)
            return tuple(Shown(caption, png) for caption, png in clean if png)
    return ()


def safe_picture(encoded: Any) -> bytes | None:
    """A PNG out of a notebook's output, decoded and encoded again; None if it isn't one."""
    from PIL import Image

    if isinstance(encoded, list):
        encoded = "".join(map(str, encoded))
    if not isinstance(encoded, str) or len(encoded) > _MAX_PICTURE_BYTES:
        return None
    try:
        raw = base64.b64decode(encoded)
        with Image.open(io.BytesIO(raw), formats=["PNG"]) as picture:
            if picture.width * picture.height > _MAX_PICTURE_PIXELS:
                return None
            clean = picture.convert("RGB")
    except (binascii.Error, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    clean.thumbnail((1200, 1200))
    out = io.BytesIO()
    clean.save(out, format="PNG", optimize=True)
    return out.getvalue()


# -- from a course ---------------------------------------------------------------------------


def read_results(course: Course, students: Iterable[str] | None = None) -> ClassResults:
    """The results of a course's students (all, unless named), as the last grading left them."""
    names = course.students() if students is None else list(students)
    return ClassResults(
        assignment=course.assignment,
        students=tuple(
            StudentResult(name, tuple(read_result(course, name, exercise)
                                      for exercise in course.exercises))
            for name in names
        ),
    )


def read_result(course: Course, student: str, exercise: str) -> ExerciseResult:
    """One student's result in one exercise, as the last grading left it."""
    from cs231n_utils.grading.faults import read_fault
    from cs231n_utils.grading.submission import (
        UnreadableNotebookError,
        cells_in_order,
        is_check,
        read_notebook,
    )

    def not_graded(reason: str) -> ExerciseResult:
        return ExerciseResult(exercise, Status.NOT_GRADED, points=None, reason=reason)

    if not course.submission(student, exercise).is_file():
        return ExerciseResult(exercise, Status.MISSING, reason="the notebook was not handed in")
    fault = read_fault(course, student, exercise)
    if fault:
        return not_graded(fault)
    if not course.graded(student, exercise).is_file():
        return not_graded("not graded yet: run `cs231n grade`")
    try:
        notebook = read_notebook(course.graded(student, exercise))
    except UnreadableNotebookError as error:
        return not_graded(str(error))
    for cell in cells_in_order(notebook):
        if is_check(cell):
            result = verdict_in(cell, exercise)
            if result is not None:
                return result
    return not_graded("the autograded notebook holds no verdict")
