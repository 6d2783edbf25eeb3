"""What the checks answer: a verdict, its findings, and the mistakes that explain them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["passed", "failed", "not attempted", "raised", "not graded"]

MIME_TYPE = "application/vnd.cs231n.verdict+json"
"""The notebook output that carries `Verdict.to_dict()`, for whoever reads notebooks as data."""


class CheckerFault(RuntimeError):  # noqa: N818  a fault, in the words of the design
    """The checker itself broke: nothing was graded, and that is no statement about the work.

    Attributes:
        verdict: a verdict with the status "not graded" and no points.
    """

    def __init__(self, message: str, verdict: Verdict) -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True)
class Mistake:
    """A known way to be wrong.

    Attributes:
        id: short and stable, such as "saliency/cross-entropy".
        what: one sentence that says what was computed.
        why: why it matters.
        next_step: one thing to do next; it does not give the code away.
    """

    id: str
    what: str
    why: str
    next_step: str


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: the sentence that a student reads.
        passed: whether it holds; None while another finding must pass first.
        points, max_points: what it earned, and what it can earn.
        expected, got: what should have come and what came; empty where it passed.
        mistake: the mistake that explains it, where one is established.
        advice: one next step.
        blocked_by: the name of the finding that must pass first.
    """

    name: str
    passed: bool | None
    max_points: float
    expected: str = ""
    got: str = ""
    mistake: Mistake | None = None
    advice: str = ""
    blocked_by: str = ""

    @property
    def points(self) -> float:
        return self.max_points if self.passed else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `mistake` is the id, `explanation` its sentences."""
        return {
            "name": self.name,
            "passed": self.passed,
            "points": self.points,
            "max_points": self.max_points,
            "expected": self.expected,
            "got": self.got,
            "mistake": self.mistake.id if self.mistake else None,
            "explanation": f"{self.mistake.what} {self.mistake.why}" if self.mistake else "",
            "advice": self.advice,
            "blocked_by": self.blocked_by,
        }


@dataclass(frozen=True)
class Picture:
    """Two arrays to be shown side by side, with their difference.

    Attributes:
        title: what is shown.
        yours, reference: (H, W) maps or (H, W, 3) images, of any float type.
        original: the (H, W, 3) image they belong to, in [0, 1], if there is one.
        passed: whether the two agree.
        signed: whether zero is the middle of the scale.
    """

    title: str
    yours: NDArray[Any]
    reference: NDArray[Any]
    original: NDArray[Any] | None = None
    passed: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        exercise: "saliency_maps", "fooling_images" or "class_visualization".
        status: "passed" (full marks), "failed", "not attempted" (the stub is untouched),
            "raised" (the function raised everywhere), "not graded" (the checker broke).
        findings: what was looked at, in the order in which to read it.
        max_points: what the exercise can earn.
        seed: gives the same probes again: `check(exercise, function, seed=verdict.seed)`.
        message: one sentence for a status that findings alone don't explain.
        remarks: worth knowing, but costs nothing.
        pictures: yours beside the reference.
    """

    exercise: str
    status: Status
    findings: tuple[Finding, ...] = ()
    max_points: float = 10.0
    seed: int | None = None
    message: str = ""
    remarks: tuple[Mistake, ...] = ()
    pictures: tuple[Picture, ...] = field(default=(), repr=False)

    @property
    def points(self) -> float | None:
        """Points earned, 0 to `max_points`; None when nothing was graded."""
        if self.status == "not graded":
            return None
        return float(sum(finding.points for finding in self.findings))

    @property
    def passed(self) -> bool:
        """Whether it earned full marks."""
        return self.status == "passed"

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The mistakes named in the findings, each once, in reading order."""
        named = {f.mistake.id: f.mistake for f in self.findings if f.mistake is not None}
        return tuple(named.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain data without the pictures, fit for JSON."""
        return {
            "exercise": self.exercise,
            "status": self.status,
            "points": self.points,
            "max_points": self.max_points,
            "passed": self.passed,
            "message": self.message,
            "findings": [finding.to_dict() for finding in self.findings],
            "remarks": [vars(remark) for remark in self.remarks],
            "seed": self.seed,
        }

    def __str__(self) -> str:
        from cs231n_utils.exercises.display import as_text

        return as_text(self)

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> Mapping[str, Any]:
        """Text is the bare points, which stock nbgrader reads as partial credit."""
        from cs231n_utils.exercises.display import as_html

        points = "not graded" if self.points is None else f"{self.points:g}"
        return {"text/plain": points, "text/html": as_html(self), MIME_TYPE: self.to_dict()}


def settle(
    exercise: str,
    findings: Sequence[Finding],
    *,
    remarks: Sequence[Mistake] = (),
    pictures: Sequence[Picture] = (),
    status: Status | None = None,
    message: str = "",
) -> Verdict:
    """Make a verdict of findings; without a status they decide between passed and failed."""
    if status is None:
        status = "passed" if all(finding.passed for finding in findings) else "failed"
    return Verdict(
        exercise=exercise,
        status=status,
        findings=tuple(findings),
        max_points=float(np.sum([finding.max_points for finding in findings])),
        message=message,
        remarks=tuple(remarks),
        pictures=tuple(pictures),
    )
