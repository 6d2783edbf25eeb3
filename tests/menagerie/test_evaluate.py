"""The measurements behind the model card, held on networks whose figures are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cs231n_utils.menagerie import CLASS_NAMES, card, evaluate
from cs231n_utils.shipped import shipped_json

CARD = Path(__file__).parents[2] / "docs" / "model_card.json"


class Constant(nn.Module):
    """Always sees the same class; its scores rise alike with every pixel."""

    def __init__(self, label):
        super().__init__()
        self.bonus = torch.zeros(len(CLASS_NAMES))
        self.bonus[label] = 1.0

    def forward(self, X):
        return X.mean(dim=(1, 2, 3))[:, None] + self.bonus


class Reachable(nn.Module):
    """Each class has a direction of its own: a step of length 1 along it adds 1 to its score."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(len(CLASS_NAMES), 3 * 224 * 224, generator=generator)
        self.directions, _ = torch.linalg.qr(directions.T)

    def forward(self, X):
        scores = X.flatten(1) @ self.directions
        return scores - scores.detach() + (scores - self.start(scores))

    def start(self, scores):
        if not hasattr(self, "first"):
            self.first = scores.detach().clone()
            self.first[:, 0] -= 4.5
        return self.first[: len(scores)]


def test_accuracy_of_a_network_that_knows_one_class_is_that_class_share():
    assert evaluate.accuracy(Constant(3), num=40) == pytest.approx(1 / len(CLASS_NAMES))


def test_pairs_that_cannot_be_fooled_are_counted_as_such():
    result = evaluate.fooling(Constant(0), pairs=20, most=5)
    assert result.fooled == 0
    assert result.median_steps == 6


def test_steps_to_fool_are_counted_in_unit_lengths():
    X = torch.zeros(1, 3, 224, 224)
    network = Reachable()
    network(X)  # sets where the scores start: class 0 leads by 4.5
    assert evaluate._steps_to_fool(network, X, torch.tensor([7]), most=20) == [5]


def test_pictures_survive_the_way_through_the_network_and_back():
    X = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert (evaluate.pixels(evaluate.normalised(X)) == X).all()


def test_a_visualization_ascends_its_own_score_and_stays_a_picture():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5, stride=8), nn.SiLU(), nn.Flatten(2))

    def scores(X):
        return 5 * network(X).mean(2)

    # Without jitter: a stride of 8 sees other pixels at each shift, and steps would cancel.
    first = evaluate.visualize_classes(scores, [2, 5], num_iterations=1, max_jitter=0)
    last = evaluate.visualize_classes(scores, [2, 5], num_iterations=15, max_jitter=0)
    own = torch.tensor([[2], [5]])
    assert (scores(last).gather(1, own) > scores(first).gather(1, own)).all()
    again = evaluate.normalised(evaluate.pixels(last))
    assert (again - last).abs().max() < 0.01  # in range: only rounded to 8 bits


@pytest.mark.parametrize("bar", card.BARS, ids=lambda bar: bar.name)
def test_each_bar_fails_beyond_its_limit(bar):
    limit = bar.least if bar.least is not None else bar.most
    worse = -0.01 if bar.least is not None else 0.01
    assert bar.met(limit)
    assert not bar.met(limit + worse)


def test_the_card_is_of_the_networks_that_are_shipped():
    measured, shipped = json.loads(CARD.read_text()), shipped_json("manifest.json")["files"]
    for name in ("standard", "robust"):
        assert measured[name]["sha256"] == shipped[f"{name}.safetensors"]["sha256"]


def test_the_shipped_networks_meet_every_bar():
    assert card.missed(json.loads(CARD.read_text())) == []


def test_a_missed_bar_is_named():
    measured = json.loads(CARD.read_text())
    measured["robust"]["accuracy"] = 0.5
    assert card.missed(measured) == ["robust: Accuracy on 2,000 fresh pictures"]
