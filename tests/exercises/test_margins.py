"""The tolerances stand far from right solutions and far from the nearest mistake."""

import numpy as np
import pytest
import torch

from cs231n_utils.exercises import make_probes, observe
from cs231n_utils.exercises.judges import class_visualization, common, fooling, saliency

SEEDS = range(4)


def run(exercise, function, seed):
    return {p.name: (p, observe(function, p)) for p in make_probes(exercise, seed)}


@pytest.mark.parametrize("seed", SEEDS)
def test_maps_in_float32_stay_within_a_tenth_of_the_tolerance(seed):
    from ways.saliency import RIGHT

    seen = run("saliency_maps", RIGHT["autograd_grad_on_copy"], seed)
    for name in (*saliency.BATCH_PROBES, "one", *saliency.MODE_PROBES):
        probe, observation = seen[name]
        off = common.distance(observation.arrays["result"], saliency.RIGHT.map(probe))
        assert off <= common.TOLERANCE / 10, name


@pytest.mark.parametrize("seed", SEEDS)
def test_every_known_wrong_map_is_ten_tolerances_off(seed):
    probe = make_probes("saliency_maps", seed)[0]
    right = saliency.RIGHT.map(probe)
    for how in saliency.explanations():
        if how.changes == 1 or how.objective_mistake:
            wrong = how.map(probe)
            same_by_definition = how.sign < 0 and how.reduction.name == "" and how.scale[0] == ""
            if not same_by_definition and np.isfinite(wrong).all():
                assert common.distance(wrong, right) >= 10 * common.TOLERANCE, how


@pytest.mark.parametrize("seed", SEEDS)
def test_fooling_steps_in_float32_stay_within_a_tenth_of_the_tolerance(seed):
    from ways.fooling import RIGHT

    seen = run("fooling_images", RIGHT["autograd_grad"], seed)
    for name in fooling.STEP_PROBES:
        path = fooling.Trajectory(*seen[name])
        assert len(path.steps) >= 3
        off = np.linalg.norm(path.steps - fooling.RIGHT.directions(path), axis=(2, 3)).max()
        assert off <= fooling.TOLERANCE / 10


@pytest.mark.parametrize("seed", SEEDS)
def test_every_other_fooling_direction_is_ten_tolerances_off(seed):
    from ways.fooling import RIGHT

    seen = run("fooling_images", RIGHT["autograd_grad"], seed)
    paths = [fooling.Trajectory(*seen[name]) for name in fooling.STEP_PROBES]
    for how in fooling.explanations():
        if how.changes == 1:
            off = max(
                float(np.sqrt(((p.steps - how.directions(p)) ** 2).sum(axis=(1, 2, 3))).max())
                for p in paths
            )
            assert off >= 10 * fooling.TOLERANCE, how


@pytest.mark.parametrize("seed", SEEDS)
def test_visualization_steps_in_float32_stay_within_a_tenth_of_the_tolerance(seed):
    from ways.class_visualization import RIGHT

    seen = run("class_visualization", RIGHT["autograd_grad"], seed)
    for name in class_visualization.STEP_PROBES:
        steps = class_visualization.Steps(*seen[name])
        for t in steps.visible:
            fit = class_visualization.fit(class_visualization.Explanation(), steps, t)
            tolerance = class_visualization.TOLERANCE / 10
            assert fit.rest <= tolerance
            assert abs(fit.a / steps.learning_rate - 1) <= tolerance
            assert abs(fit.context.r / (-2 * steps.l2_reg) - 1) <= tolerance


@pytest.mark.parametrize("seed", SEEDS)
def test_every_other_visualization_direction_is_ten_tolerances_off(seed):
    from ways.class_visualization import RIGHT

    seen = run("class_visualization", RIGHT["autograd_grad"], seed)
    loops = [class_visualization.Steps(*seen[name]) for name in class_visualization.STEP_PROBES]
    for way in class_visualization._directions():
        # The logarithm of one score has its direction; its length tells the two apart.
        if way.changes == 1 and way.objective.name != "log-score":
            rest = max(class_visualization.fit(way, s, t).rest for s in loops for t in s.visible)
            assert rest >= 10 * class_visualization.TOLERANCE, way


def test_threads_change_nothing_that_counts():
    from ways.saliency import RIGHT

    probe = make_probes("saliency_maps", 0)[0]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert common.agrees(
            observe(RIGHT["autograd_grad_on_copy"], probe).arrays["result"],
            saliency.RIGHT.map(probe),
            common.TOLERANCE / 10,
        )
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
