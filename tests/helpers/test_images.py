"""Properties of preprocess, deprocess, rescale, jitter and blur_image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.ndimage import gaussian_filter1d

import cs231n_utils
from cs231n_utils import (
    SQUEEZENET_MEAN,
    SQUEEZENET_STD,
    blur_image,
    deprocess,
    jitter,
    preprocess,
    rescale,
)

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
sides = st.integers(1, 24)
pictures = st.tuples(sides, sides).flatmap(lambda hw: hnp.arrays(np.uint8, (*hw, 3)))


def images(dtype=np.float64, largest=10.0, side=sides):
    width = np.dtype(dtype).itemsize * 8
    # The largest bound that this float type holds exactly.
    elements = st.floats(-float(dtype(largest)), float(dtype(largest)), width=width)
    shapes = st.tuples(st.integers(1, 2), st.integers(1, 3), side, side)
    return shapes.flatmap(lambda shape: hnp.arrays(dtype, shape, elements=elements))


def scipy_blur(X, sigma):
    return gaussian_filter1d(gaussian_filter1d(X, sigma, axis=2), sigma, axis=3)


# --- preprocess and deprocess -----------------------------------------------------------------


@given(pictures)
def test_deprocess_gives_the_very_picture_back_that_preprocess_took(picture):
    X = preprocess(picture, size=None)
    assert np.array_equal(np.asarray(deprocess(X)), picture)
    assert np.array_equal(np.asarray(deprocess(X, should_rescale=False)), picture)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_deprocess_takes_any_float_type_within_its_rounding(dtype):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    back = np.asarray(deprocess(preprocess(picture, None).to(dtype))).astype(int)
    assert np.abs(back - picture).max() <= (2 if dtype == torch.bfloat16 else 0)


@given(pictures)
def test_preprocess_normalises_each_channel(picture):
    X = preprocess(picture, size=None)
    expected = (picture.transpose(2, 0, 1)[None] / 255.0 - SQUEEZENET_MEAN.reshape(3, 1, 1)) / (
        SQUEEZENET_STD.reshape(3, 1, 1)
    )
    assert X.dtype == torch.float32
    assert X.is_contiguous()
    np.testing.assert_allclose(X.numpy(), expected, atol=1e-5)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
@settings(max_examples=30)
def test_preprocess_brings_any_picture_to_the_size_asked_for(height, width, size):
    picture = Image.new("RGB", (width, height), (10, 200, 30))
    X = preprocess(picture, size)
    assert X.shape == (1, 3, size, size)
    assert np.asarray(deprocess(X))[0, 0].tolist() == [10, 200, 30]


def test_preprocess_crops_the_centre_and_distorts_nothing():
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 90:210] = 255
    assert (np.asarray(deprocess(preprocess(wide, 50), False)) == 255).all()


def test_preprocess_takes_a_batch_and_treats_each_picture_alike():
    batch = np.random.default_rng(1).integers(0, 256, (3, 20, 30, 3), np.uint8)
    alone = torch.cat([preprocess(picture, 16) for picture in batch])
    assert torch.equal(preprocess(batch, 16), alone)
    assert preprocess(batch[:0], 16).shape == (0, 3, 16, 16)


def test_a_picture_with_transparency_or_in_grey_becomes_rgb():
    assert preprocess(Image.new("LA", (30, 30)), 8).shape == (1, 3, 8, 8)


def test_preprocess_leaves_the_callers_array_alone_and_apart():
    picture = np.full((4, 4, 3), 7, np.uint8)
    X = preprocess(picture, None)
    X.zero_()
    assert (picture == 7).all()


def test_deprocess_stretches_only_what_reaches_outside_unless_told():
    X = preprocess(np.full((4, 4, 3), 128, np.uint8), None)
    X[0, 0, 0, 0] += 10
    assert np.asarray(deprocess(X)).max() == 255
    assert np.asarray(deprocess(X))[1, 1].max() == 0
    assert np.asarray(deprocess(X, should_rescale=False))[1, 1].tolist() == [128] * 3
    calm = preprocess(np.array([[[100] * 3, [150] * 3]], np.uint8), None)
    assert np.asarray(deprocess(calm))[0, :, 0].tolist() == [100, 150]
    assert np.asarray(deprocess(calm, should_rescale=True))[0, :, 0].tolist() == [0, 255]


def test_deprocess_takes_results_that_still_require_grad_and_leaves_them_as_they_are():
    X = (preprocess(np.full((4, 5, 3), 9, np.uint8), None)).requires_grad_()
    before = X.detach().clone()
    assert deprocess(X * 1).size == (5, 4)
    assert torch.equal(X, before)


# --- rescale ----------------------------------------------------------------------------------


@given(images(largest=1e300))
def test_rescale_maps_smallest_and_largest_to_0_and_1_in_order(X):
    y = rescale(torch.from_numpy(X)).numpy().ravel()
    x = X.ravel()
    assert np.isfinite(y).all()
    assert y.min() == 0
    assert y.max() == (0 if x.min() == x.max() else 1)
    assert (np.diff(y[np.argsort(x)]) >= 0).all()


@pytest.mark.parametrize("value", [0.0, -3.5, 1e38])
def test_rescale_turns_a_constant_into_zeros(value):
    assert torch.equal(rescale(torch.full((2, 3), value)), torch.zeros(2, 3))


def test_rescale_takes_whole_numbers():
    assert rescale(torch.tensor([0, 5, 10], dtype=torch.uint8)).tolist() == [0.0, 0.5, 1.0]


# --- jitter -----------------------------------------------------------------------------------


@given(images(), st.integers(-60, 60), st.integers(-60, 60))
def test_jitter_there_and_back_is_exact(X, ox, oy):
    X = torch.from_numpy(X)
    before = X.clone()
    assert torch.equal(jitter(jitter(X, ox, oy), -ox, -oy), X)
    assert torch.equal(X, before)


@given(images(), st.integers(-60, 60), st.integers(-60, 60))
def test_jitter_rolls_ox_along_the_width_and_oy_along_the_height(X, ox, oy):
    rolled = np.roll(np.roll(X, ox, axis=3), oy, axis=2)
    assert np.array_equal(jitter(torch.from_numpy(X), ox, oy).numpy(), rolled)


def test_jitter_takes_numpys_whole_numbers():
    X = torch.arange(12.0).view(1, 1, 3, 4)
    ox, oy = np.random.default_rng(0).integers(0, 16, 2)
    assert torch.equal(jitter(jitter(X, ox, oy), -ox, -oy), X)


# --- blur_image -------------------------------------------------------------------------------

sigmas = st.one_of(st.sampled_from([0.1, 0.5, 1, 2]), st.floats(0.01, 12))


@given(images(np.float64), sigmas)
def test_blur_is_scipys_gaussian_in_double_precision(X, sigma):
    blurred = blur_image(torch.from_numpy(X.copy()), sigma).numpy()
    np.testing.assert_allclose(blurred, scipy_blur(X, sigma), rtol=0, atol=1e-13)


@given(images(np.float32, 4.0), sigmas)
def test_blur_is_scipys_gaussian_in_single_precision(X, sigma):
    blurred = blur_image(torch.from_numpy(X.copy()), sigma).numpy()
    np.testing.assert_allclose(blurred, scipy_blur(X, sigma), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1, 3.7, 60])
def test_blur_is_scipys_gaussian_on_an_image_of_full_size(sigma):
    X = np.random.default_rng(0).normal(size=(2, 3, 224, 192)).astype(np.float32)
    blurred = blur_image(torch.tensor(X), sigma).numpy()
    np.testing.assert_allclose(blurred, scipy_blur(X, sigma), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_blur_works_in_place_and_returns_the_tensor_it_was_given(dtype):
    X = torch.randn(1, 3, 8, 9, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = scipy_blur(X.double().numpy(), 1.0)
    result = blur_image(X)
    assert result is X
    assert X.dtype == dtype
    atol = 1e-6 if dtype.itemsize > 2 else 2e-2
    np.testing.assert_allclose(X.double().numpy(), expected, atol=atol)


def test_blur_changes_the_data_of_a_leaf_that_requires_grad():
    img = torch.randn(1, 3, 8, 8, requires_grad=True)
    before = img.detach().clone()
    blur_image(img.data, sigma=0.5)
    assert not torch.equal(img, before)
    blur_image(img, sigma=0.5)
    assert img.is_leaf
    assert img.requires_grad


def test_blur_reaches_views_with_other_strides():
    X = torch.randn(1, 8, 9, 3, dtype=torch.float64).permute(0, 3, 1, 2)
    expected = scipy_blur(X.numpy().copy(), 1.0)
    np.testing.assert_allclose(blur_image(X, 1).numpy(), expected, atol=1e-13)


@given(images(np.float32, 4.0))
def test_blur_of_sigma_0_changes_nothing(X):
    assert np.array_equal(blur_image(torch.from_numpy(X.copy()), 0).numpy(), X)


def test_blur_of_no_images_is_no_images():
    assert blur_image(torch.zeros(0, 3, 8, 8), 2).shape == (0, 3, 8, 8)


# --- bad input --------------------------------------------------------------------------------

IMAGE = torch.zeros(1, 3, 4, 4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        pytest.param(lambda: preprocess([1, 2]), TypeError, "got list", id="preprocess: a list"),
        pytest.param(
            lambda: preprocess(np.zeros((4, 4, 3))),
            TypeError,
            "float64.*astype",
            id="preprocess: floats",
        ),
        pytest.param(
            lambda: preprocess(np.zeros((3, 4, 5), np.uint8)),
            ValueError,
            "channels come last",
            id="preprocess: channels first",
        ),
        pytest.param(
            lambda: preprocess(np.zeros((4, 4), np.uint8)),
            ValueError,
            "grey picture",
            id="preprocess: grey",
        ),
        pytest.param(
            lambda: preprocess(np.zeros((4, 4, 3), np.uint8), 0),
            ValueError,
            "at least 1",
            id="preprocess: size 0",
        ),
        pytest.param(
            lambda: preprocess(np.zeros((4, 4, 3), np.uint8), 2.5),
            TypeError,
            "whole number",
            id="preprocess: half a pixel",
        ),
        pytest.param(
            lambda: deprocess(np.zeros((1, 3, 4, 4))), TypeError, "tensor", id="deprocess: array"
        ),
        pytest.param(
            lambda: deprocess(torch.zeros(2, 3, 4, 4)),
            ValueError,
            r"\(2, 3, 4, 4\).*X\[i:i\+1\]",
            id="deprocess: a batch",
        ),
        pytest.param(
            lambda: deprocess(IMAGE.int()), TypeError, "float", id="deprocess: whole numbers"
        ),
        pytest.param(
            lambda: deprocess(IMAGE / 0), ValueError, "division by zero", id="deprocess: NaN"
        ),
        pytest.param(lambda: rescale([1.0]), TypeError, "tensor", id="rescale: a list"),
        pytest.param(lambda: rescale(IMAGE / 0), ValueError, "finite", id="rescale: NaN"),
        pytest.param(lambda: rescale(torch.zeros(0)), ValueError, "at least one", id="rescale: 0"),
        pytest.param(
            lambda: rescale(torch.zeros(2, dtype=torch.complex64)),
            TypeError,
            "real",
            id="rescale: complex",
        ),
        pytest.param(
            lambda: jitter(np.zeros((1, 3, 4, 4)), 1, 1), TypeError, "tensor", id="jitter: array"
        ),
        pytest.param(lambda: jitter(torch.zeros(4), 1, 1), ValueError, "N, 3", id="jitter: 1-D"),
        pytest.param(
            lambda: jitter(IMAGE, 1.5, 1),
            TypeError,
            "whole number of pixels for ox",
            id="jitter: ox",
        ),
        pytest.param(
            lambda: jitter(IMAGE, 1, "2"), TypeError, "pixels for oy", id="jitter: oy a string"
        ),
        pytest.param(
            lambda: blur_image(np.zeros((1, 3, 4, 4))), TypeError, "tensor", id="blur: array"
        ),
        pytest.param(lambda: blur_image(IMAGE.int()), TypeError, "float", id="blur: whole numbers"),
        pytest.param(lambda: blur_image(IMAGE, -1), ValueError, "0 or more", id="blur: negative"),
        pytest.param(
            lambda: blur_image(IMAGE, float("nan")), ValueError, "0 or more", id="blur: NaN"
        ),
    ],
)
def test_bad_input_is_refused_with_what_was_expected_what_came_and_what_to_do(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_every_name_that_notebooks_import_is_there():
    for name in cs231n_utils.__all__:
        assert hasattr(cs231n_utils, name), name
