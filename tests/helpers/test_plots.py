"""The pictures: drawn from whatever a notebook has at hand, shown once, changing nothing else."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from cs231n_utils import (
    compare,
    preprocess,
    show_class_visualization,
    show_fooling,
    show_gallery,
    show_pictures,
    show_saliency_maps,
)

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (3, 24, 32, 3), np.uint8)
NAMES = ["snail", "owl, night bird", "crab"]
MAPS = RNG.random((3, 24, 32))
MASKS = np.zeros((3, 24, 32), bool)
MASKS[:, 5:15, 5:20] = True


class Net(torch.nn.Module):
    def forward(self, X):
        return X.mean(dim=(2, 3)) * 50


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_xlabel(), *(t.get_text() for t in axes.texts)]
    return [text for text in found if text]


FOOLED = preprocess(X[0], None) + 0.1
EVERY = {
    "pictures": lambda: show_pictures(X, [0, 1, 2], NAMES),
    "saliency maps": lambda: show_saliency_maps(X, [0, 1, 2], MAPS, NAMES, MASKS),
    "fooling": lambda: show_fooling(preprocess(X[0], None), FOOLED, Net(), NAMES),
    "class visualization": lambda: show_class_visualization(list(X), ["1", "25", "50"]),
    "gallery": lambda: show_gallery(list(X), NAMES, title="All"),
    "compare": lambda: compare(MAPS, MAPS * 1.01, title="Saliency map"),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY.keys())
def test_each_returns_a_figure_that_a_notebook_shows_and_pyplot_does_not_know(draw):
    settings = dict(mpl.rcParams)
    figure = draw()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == settings
    if "matplotlib.pyplot" in __import__("sys").modules:
        from matplotlib import pyplot

        assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    "images",
    [
        X,
        list(X),
        X / 255,
        [Image.fromarray(x) for x in X],
        preprocess(X, None),
        [preprocess(x, None).requires_grad_() for x in X],
    ],
    ids=["bytes", "list", "floats", "PIL", "batch of tensors", "tensors with grad"],
)
def test_pictures_are_taken_in_every_form(images):
    figure = show_pictures(images, [0, 1, 2], NAMES)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    for picture, original in zip(shown, X, strict=True):
        scale = 1 if picture.dtype == np.uint8 else 255
        np.testing.assert_allclose(np.asarray(picture) * scale, original, atol=1e-6)
    assert texts(figure) == ["snail", "owl", "crab"]


@pytest.mark.parametrize("n", [1, 5, 7, 23])
def test_any_number_of_pictures_keeps_its_proportions(n):
    figure = show_pictures(np.zeros((n, 24, 32, 3), np.uint8))
    assert len(figure.axes) == n
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(24 / 32, rel=1e-6)


def test_saliency_maps_are_scored_against_masks():
    maps = np.where(MASKS, 1.0, 0.0)
    maps[1] = 1 - maps[1]
    found = texts(show_saliency_maps(X, [0, 1, 2], maps, NAMES, MASKS))
    assert found.count("100 % on the object · hit") == 2
    assert "0 % on the object · miss" in found


@pytest.mark.parametrize(
    "maps",
    [
        torch.zeros(3, 24, 32),
        torch.ones(3, 24, 32, requires_grad=True),
        np.full((3, 24, 32), np.nan),
        MAPS.astype(np.float16),
    ],
    ids=["all zero", "constant", "NaN", "half precision"],
)
def test_odd_maps_are_drawn_all_the_same(maps):
    show_saliency_maps(X, [0, 1, 2], maps, NAMES, MASKS)._repr_png_()


def test_fooling_names_what_the_network_sees_before_and_after():
    before = torch.zeros(1, 3, 8, 8)
    before[:, 0] = 1
    after = before.clone()
    after[:, 2] = 2
    found = texts(show_fooling(before, after, Net(), NAMES))
    assert "snail, 100 %" in found
    assert "crab, 100 %" in found
    assert "difference \N{MULTIPLICATION SIGN} 10" in found


def test_compare_amplifies_until_the_difference_shows():
    found = texts(compare(MAPS[0] + 0.001, MAPS[0]))
    assert "\N{MULTIPLICATION SIGN} 500" in found
    assert "up to 0.1 % of the largest value" in found


def test_compare_says_when_nothing_differs_and_when_values_are_not_finite():
    assert "none" in texts(compare(MAPS, MAPS))
    mine = MAPS.copy()
    mine[0, :2, :3] = np.nan
    assert "6 values not finite" in texts(compare(mine, MAPS))


@pytest.mark.parametrize(
    "values", [np.zeros((1, 3, 8, 8)), torch.randn(2, 3, 8, 8)], ids=["zero", "signed"]
)
def test_compare_takes_values_with_channels(values):
    compare(values, values + 1)._repr_png_()


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        pytest.param(lambda: show_pictures(X, [0], NAMES), "one label for each of 3", id="labels"),
        pytest.param(lambda: show_gallery(X, ["a"]), "one title for each of 3", id="titles"),
        pytest.param(lambda: show_gallery([]), "at least one", id="no pictures"),
        pytest.param(lambda: show_gallery([X[0, :, :, 0]]), r"\(H, W, 3\)", id="grey"),
        pytest.param(
            lambda: show_saliency_maps(X, [0, 1, 2], MAPS[0], NAMES), "maps", id="one map"
        ),
        pytest.param(lambda: compare(MAPS, MAPS[:1]), "equal shapes", id="shapes differ"),
        pytest.param(lambda: compare(MAPS[0, 0], MAPS[0, 0]), "N, H, W", id="one line"),
        pytest.param(
            lambda: show_fooling(FOOLED, FOOLED[0], Net(), NAMES), "two images", id="no batch axis"
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()
