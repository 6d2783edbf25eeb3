"""What the three judges share: comparing by value, and findings that wait for others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_utils.exercises.observe import Observation
from cs231n_utils.exercises.verdict import Finding, Mistake

TOLERANCE = 1e-3
"""Largest difference from the reference, relative to the reference's largest value.

Right solutions in float32 come within 1e-5 of the float64 reference on these probes (the tests
measure it), on large networks within 1e-4; the nearest mistakes are off by several percent.
"""


def distance(yours: NDArray[Any], reference: NDArray[Any]) -> float:
    """Largest |yours - reference|, relative to the largest |reference|; inf unless comparable."""
    if yours.shape != reference.shape or not np.isfinite(yours).all():
        return float("inf")
    scale = float(np.abs(reference).max())
    return float(np.abs(yours - reference).max()) / scale if scale > 0 else float("inf")


def agrees(yours: NDArray[Any], reference: NDArray[Any], tolerance: float = TOLERANCE) -> bool:
    """Whether two arrays are the same within the tolerance."""
    return distance(yours, reference) <= tolerance


def blocked(name: str, points: float, by: str) -> Finding:
    """A finding that can't be looked at until another one passes."""
    return Finding(name, None, points, blocked_by=by)


def found(
    name: str,
    passed: bool,
    points: float,
    *,
    expected: str = "",
    got: str = "",
    mistake: Mistake | None = None,
    advice: str = "",
) -> Finding:
    """A finding; what was expected, what came and what to do are kept only where it failed."""
    if passed:
        return Finding(name, True, points)
    return Finding(
        name,
        False,
        points,
        expected=expected,
        got=got,
        mistake=mistake,
        advice=mistake.next_step if mistake and not advice else advice,
    )


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as a student writes it: (5, 20, 28)."""
    return f"({', '.join(str(side) for side in shape)}{',' if len(shape) == 1 else ''})"


def what_came(seen: Observation, wanted: str = "an array of numbers") -> str:
    """What came back, in words, where it can't be compared."""
    if seen.raised is not None:
        return str(seen.raised)
    if seen.stopped == "calls":
        return f"no result: the checker stopped your function after {seen.calls - 1} passes"
    if seen.stopped:
        return "no result: your function did not come to an end, and was stopped"
    result = seen.arrays.get("result")
    if result is None:
        return f"{seen.result_type}, which is not {wanted}"
    return f"an array of shape {shape_text(result.shape)}"
