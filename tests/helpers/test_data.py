"""The picture sets: one shape for both, and nothing taken on trust."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from cs231n_utils import Pictures, load_imagenet_val, load_menagerie, load_pictures
from cs231n_utils.downloads import DamagedFileError, DownloadError, MissingFileError

NPZ = "imagenet_val_25.npz"
NAMES = ["snail", "owl", "crab"]
LABELS = [0, 0, 1, 2, 1, 0, 2]


@pytest.fixture
def shipped(tmp_path):
    """A folder as the package ships it, with seven small lessons in colour for pictures."""
    folder = tmp_path / "shipped"
    (folder / "validation").mkdir(parents=True)
    for i in range(len(LABELS)):
        picture = np.full((224, 224, 3), (i, 100, 255 - i), np.uint8)
        Image.fromarray(picture).save(folder / f"validation/{i:03d}.webp", lossless=True)
        mask = np.zeros((224, 224), bool)
        mask[: i + 1] = True
        Image.fromarray(mask).save(folder / f"validation/{i:03d}.png")
    index = {"class_names": NAMES, "labels": LABELS}
    (folder / "validation.json").write_text(json.dumps(index))
    return folder


def imagenet(**changes):
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.integers(0, 256, (25, 224, 224, 3), np.uint8),
        "y": rng.integers(0, 1000, 25),
        # The real file holds its class names pickled.
        "label_map": np.array({1: "tench"}, dtype=object),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return buffer.getvalue()


# --- the menagerie ----------------------------------------------------------------------------


def test_the_menageries_pictures_labels_and_masks_belong_together(shipped):
    pictures = load_menagerie(folder=shipped)
    assert pictures.X.shape == (7, 224, 224, 3)
    assert pictures.X.dtype == np.uint8
    assert pictures.y.dtype == np.int64
    assert pictures.masks is not None
    assert pictures.masks.dtype == bool
    original = pictures.X[:, 0, 0, 0].tolist()  # red tells which picture it is
    assert pictures.y.tolist() == [LABELS[i] for i in original]
    assert pictures.masks[:, :, 0].sum(axis=1).tolist() == [i + 1 for i in original]


def test_the_first_pictures_are_of_different_classes(shipped):
    assert sorted(load_menagerie(3, folder=shipped).y.tolist()) == [0, 1, 2]


def test_fewer_pictures_are_the_first_of_all(shipped):
    assert np.array_equal(load_menagerie(4, folder=shipped).X, load_menagerie(folder=shipped).X[:4])


def test_pictures_unpack_into_x_y_and_class_names(shipped):
    X, y, class_names = load_menagerie(num=2, folder=shipped)
    assert X.shape[0] == len(y) == 2
    assert class_names == NAMES


@pytest.mark.parametrize(
    ("num", "error", "words"),
    [
        (0, ValueError, "1 to 7 pictures of the menagerie, got num=0"),
        (8, ValueError, "1 to 7 pictures"),
        (-1, ValueError, "1 to 7 pictures"),
        (2.0, TypeError, "whole number of pictures, got 2.0"),
        ("all", TypeError, "leave num out"),
    ],
)
def test_a_number_of_pictures_out_of_range_is_refused(num, error, words, shipped):
    with pytest.raises(error, match=words):
        load_menagerie(num, folder=shipped)


@pytest.mark.parametrize("name", ["validation.json", "validation/000.webp", "validation/000.png"])
def test_a_missing_file_of_the_menagerie_is_named(name, shipped):
    (shipped / name).unlink()
    with pytest.raises(MissingFileError, match=name):
        load_menagerie(folder=shipped)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_picture_is_named(content, shipped):
    (shipped / "validation/002.webp").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"002\.webp is damaged"):
        load_menagerie(folder=shipped)


def test_a_picture_of_another_size_is_refused(shipped):
    Image.new("RGB", (10, 20)).save(shipped / "validation/002.webp")
    with pytest.raises(DamagedFileError, match="expected 224 x 224 pixels, got 10 x 20"):
        load_menagerie(folder=shipped)


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"labels": [0], "class_names": []}'])
def test_a_damaged_index_is_named(index, shipped):
    (shipped / "validation.json").write_text(index)
    with pytest.raises(DamagedFileError, match=r"validation\.json"):
        load_menagerie(folder=shipped)


def test_the_shipped_set_has_a_hundred_pictures_with_masks_of_twenty_classes():
    pictures = load_menagerie()
    assert len(pictures.X) >= 100
    assert len(set(pictures.y.tolist())) == len(pictures.class_names) >= 20
    assert {"tarantula", "stingray"} <= set(pictures.class_names)
    assert pictures.masks is not None
    assert (pictures.masks.mean(axis=(1, 2)) > 0.01).all()
    assert len(set(load_menagerie(5).y.tolist())) == 5


# --- ImageNet ---------------------------------------------------------------------------------


def test_imagenets_pictures_are_downloaded_and_named_by_torchvision(server):
    server.files[NPZ] = imagenet(y=np.full(25, 76))
    pictures = load_imagenet_val(num=5)
    assert pictures.X.shape == (5, 224, 224, 3)
    assert pictures.y.dtype == np.int64
    assert pictures.class_names[pictures.y[0]] == "tarantula"
    assert pictures.masks is None
    assert len(load_imagenet_val().X) == 25
    assert server.requests == [NPZ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(imagenet(X=None, other=np.zeros(200_000)), "X", id="no pictures"),
        pytest.param(
            imagenet(X=np.zeros((25, 224, 224), np.uint8)), "expected X of uint8", id="grey"
        ),
        pytest.param(imagenet(X=np.zeros((25, 64, 64, 3))), "float64", id="floats"),
        pytest.param(imagenet(y=np.zeros(24, int)), r"expected y of integers \(25,\)", id="24"),
        pytest.param(imagenet(y=np.full(25, 1000)), "labels outside", id="label 1000"),
        pytest.param(imagenet(y=np.full(25, -1)), "labels outside", id="label -1"),
        pytest.param(imagenet(y=np.array([{}] * 25)), "object", id="pickled labels"),
        pytest.param(bytes(200_000), "zip", id="not an archive"),
        pytest.param(imagenet()[:-9000], "zip", id="cut off"),
    ],
)
def test_a_file_of_other_content_is_refused_and_removed(content, words, server, cache):
    server.files[NPZ] = content + bytes(max(0, 100_000 - len(content)))
    with pytest.raises(DamagedFileError, match=words):
        load_imagenet_val()
    assert not list(cache.iterdir())


def test_without_a_network_the_message_says_where_to_put_the_pictures(offline, cache):
    with pytest.raises(DownloadError) as caught:
        load_imagenet_val()
    assert str(cache / NPZ) in str(caught.value)


def test_too_many_pictures_are_refused_before_anything_is_downloaded(server):
    with pytest.raises(ValueError, match="1 to 25"):
        load_imagenet_val(26)
    assert server.requests == []


# --- either -----------------------------------------------------------------------------------


def test_a_network_brings_its_own_pictures(server, monkeypatch):
    server.files[NPZ] = imagenet()
    assert len(load_pictures(2, "squeezenet1_1").class_names) == 1000
    monkeypatch.setenv("CS231N_NETWORK", "squeezenet1_1")
    assert len(load_pictures(2).class_names) == 1000
    with pytest.raises(ValueError, match="network"):
        load_pictures(2, "alex")


def test_pictures_cannot_be_swapped_by_accident(shipped):
    pictures = load_menagerie(1, folder=shipped)
    assert isinstance(pictures, Pictures)
    with pytest.raises(AttributeError):
        pictures.y = pictures.y + 1
