"""The two numbers for a saliency map against a mask."""

import numpy as np
import pytest
import torch

from cs231n_utils.scores import energy_inside, pointing_game


def corner_mask(n: int = 1) -> np.ndarray:
    masks = np.zeros((n, 8, 10), bool)
    masks[:, :4, :5] = True
    return masks


def test_a_map_whose_peak_is_on_the_object_is_a_hit():
    maps = np.zeros((2, 8, 10), np.float32)
    maps[0, 1, 2] = 1
    maps[1, 7, 9] = 1
    assert pointing_game(maps, corner_mask(2)).tolist() == [True, False]


@pytest.mark.parametrize("value", [0.0, 1.0, 3.5])
def test_a_constant_map_points_nowhere(value):
    assert not pointing_game(np.full((1, 8, 10), value), corner_mask())[0]


def test_an_even_map_has_the_masks_own_share_of_the_energy():
    assert energy_inside(np.ones((1, 8, 10)), corner_mask())[0] == pytest.approx(0.25)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_energy_does_not_depend_on_the_scale_of_the_map(scale):
    maps = np.zeros((1, 8, 10))
    maps[0, 0, 0], maps[0, 7, 7] = 3 * scale, scale
    assert energy_inside(maps, corner_mask())[0] == pytest.approx(0.75)


def test_energy_of_an_all_zero_map_is_zero():
    assert energy_inside(np.zeros((1, 8, 10)), corner_mask()).tolist() == [0.0]


def test_tensors_that_require_grad_are_taken():
    maps = torch.rand(3, 8, 10, requires_grad=True)
    assert energy_inside(maps, torch.from_numpy(corner_mask(3))).shape == (3,)


def test_no_pictures_give_no_scores():
    empty = np.zeros((0, 8, 10))
    assert pointing_game(empty, empty > 0).shape == (0,)
    assert energy_inside(empty, empty > 0).shape == (0,)


@pytest.mark.parametrize(
    ("maps", "masks", "error", "words"),
    [
        pytest.param(np.ones((8, 10)), np.ones((8, 10), bool), ValueError, "leading axis", id="2D"),
        pytest.param(
            np.ones((1, 8, 10)),
            np.ones((1, 8, 9), bool),
            ValueError,
            "one shape",
            id="shapes differ",
        ),
        pytest.param(
            np.ones((1, 8, 10)), np.ones((1, 8, 10)), TypeError, "bool", id="masks of floats"
        ),
        pytest.param(
            np.full((1, 8, 10), np.nan), np.ones((1, 8, 10), bool), ValueError, "finite", id="NaN"
        ),
        pytest.param(
            -np.ones((1, 8, 10)), np.ones((1, 8, 10), bool), ValueError, "absolute", id="negative"
        ),
        pytest.param(
            np.ones((1, 8, 10), complex), np.ones((1, 8, 10), bool), TypeError, "real", id="complex"
        ),
    ],
)
def test_bad_maps_are_refused_with_a_reason(maps, masks, error, words):
    with pytest.raises(error, match=words):
        energy_inside(maps, masks)
