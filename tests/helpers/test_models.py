"""load_model: the right network, ready, checked, and without a trace elsewhere."""

import hashlib
import io
import json
import pickle

import pytest
import safetensors.torch
import torch
from torchvision.models import squeezenet1_1

from cs231n_utils import load_model, models
from cs231n_utils.downloads import DamagedFileError, DownloadError, MissingFileError
from cs231n_utils.menagerie.network import build_network

WEIGHTS = "squeezenet1_1-b8a52dc0.pth"  # as torchvision names it


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def shipped(tmp_path):
    """A folder as the package ships it, with an untrained network of four classes."""
    state = {key: weight.half() for key, weight in build_network(4).state_dict().items()}
    content = safetensors.torch.save(state)
    (tmp_path / "standard.safetensors").write_bytes(content)
    write_manifest(tmp_path, content)
    return tmp_path


def write_manifest(folder, content):
    entry = {"sha256": sha256(content), "bytes": len(content)}
    manifest = {"files": {"standard.safetensors": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def saved(model):
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


# --- the embedded networks --------------------------------------------------------------------


def test_an_embedded_network_computes_in_single_precision(shipped):
    model = models.load_embedded("standard.safetensors", shipped)
    scores = model(torch.zeros(2, 3, 64, 48))
    assert scores.shape == (2, 4)
    assert scores.dtype == torch.float32


def test_a_file_that_is_not_what_the_manifest_says_is_refused(shipped):
    path = shipped / "standard.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"standard\.safetensors is damaged"):
        models.load_embedded("standard.safetensors", shipped)


@pytest.mark.parametrize("missing", ["standard.safetensors", "manifest.json"])
def test_a_missing_file_is_named(missing, shipped):
    (shipped / missing).unlink()
    with pytest.raises(MissingFileError, match=rf"{missing} is missing.*\n.*nstall"):
        models.load_embedded("standard.safetensors", shipped)


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": {}}', '{"files": []}'])
def test_a_manifest_that_says_nothing_lets_nothing_through(manifest, shipped):
    (shipped / "manifest.json").write_text(manifest)
    with pytest.raises(DamagedFileError):
        models.load_embedded("standard.safetensors", shipped)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no tensors", id="not safetensors"),
        pytest.param(pickle.dumps({"a": 1}), id="a pickle"),
        pytest.param(safetensors.torch.save({"w": torch.zeros(2)}), id="another network"),
        pytest.param(
            safetensors.torch.save({"classifier.1.bias": torch.zeros(4)}), id="half a network"
        ),
    ],
)
def test_a_file_of_another_kind_is_refused_though_its_checksum_fits(content, shipped):
    (shipped / "standard.safetensors").write_bytes(content)
    write_manifest(shipped, content)
    with pytest.raises(DamagedFileError, match="doesn't hold the network's weights"):
        models.load_embedded("standard.safetensors", shipped)


def test_loading_leaves_the_global_random_state_alone(shipped):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    models.load_embedded("standard.safetensors", shipped)
    assert torch.rand(1) == expected


@pytest.mark.parametrize("name", ["menagerie", "menagerie-robust"])
def test_the_shipped_networks_load_frozen_and_in_evaluation_mode(name):
    model = load_model(name)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 20)


# --- which network ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "name", "expected"),
    [
        pytest.param(None, None, "menagerie", id="nothing said"),
        pytest.param("squeezenet1_1", None, "squeezenet1_1", id="the environment"),
        pytest.param("squeezenet1_1", "menagerie-robust", "menagerie-robust", id="the argument"),
        pytest.param(" ", None, "menagerie", id="an empty variable"),
    ],
)
def test_the_argument_goes_before_the_environment(variable, name, expected, monkeypatch):
    if variable is not None:
        monkeypatch.setenv("CS231N_NETWORK", variable)
    assert models.network_name(name) == expected


def test_an_unknown_network_is_refused_with_those_there_are(monkeypatch):
    with pytest.raises(ValueError, match="menagerie, menagerie-robust, squeezenet1_1, got 'alex'"):
        load_model("alex")
    monkeypatch.setenv("CS231N_NETWORK", "vgg")
    with pytest.raises(ValueError, match=r"expected CS231N_NETWORK .* got 'vgg'"):
        load_model()


# --- ImageNet ---------------------------------------------------------------------------------


def test_imagenets_network_is_downloaded_and_holds_what_was_served(server):
    truth = squeezenet1_1(weights=None)
    server.files[WEIGHTS] = saved(truth)
    model = models.load_squeezenet(sha256(server.files[WEIGHTS])[:8])
    X = torch.randn(1, 3, 64, 64)
    assert torch.equal(model.eval()(X), truth.eval()(X))


def test_imagenets_weights_are_held_against_the_checksum_in_their_name(server, cache):
    server.files[WEIGHTS] = saved(squeezenet1_1(weights=None))
    with pytest.raises(DamagedFileError, match="SHA-256 that starts with b8a52dc0"):
        load_model("squeezenet1_1")
    assert not list(cache.iterdir())


class Attack:
    def __reduce__(self):
        return exec, ("raise SystemExit('code from a file ran')",)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"weight": Attack(), "long enough": torch.zeros(1_000_000)}, id="code"),
        pytest.param({"weight": torch.zeros(1_000_000)}, id="another network"),
        pytest.param([torch.zeros(1_000_000)], id="no dictionary"),
    ],
)
def test_a_file_of_another_kind_is_refused_unrun_and_removed(payload, server, cache):
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    content = buffer.getvalue()
    server.files[WEIGHTS] = content
    with pytest.raises(DamagedFileError, match="doesn't hold SqueezeNet's weights"):
        models.load_squeezenet(sha256(content)[:8])
    assert not list(cache.iterdir())


def test_without_a_network_the_message_says_where_to_put_the_weights(offline, cache):
    with pytest.raises(DownloadError) as caught:
        load_model("squeezenet1_1")
    assert str(cache / WEIGHTS) in str(caught.value)
