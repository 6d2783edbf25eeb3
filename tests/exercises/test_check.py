"""What `check` promises, whatever the exercise: seeds, statuses, tidiness, and its display."""

import contextlib
import json
import random
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ways import class_visualization, fooling, saliency

from cs231n_utils import exercises
from cs231n_utils.exercises import (
    EXERCISES,
    MIME_TYPE,
    CheckerFault,
    check,
    make_probes,
    observe,
)

RIGHT = {
    "saliency_maps": saliency.RIGHT["backward_on_callers_tensor"],
    "fooling_images": fooling.RIGHT["backward_and_clear"],
    "class_visualization": class_visualization.RIGHT["backward_and_clear"],
}


def compute_saliency_maps(X, y, model):
    raise NotImplementedError("compute_saliency_maps: your code goes between the lines")


def raises_torchs_own(X, y, model):
    raise_from_torch = torch.zeros(2, dtype=torch.complex64)
    return raise_from_torch.argmax()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_same_seed_asks_the_same_and_says_the_same(exercise):
    one, other = (make_probes.__wrapped__(exercise, 11) for _ in range(2))
    for mine, yours in zip(one, other, strict=True):
        assert replace(mine, arrays={}) == replace(yours, arrays={})
        assert all(np.array_equal(mine.arrays[k], yours.arrays[k]) for k in mine.arrays)
    function = RIGHT[exercise]
    assert check(exercise, function, 11).to_dict() == check(exercise, function, 11).to_dict()


def test_no_seed_asks_afresh_and_says_which_it_took():
    verdicts = [check("saliency_maps", RIGHT["saliency_maps"]) for _ in range(3)]
    assert len({verdict.seed for verdict in verdicts}) == 3


def test_an_untouched_stub_is_not_attempted_and_shows_no_stack_trace():
    for exercise in EXERCISES:
        verdict = check(exercise, lambda *a, **kw: compute_saliency_maps(*a[:3]), seed=0)
        assert verdict.status == "not attempted"
        assert verdict.points == 0
        assert "Traceback" not in str(verdict)


def test_torchs_own_not_implemented_is_an_error_not_a_stub():
    verdict = check("saliency_maps", raises_torchs_own, seed=0)
    assert verdict.status == "raised"


def test_an_error_is_told_with_the_students_own_line():
    def compute_saliency_maps(X, y, model):
        return X.no_such_thing

    verdict = check("saliency_maps", compute_saliency_maps, seed=0)
    assert verdict.status == "raised"
    assert verdict.points == 0
    assert "no_such_thing" in verdict.message
    assert "`return X.no_such_thing`" in verdict.message


def test_leaving_python_is_an_error_like_any_other():
    def compute_saliency_maps(X, y, model):
        raise SystemExit(0)

    assert check("saliency_maps", compute_saliency_maps, seed=0).status == "raised"


@pytest.mark.parametrize("part", ["make_probes", "judge"])
@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_fault_of_the_checker_is_not_graded_and_never_zero(exercise, part, monkeypatch):
    from cs231n_utils.exercises.judges import JUDGES

    def broken(*args):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(JUDGES[exercise], part, broken)
    with pytest.raises(CheckerFault, match="not at fault") as caught:
        check(exercise, RIGHT[exercise], seed=987_654)
    verdict = caught.value.verdict
    assert verdict.status == "not graded"
    assert verdict.points is None
    assert verdict._repr_mimebundle_()["text/plain"] == "not graded"


def test_a_network_that_cannot_be_loaded_is_a_fault_of_the_checker(monkeypatch):
    import cs231n_utils.models

    def damaged(name):
        raise OSError("standard.safetensors is damaged")

    make_probes("fooling_images", 21)
    monkeypatch.setattr(cs231n_utils.models, "load_model", damaged)
    with pytest.raises(CheckerFault, match="damaged"):
        check("fooling_images", RIGHT["fooling_images"], seed=21)


def test_an_endless_loop_that_calls_the_network_is_stopped():
    verdict = check("fooling_images", fooling.WRONG["for ever"][0], seed=0)
    assert "fooling/unreachable" in {remark.id for remark in verdict.remarks}
    assert verdict.points < 10


def test_an_endless_loop_that_swallows_exceptions_is_stopped():
    def stubborn(X, target_y, model):
        while True:
            with contextlib.suppress(Exception):
                model(X)

    assert check("fooling_images", stubborn, seed=0).points == 0


def test_an_endless_loop_that_calls_nothing_is_stopped():
    def silent(X, y, model):
        while True:
            pass

    probe = replace(make_probes("saliency_maps", 0)[0], max_seconds=0.2)
    assert observe(silent, probe).stopped == "time"


def test_a_check_leaves_no_trace(capsys):
    def loud(X, y, model):
        print("hello")
        plt.figure()
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        random.random(), np.random.rand(), torch.rand(1)
        raise RuntimeError("stop")

    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    check("saliency_maps", loud, seed=0)
    after = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert after == (random.random(), np.random.rand(), torch.rand(1).item())
    assert capsys.readouterr().out == ""
    assert plt.get_fignums() == []
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_what_a_student_prints_or_warns_costs_nothing():
    import sys
    import warnings

    def noisy(X, y, model):
        print("warning!", file=sys.stderr)
        warnings.warn("deprecated", stacklevel=1)
        return RIGHT["saliency_maps"](X, y, model)

    assert check("saliency_maps", noisy, seed=0).passed


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_verdict_shows_in_a_notebook_and_travels_as_plain_data(exercise):
    right = check(exercise, RIGHT[exercise], seed=0)
    assert right._repr_mimebundle_()["text/plain"] == "10"
    table = {"saliency_maps": saliency, "fooling_images": fooling}.get(
        exercise, class_visualization
    )
    wrong = check(
        exercise, table.WRONG["cross-entropy, mean" if table is saliency else "descent"][0]
    )
    bundle = wrong._repr_mimebundle_()
    assert float(bundle["text/plain"]) == wrong.points < 10
    data = json.loads(json.dumps(bundle[MIME_TYPE], allow_nan=False))
    assert data["points"] == sum(finding["points"] for finding in data["findings"])
    assert data["max_points"] == sum(finding["max_points"] for finding in data["findings"]) == 10
    assert any(finding["mistake"] and finding["advice"] for finding in data["findings"])
    html = bundle["text/html"]
    assert html.count("data:image/png;base64,") >= 3
    assert "<script" not in html
    assert "://" not in html  # nothing comes from elsewhere (base64 has no colon, but may say http)
    for line in str(wrong).splitlines():
        assert len(line) <= 90


def test_what_a_student_writes_is_escaped():
    def compute_saliency_maps(X, y, model):
        raise ValueError("<script>alert(1)</script>")

    html = check("saliency_maps", compute_saliency_maps, seed=0)._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_bad_calls_say_what_was_expected():
    with pytest.raises(ValueError, match="saliency_maps, fooling_images, class_visualization"):
        check("saliency", RIGHT["saliency_maps"])
    with pytest.raises(TypeError, match="compute_saliency_maps itself, without brackets"):
        check("saliency_maps", torch.zeros(1))


def test_the_public_names_are_there():
    assert set(exercises.__all__) <= set(dir(exercises))
