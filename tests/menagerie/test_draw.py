"""The drawn pictures: the same everywhere, with masks that are exactly the object.

Renew the golden hashes, after a wanted change of the drawings, with
``python tests/menagerie/test_draw.py``.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cs231n_utils.menagerie import CLASS_NAMES, Picture, draw, scenes
from cs231n_utils.menagerie.backgrounds import Background, paint_background
from cs231n_utils.menagerie.scenes import draw_background
from cs231n_utils.menagerie.sheet import contact_sheet

GOLDEN = Path(__file__).with_name("golden_pictures.json")
EVERY_CLASS = pytest.mark.parametrize("label", range(len(CLASS_NAMES)), ids=CLASS_NAMES)


def fingerprint(picture: Picture) -> str:
    """The sha256 of image and mask."""
    return hashlib.sha256(picture.image.tobytes() + picture.mask.tobytes()).hexdigest()


def golden_pictures() -> dict[str, str]:
    """The fingerprints of one picture a class, and of two at other sizes."""
    wanted = [(label, 7 * label, 224) for label in range(len(CLASS_NAMES))]
    wanted += [(3, 10**9, 96), (17, 2**40, 64)]
    return {
        f"{CLASS_NAMES[label]}, seed {seed}, size {size}": fingerprint(draw(label, seed, size))
        for label, seed, size in wanted
    }


def test_the_twenty_classes_are_in_alphabetical_order() -> None:
    assert len(CLASS_NAMES) == 20
    assert list(CLASS_NAMES) == sorted(CLASS_NAMES)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="Pillow's compiler may fuse float operations here, which can move an edge by a pixel",
)
def test_pictures_are_bit_identical_to_the_golden_ones() -> None:
    assert golden_pictures() == json.loads(GOLDEN.read_text())


def test_drawing_in_between_changes_nothing() -> None:
    before = fingerprint(draw(4, 11))
    draw(9, 12)
    assert fingerprint(draw(4, 11)) == before


def test_seeds_and_labels_give_different_pictures() -> None:
    pictures = {fingerprint(draw(label, seed, 64)) for label in range(20) for seed in range(5)}
    assert len(pictures) == 100


@pytest.mark.parametrize("size", [16, 97, 224, 300])
def test_a_picture_has_the_size_and_types_promised(size: int) -> None:
    image, mask = draw(2, 3, size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert mask.shape == (size, size)
    assert mask.dtype == np.bool_


def test_a_picture_is_the_callers_to_change() -> None:
    image, mask = draw(0, 0, 64)
    image[:], mask[:] = 0, False
    assert draw(0, 0, 64).mask.any()


@EVERY_CLASS
def test_another_size_draws_the_same_scene(label: int) -> None:
    large, small = draw(label, 5, 224), draw(label, 5, 112)
    shrunk = np.asarray(Image.fromarray(large.image).reduce(2), dtype=int)
    assert np.abs(shrunk - small.image).mean() < 6
    assert (large.mask[::2, ::2] != small.mask).mean() < 0.03


def covered(label: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.bool_]:
    """The mask found without alpha: what looks the same on black as on white is the object."""

    def on(shade: int) -> NDArray[np.int64]:
        def flat(seed: int, size: int) -> Background:
            canvas = Image.new("RGBA", (2 * size, 2 * size), (shade, shade, shade, 0))
            return Background(canvas, paint_background(seed, size).colours)

        monkeypatch.setattr(scenes, "paint_background", flat)
        return draw(label, seed).image.astype(np.int64)

    difference: NDArray[np.bool_] = (on(255) - on(0)).max(axis=2) <= 128
    return difference


@EVERY_CLASS
def test_the_mask_is_exactly_what_the_object_covers(
    label: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2):
        mask = draw(label, seed).mask
        with monkeypatch.context() as patch:
            expected = covered(label, seed, patch)
        assert np.array_equal(mask, expected)
        wrong = {
            "shifted": np.roll(mask, 1, axis=0),
            "inverted": ~mask,
            "filled box": mask.any(0, keepdims=True) & mask.any(1, keepdims=True),
        }
        for way, other in wrong.items():
            assert not np.array_equal(other, expected), way


@EVERY_CLASS
def test_nothing_but_the_object_differs_from_the_background(label: int) -> None:
    for seed in (3, 4):
        image, mask = draw(label, seed)
        changed = (image != draw_background(seed)).any(axis=2)
        assert changed[mask].mean() > 0.97  # a pixel may happen to have the same colour
        # Outside there is only the anti-aliased fringe: pixels covered by less than half.
        assert (changed & ~mask).sum() < 0.35 * mask.sum()


@EVERY_CLASS
def test_the_object_has_a_sensible_size_and_lies_inside_the_picture(label: int) -> None:
    for seed in range(20):
        mask = draw(label, seed, 112).mask
        rows, columns = np.nonzero(mask)
        longer_side = max(np.ptp(rows), np.ptp(columns)) / 112
        assert 0.35 <= longer_side <= 0.78
        assert 0.04 <= mask.mean() <= 0.45
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not border.any()


def test_the_background_depends_on_the_seed_alone() -> None:
    for seed in (5, 6):
        background = draw_background(seed)
        for label in range(len(CLASS_NAMES)):
            image, mask = draw(label, seed)
            near = np.asarray(
                Image.fromarray(mask).convert("L").resize((28, 28), Image.Resampling.BOX)
            )
            far = np.kron(near == 0, np.ones((8, 8), dtype=bool))  # blocks without the object
            differs = (image != background).any(axis=2) & far
            assert differs.mean() < 0.01, CLASS_NAMES[label]  # hairs thinner than half a pixel
    assert not np.array_equal(draw_background(5), draw_background(6))


@EVERY_CLASS
def test_colour_says_little_about_the_class(label: int) -> None:
    """Over many seeds the object's mean colour is about as varied, and as grey, as any."""
    means = np.array(
        [
            picture.image[picture.mask].mean(axis=0)
            for picture in (draw(label, s, 64) for s in range(60))
        ]
    )
    assert (means.std(axis=0) > 18).all()
    assert np.ptp(means.mean(axis=0)) < 40


@pytest.mark.parametrize(
    ("label", "seed", "size", "message"),
    [
        (20, 0, 224, "label: expected an integer from 0 to 19, got 20"),
        (-1, 0, 224, "label: expected an integer from 0 to 19, got -1"),
        (1.0, 0, 224, "label: .* got 1.0"),
        (True, 0, 224, "label: .* got True"),
        ("owl", 0, 224, "label: .* got 'owl'"),
        (0, -1, 224, "seed: expected an integer >= 0, got -1"),
        (0, 0.5, 224, "seed: .* got 0.5"),
        (0, 0, 15, "size: expected an integer from 16 to 1024, got 15"),
        (0, 0, 4096, "size: .* got 4096"),
    ],
)
def test_a_bad_argument_is_named(label: object, seed: object, size: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(label, seed, size)  # type: ignore[arg-type]


def test_numpy_integers_are_accepted() -> None:
    label, seed, size = np.array([3, 4, 64])
    assert fingerprint(draw(label, seed, size)) == fingerprint(draw(3, 4, 64))


def test_a_contact_sheet_has_a_row_a_class_and_a_column_a_seed() -> None:
    assert contact_sheet([0, 1, 2], range(4), size=32).size == (4 * 32, 3 * 32)
    assert contact_sheet([0], range(4), size=32, masks=True).size == (8 * 32, 32)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden_pictures(), indent=2) + "\n")
