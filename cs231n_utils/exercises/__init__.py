"""The three exercises: what is asked, what came back, and what to make of it.

    probes = make_probes("saliency_maps", seed=1)               # questions, as plain data
    seen = [observe(function, probe) for probe in probes]       # beside student code
    verdict = judge("saliency_maps", probes, seen)              # never beside it, for marks

`check` does all three in one process, for learning.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cs231n_utils.exercises.observe import Observation, observe
from cs231n_utils.exercises.probes import Probe
from cs231n_utils.exercises.verdict import (
    MIME_TYPE,
    CheckerFault,
    Finding,
    Mistake,
    Picture,
    Status,
    Verdict,
)

__all__ = [
    "EXERCISES",
    "MIME_TYPE",
    "CheckerFault",
    "Finding",
    "Mistake",
    "Observation",
    "Picture",
    "Probe",
    "Status",
    "Verdict",
    "check",
    "judge",
    "make_probes",
    "observe",
]

EXERCISES: dict[str, str] = {
    "saliency_maps": "compute_saliency_maps",
    "fooling_images": "make_fooling_image",
    "class_visualization": "create_class_visualization",
}
"""The exercises, in order, and the name of the function that each asks for."""

MAX_POINTS = 10.0


def check(exercise: str, function: Callable[..., Any], seed: int | None = None) -> Verdict:
    """Check a function against its exercise's contract.

    Args:
        exercise: a key of `EXERCISES`.
        function: the student's function.
        seed: 0 or more; the same seed asks the same questions. None asks fresh ones.

    Returns:
        The verdict: up to 10 points, and a finding for each thing looked at.

    Raises:
        ValueError: there is no such exercise.
        TypeError: `function` can't be called.
        CheckerFault: the checker itself broke. Nothing was graded.
    """
    _known(exercise)
    if not callable(function):
        raise TypeError(
            f"check({exercise!r}, ...) expects the function {EXERCISES[exercise]} itself, without "
            f"brackets; got {type(function).__name__}"
        )
    if not _judges_are_here():
        message = "Here your function is only watched; what it is worth is decided elsewhere."
        return Verdict(exercise, "not graded", max_points=MAX_POINTS, message=message)
    seed = secrets.randbelow(2**31) if seed is None else seed
    try:
        probes = make_probes(exercise, seed)
    except Exception as error:
        raise _fault(exercise, seed, error) from error
    observations: list[Observation] = []
    for probe in probes:
        try:
            observations.append(observe(function, probe))
        except Exception as error:  # what the function raises is recorded; this is ours
            raise _fault(exercise, seed, error) from error
        if observations[-1].unwritten:
            break  # a stub says the same to every probe
    return judge(exercise, probes, observations, seed)


@lru_cache(maxsize=8)
def make_probes(exercise: str, seed: int) -> tuple[Probe, ...]:
    """The probes of an exercise; the same seed gives the same ones.

    Raises:
        ValueError: there is no such exercise.
    """
    _known(exercise)
    from cs231n_utils.exercises.judges import JUDGES

    rng = np.random.default_rng([seed, list(EXERCISES).index(exercise)])
    with _one_thread():
        return tuple(JUDGES[exercise].make_probes(rng))


def judge(
    exercise: str,
    probes: Sequence[Probe],
    observations: Sequence[Observation],
    seed: int | None = None,
) -> Verdict:
    """Judge what a function did on the probes of an exercise.

    Args:
        exercise: a key of `EXERCISES`.
        probes: as `make_probes` gave them.
        observations: one for each probe, or fewer when one found the stub unwritten.
        seed: noted in the verdict.

    Raises:
        ValueError: there is no such exercise.
        CheckerFault: the judge itself broke. Nothing was graded.
    """
    _known(exercise)
    from cs231n_utils.exercises.judges import JUDGES

    verdict = _without_judging(exercise, observations)
    if verdict is None:
        try:
            seen = {observation.probe: observation for observation in observations}
            with _one_thread():
                verdict = JUDGES[exercise].judge(probes, seen)
        except Exception as error:
            raise _fault(exercise, seed, error) from error
    return replace(verdict, seed=seed)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks are fastest, and a busy machine's other users happiest, on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _without_judging(exercise: str, observations: Sequence[Observation]) -> Verdict | None:
    """The verdict where there is nothing to look at: an untouched stub, or errors only."""
    if any(seen.unwritten for seen in observations):
        message = f"{EXERCISES[exercise]} is not written yet."
        return Verdict(exercise, "not attempted", max_points=MAX_POINTS, message=message)
    raised = [seen.raised for seen in observations]
    first = raised[0] if raised else None
    if first is not None and all(raised):
        message = f"{EXERCISES[exercise]} raised {first}"
        return Verdict(exercise, "raised", max_points=MAX_POINTS, message=message)
    return None


def _judges_are_here() -> bool:
    """Not beside a submission that is being graded: the grader's sandbox covers them."""
    return (Path(__file__).parent / "judges" / "__init__.py").is_file()


def _fault(exercise: str, seed: int | None, error: Exception) -> CheckerFault:
    message = (
        f"The checker of {exercise} failed, so nothing was graded; your work is not at fault. "
        f"Please report this: {type(error).__name__}: {error} (seed {seed})"
    )
    verdict = Verdict(exercise, "not graded", max_points=MAX_POINTS, seed=seed, message=message)
    return CheckerFault(message, verdict)


def _known(exercise: str) -> None:
    if exercise not in EXERCISES:
        raise ValueError(f"no exercise {exercise!r}; there are {', '.join(EXERCISES)}")
