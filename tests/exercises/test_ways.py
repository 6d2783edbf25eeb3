"""Every right way earns full marks, every wrong way less, and its mistake is named."""

from functools import cache
from zlib import crc32

import pytest
from ways import class_visualization, fooling, saliency

from cs231n_utils.exercises import EXERCISES, check, make_probes

TABLES = dict(zip(EXERCISES, (saliency, fooling, class_visualization), strict=True))
RIGHT = [(exercise, name) for exercise, table in TABLES.items() for name in table.RIGHT]
WRONG = [(exercise, name) for exercise, table in TABLES.items() for name in table.WRONG]
SEEDS = {"saliency_maps": (1, 2, 3), "fooling_images": (1, 2), "class_visualization": (1, 2)}


@cache
def verdict_on_wrong(exercise, name):
    """One verdict for each wrong way, each on probes of its own."""
    return check(exercise, TABLES[exercise].WRONG[name][0], seed=crc32(name.encode()))


@pytest.mark.parametrize(("exercise", "name"), RIGHT)
def test_a_right_way_earns_full_marks(exercise, name):
    for seed in SEEDS[exercise]:
        verdict = check(exercise, TABLES[exercise].RIGHT[name], seed=seed)
        assert verdict.passed, verdict
        assert verdict.points == verdict.max_points == 10


@pytest.mark.parametrize(("exercise", "name"), WRONG)
def test_a_wrong_way_loses_points_and_its_mistake_is_named(exercise, name):
    _, mistake = TABLES[exercise].WRONG[name]
    verdict = verdict_on_wrong(exercise, name)
    assert not verdict.passed
    assert verdict.points < 10
    named = [m.id for m in verdict.mistakes]
    assert mistake in named if mistake else not named, verdict


@pytest.mark.parametrize("exercise", EXERCISES)
def test_each_finding_rejects_three_wrong_ways_and_accepts_two_right_ones(exercise):
    table, rejected, accepted = TABLES[exercise], {}, {}
    for function in list(table.RIGHT.values())[:2]:
        for finding in check(exercise, function, seed=4).findings:
            accepted[finding.name] = accepted.get(finding.name, 0) + (finding.passed is True)
    for name in table.WRONG:
        for finding in verdict_on_wrong(exercise, name).findings:
            if finding.passed is False:
                rejected.setdefault(finding.name, []).append(name)
    assert set(accepted.values()) == {2}
    assert {name: len(rejected.get(name, [])) >= 3 for name in accepted} == dict.fromkeys(
        accepted, True
    ), rejected


NOTHING = {
    "saliency_maps": ("zeros", "nan", "ones", "X itself", "None", "text", "raises"),
    "fooling_images": ("copy of X", "nan", "constant", "None", "raises"),
    "class_visualization": ("untouched", "nan", "a grey picture", "None", "raises"),
}


@pytest.mark.parametrize(
    ("exercise", "name"),
    [(exercise, name) for exercise, names in NOTHING.items() for name in names],
)
def test_what_solves_nothing_earns_next_to_nothing(exercise, name):
    assert verdict_on_wrong(exercise, name).points <= 2


def test_a_genuine_picture_of_the_target_class_does_not_pass_for_a_fooling_image():
    probes = {p.target: p for p in make_probes("fooling_images", 6) if p.name == "few classes"}
    ((target, probe),) = probes.items()

    def genuine(X, target_y, model):
        """Something that the network honestly takes for the target, far from X."""
        if target_y != target or X.shape != probe.arrays["X"].shape:
            return X
        return fooling.made(start=lambda x: 3 * x.flip(2))(X, target_y, model)

    assert check("fooling_images", genuine, seed=6).points <= 7
