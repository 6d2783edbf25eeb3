"""What came of a run, counted out of the journal: no notebook is read for it."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, field

from cs231n_utils.grading.course import Course
from cs231n_utils.grading.grade import Run
from cs231n_utils.grading.journal import Journal
from cs231n_utils.grading.results import Status, spread
from cs231n_utils.grading.task import Job

_STEP = 5.0


@dataclass(frozen=True)
class Mistake:
    """One mistake of the class: in how many notebooks, and what it cost them together."""

    exercise: str
    mistake: str
    count: int
    lost: float


@dataclass
class Tally:
    """A run, and the class's marks after it. ``points``: students by their total, (low, high)."""

    run: str
    seconds: float
    graded: int
    unchanged: int
    left: int
    counts: dict[Status, int] = field(default_factory=dict)
    points: dict[tuple[float, float], int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    needs_person: list[tuple[Job, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """For machines."""
        plain = asdict(self) | {
            "counts": {str(status): count for status, count in self.counts.items()},
            "points": [{"from": low, "to": high, "students": count}
                       for (low, high), count in self.points.items()],
            "needs_person": [asdict(job) | {"reason": reason} for job, reason in self.needs_person],
        }
        return json.dumps(plain, indent=1, ensure_ascii=False)


def tally(course: Course, run: Run, students: list[str] | None = None) -> Tally:
    """Count what the journal has of these students; of all unless named."""
    made = Tally(run.name, run.seconds, len(run.graded), len(run.unchanged), run.left)
    counts: Counter[Status] = Counter()
    totals: dict[str, float] = {}
    most: dict[str, float] = {}
    mistakes: dict[tuple[str, str], list[float]] = {}
    wanted = None if students is None else set(students)
    journal = Journal(course)
    try:
        for outcome in journal.outcomes():
            job = outcome.job
            if wanted is not None and job.student not in wanted:
                continue
            counts[outcome.status] += 1
            totals[job.student] = totals.get(job.student, 0.0) + (outcome.points or 0.0)
            most[job.exercise] = max(most.get(job.exercise, 0.0), outcome.max_points)
            if not outcome.status.has_mark:
                made.needs_person.append((job, outcome.reason))
            for sentence, lost in outcome.mistakes:
                mistakes.setdefault((job.exercise, sentence), []).append(lost)
    finally:
        journal.close()
    made.counts = dict(counts.most_common())
    undecided = {job.student for job, _ in made.needs_person}
    decided = [total for student, total in totals.items() if student not in undecided]
    steps = math.ceil(sum(most.values()) / _STEP)
    if steps:
        made.points = {(step * _STEP, (step + 1) * _STEP): count
                       for step, count in enumerate(spread(decided, steps * _STEP, steps))}
    made.mistakes = sorted(
        (Mistake(exercise, sentence, len(lost), sum(lost))
         for (exercise, sentence), lost in mistakes.items()),
        key=lambda each: (-each.lost, each.mistake))
    return made
