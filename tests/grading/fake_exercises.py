"""Stands in for cs231n_utils.exercises: the function has to return 42, half of it earns half."""

from __future__ import annotations

import numpy as np

from cs231n_utils.exercises import CheckerFault, Finding, Mistake, Verdict, _without_judging
from cs231n_utils.exercises.probes import NetworkSpec, Probe

HALF = Mistake("fake/half", "It is half of the answer.", "Double it.", "Think again.")


def make_probes(exercise, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(1, 3, 8, 8)).astype(np.float32)
    return (Probe(exercise, "one", NetworkSpec(3), {"X": X, "y": np.array([1])}, target=1),)


def judge(exercise, probes, observations, seed=None):
    verdict = _without_judging(exercise, observations)
    if verdict is not None:
        return verdict
    seen = observations[0]
    if seen.result_type == "str":
        broke = Verdict(exercise, "not graded", message="the checker broke")
        raise CheckerFault("the checker broke", broke)
    got = seen.arrays.get("result")
    got = float(got) if got is not None and got.size == 1 else None
    right, half = got == 42, got == 21
    findings = (Finding("the first half is right", right or half, 5.0),
                Finding("the answer is right", right, 5.0, expected="42", got=str(got),
                        mistake=HALF if half else None, advice="Think again."))
    return Verdict(exercise, "passed" if right else "failed", findings)
