"""Training from scratch: folding, centring, going on after a stop; what gets shipped."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cs231n_utils.menagerie import CLASS_NAMES, ship, train
from cs231n_utils.menagerie.network import build_network, folded, with_batch_norm

TINY = train.Recipe(
    seed=5, pictures=40, stages=(train.Stage(32, 1, batch=8), train.Stage(40, 1, batch=8))
)


@pytest.fixture
def trained_with_batch_norm():
    torch.manual_seed(0)
    network = with_batch_norm(build_network(7)).train()
    for _ in range(5):
        network(torch.randn(4, 3, 64, 80))
    return network.eval()


def test_the_folded_network_gives_the_batch_normed_scores_less_their_mean(trained_with_batch_norm):
    plain = build_network(7).eval()
    plain.load_state_dict(folded(trained_with_batch_norm.state_dict()))
    X = torch.randn(3, 3, 80, 64)
    with torch.no_grad():
        expected, got = trained_with_batch_norm(X), plain(X)
    expected = expected - expected.mean(dim=1, keepdim=True)
    # Two orders of float32 arithmetic over 18 layers.
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_the_network_ends_without_a_relu():
    torch.manual_seed(0)
    scores = build_network(30).eval()(torch.randn(2, 3, 64, 64))
    assert (scores < 0).any()


def _weights(folder, recipe=TINY):
    return load_file(train.train("tiny", folder, recipe=recipe, threads=1, quiet=True))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    undisturbed = _weights(tmp_path / "undisturbed")
    epoch, calls = train._epoch, []

    def stopped_in_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    monkeypatch.setattr(train, "_epoch", stopped_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        _weights(tmp_path / "stopped")
    monkeypatch.setattr(train, "_epoch", epoch)
    resumed = _weights(tmp_path / "stopped")
    assert all(torch.equal(undisturbed[k], resumed[k]) for k in undisturbed)
    log = (tmp_path / "stopped" / "tiny" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]


def test_the_robust_recipe_trains_on_shifted_pictures(tmp_path):
    plain = _weights(tmp_path / "plain")
    stages = tuple(replace(stage, shift=10.0) for stage in TINY.stages)
    shifted = _weights(tmp_path / "shifted", replace(TINY, stages=stages))
    assert any(not torch.equal(plain[k], shifted[k]) for k in plain)


def test_an_adversarial_shift_raises_the_loss_and_keeps_its_length_and_its_place():
    torch.manual_seed(0)
    network = build_network(5).eval()
    X, y, radius = torch.randn(6, 3, 64, 64), torch.arange(6) % 5, torch.full((6,), 3.0)
    left = torch.zeros(6, 1, 64, 64)
    left[..., :32] = 1

    def loss(network, X, y):
        return torch.nn.functional.cross_entropy(network(X), y)

    for weight in (torch.ones(1), left):
        shifted = train._adversarial(network, X, y, [(radius, weight)], loss)
        assert loss(network, shifted, y) > loss(network, X, y)
        length = (shifted - X).flatten(1).norm(dim=1)
        assert (length <= radius * (1 + 1e-5)).all()
        assert (length >= 0.5 * radius).all()
    assert torch.equal(shifted[..., 32:], X[..., 32:])


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    _weights(tmp_path)
    with pytest.raises(ValueError, match="another recipe"):
        _weights(tmp_path, replace(TINY, learning_rate=1e-3))


def test_an_unknown_network_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="standard, robust, witness"):
        train.train("sturdy", tmp_path)


def test_the_scale_multiplies_scores_and_nothing_else(trained_with_batch_norm):
    state = trained_with_batch_norm.state_dict()
    once, thrice = build_network(7).eval(), build_network(7).eval()
    once.load_state_dict(train.finished(state, 1.0))
    thrice.load_state_dict(train.finished(state, 3.0))
    X = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(3 * once(X), thrice(X), rtol=1e-5, atol=1e-6)


def test_what_is_shipped_fits_its_limit_and_its_manifest(tmp_path):
    file = train.train("tiny", tmp_path / "training", recipe=TINY, threads=1, quiet=True)
    total = ship.ship({"standard": file}, tmp_path / "shipped", per_class=1)
    assert 0 < total <= ship.LARGEST
    manifest = json.loads((tmp_path / "shipped" / "manifest.json").read_text())
    kept = tmp_path / "shipped" / "standard.safetensors"
    assert manifest["files"]["standard.safetensors"]["bytes"] == kept.stat().st_size
    assert load_file(kept)["classifier.1.bias"].dtype == torch.float16
    labels = json.loads((tmp_path / "shipped" / "validation.json").read_text())["labels"]
    assert np.bincount(labels).tolist() == [1] * len(CLASS_NAMES)


def test_too_much_is_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "LARGEST", 1000)
    monkeypatch.setattr(ship, "CLASS_NAMES", CLASS_NAMES[:2])
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        ship.ship({}, tmp_path, per_class=1)
