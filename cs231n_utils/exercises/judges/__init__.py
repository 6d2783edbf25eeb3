"""The judges: `(probes, observations) -> verdict`. None of this runs beside student code."""

from cs231n_utils.exercises.judges import class_visualization, fooling, saliency

JUDGES = {module.EXERCISE: module for module in (saliency, fooling, class_visualization)}
"""Each exercise's module: `make_probes(rng)` and `judge(probes, observations)`."""
