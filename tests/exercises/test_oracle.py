"""The reference gradients are held against central differences and against captum."""

import numpy as np
import pytest
import torch
from captum.attr import Saliency

from cs231n_utils.exercises import make_probes
from cs231n_utils.exercises.judges.mistakes import ASCENTS, OBJECTIVES
from cs231n_utils.exercises.judges.oracle import Landscape, precise_network, saliency_reference
from cs231n_utils.exercises.probes import NetworkSpec, build_network, image_like

NETWORKS = {
    "silu": NetworkSpec(7, 1),
    "tanh, thousand classes": NetworkSpec(1000, 2, activation="tanh"),
    "softplus, batch norm": NetworkSpec(5, 3, activation="softplus", batch_norm=True),
    "leaky, dropout, training": NetworkSpec(3, 4, activation="leaky", dropout=0.5, training=True),
    "strided": NetworkSpec(6, 5, stride=4, likeness=0.6),
}


def batch(num=3):
    return image_like(np.random.default_rng(7), num, 3, 8, 12)


@pytest.mark.parametrize("name", NETWORKS)
def test_score_gradients_are_central_differences_of_the_scores(name):
    spec, X = NETWORKS[name], batch().astype(np.float64)
    y = np.array([0, 2, 1])
    gradient = Landscape(spec, X).score_gradient(y)
    network, rng, h = precise_network(spec), np.random.default_rng(0), 1e-6
    for _ in range(40):
        at = tuple(int(rng.integers(side)) for side in X.shape)
        shift = np.zeros_like(X)
        shift[at] = h
        up, down = (
            network(torch.from_numpy(X + sign * shift))[at[0], y[at[0]]].item() for sign in (1, -1)
        )
        assert gradient[at] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("objective", {o.name: o for o in (*OBJECTIVES, *ASCENTS)}.values())
def test_objectives_have_the_gradients_of_what_they_are_called(objective):
    X, y = batch(), np.array([1, 0, 2])
    at = Landscape(NETWORKS["silu"], X)
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    s = precise_network(NETWORKS["silu"])(x)
    own = s.gather(1, torch.from_numpy(y)[:, None]).sum()
    values = {
        "score": own,
        "cross-entropy": torch.nn.functional.cross_entropy(s, torch.from_numpy(y), reduction="sum"),
        "probability": s.softmax(1).gather(1, torch.from_numpy(y)[:, None]).sum(),
        "log-score": s.gather(1, torch.from_numpy(y)[:, None]).abs().log().sum(),
        "all-scores": s.sum(),
        "top-score": s.max(dim=1)[0].sum(),
        "away": -s.max(dim=1)[0].sum(),
        "margin": own - s.max(dim=1)[0].sum(),
        "all-labels": s[:, y].sum(),
        "shifted-label": s.gather(1, torch.from_numpy((y + 1) % 7)[:, None]).sum(),
    }
    (wanted,) = torch.autograd.grad(values[objective.name], x)
    weights = {o.name: o for o in reversed((*OBJECTIVES, *ASCENTS))}[objective.name].weights(at, y)
    got = at.gradient(weights)
    sign = -1 if objective.name == "cross-entropy" and (got * wanted.numpy()).sum() < 0 else 1
    np.testing.assert_allclose(sign * got, wanted, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_reference_maps_are_captums(seed):
    for probe in make_probes("saliency_maps", seed):
        if probe.network.pretrained or "old_grad" in probe.arrays:
            continue
        X, y = probe.arrays["X"], probe.arrays["y"]
        model = build_network(probe.network).eval()
        captum = Saliency(model).attribute(torch.from_numpy(X), torch.from_numpy(y))
        wanted = captum.abs().amax(dim=1).numpy()
        reference = saliency_reference(probe.network, X, y)
        assert np.abs(reference - wanted).max() <= 1e-5 * reference.max()


def test_a_recipe_gives_the_same_network_again():
    one, other = (build_network(NETWORKS["softplus, batch norm"]) for _ in range(2))
    for mine, yours in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(mine, yours)


def test_an_image_in_evaluation_mode_knows_nothing_of_the_others():
    X, y = batch(), np.array([1, 0, 2])
    whole = saliency_reference(NETWORKS["softplus, batch norm"], X, y)
    alone = saliency_reference(NETWORKS["softplus, batch norm"], X[1:2], y[1:2])
    np.testing.assert_allclose(whole[1:2], alone, atol=1e-12)
