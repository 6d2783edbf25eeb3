"""The networks of the lab, ready to be looked into: load_model."""

import os
import re
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

from .downloads import RemoteFile, discarded, fetch, sha256
from .menagerie.network import CLASSIFIER_CONV, build_network
from .shipped import SHIPPED, damaged, shipped_bytes, shipped_json

DEFAULT_NETWORK = "menagerie"
IMAGENET_NETWORK = "squeezenet1_1"

# The file in SHIPPED that holds each embedded network's weights.
_EMBEDDED = {"menagerie": "standard.safetensors", "menagerie-robust": "robust.safetensors"}

NETWORKS = (*_EMBEDDED, IMAGENET_NETWORK)


def network_name(name: str | None = None) -> str:
    """The network meant by `name`: itself, or where None that of CS231N_NETWORK, or "menagerie".

    Raises:
        TypeError: name isn't a string.
        ValueError: the lab has no such network.
    """
    where = "a network's name"
    if name is None:
        name = os.environ.get("CS231N_NETWORK", "").strip() or DEFAULT_NETWORK
        where = "CS231N_NETWORK"
    if not isinstance(name, str):
        raise TypeError(f"expected a network's name, got {type(name).__name__}")
    if name not in NETWORKS:
        raise ValueError(f"expected {where} to be one of {', '.join(NETWORKS)}, got {name!r}")
    return name


def load_model(name: str | None = None, *, device: str | torch.device = "cpu") -> nn.Module:
    """Load a pretrained classifier whose weights stay as they are.

    Args:
        name: "menagerie", "menagerie-robust" (both part of the package, 20 classes) or
            "squeezenet1_1" (ImageNet, 1000 classes, downloaded once). None takes the environment's
            CS231N_NETWORK, else "menagerie".
        device: where the network goes.

    Returns:
        a SqueezeNet 1.1 in evaluation mode, float32, no parameter of which requires grad:
        (N, 3, H, W) as `preprocess` makes them -> raw scores (N, classes).

    Raises:
        ValueError: the lab has no such network.
        LabFileError: the weights are missing, damaged or can't be downloaded; the message says
            what to do.

    Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    <0.5MB model size", 2016.
    """
    name = network_name(name)
    model = load_squeezenet() if name == IMAGENET_NETWORK else load_embedded(_EMBEDDED[name])
    return model.requires_grad_(False).eval().to(device)


def load_embedded(file_name: str, folder: Path = SHIPPED) -> nn.Module:
    """A menagerie network from a safetensors file, checked against `folder`'s manifest.

    Raises:
        MissingFileError: the file or the manifest isn't there.
        DamagedFileError: the file isn't what the manifest says, or doesn't fit the network.
    """
    content = shipped_bytes(file_name, folder)
    try:
        expected = str(shipped_json("manifest.json", folder)["files"][file_name]["sha256"])
    except (KeyError, TypeError) as error:
        raise damaged("manifest.json", f"no checksum of {file_name}", folder) from error
    if (got := sha256(content)) != expected:
        raise damaged(file_name, f"expected SHA-256 {expected}, got {got}", folder)
    try:
        # Stored as float16 to keep the package small; computed with as float32.
        state = {key: w.float() for key, w in safetensors.torch.load(content).items()}
        return _filled(len(state[f"{CLASSIFIER_CONV}.bias"]), state)
    except (safetensors.SafetensorError, KeyError, RuntimeError) as error:
        problem = f"it doesn't hold the network's weights ({_first_line(error)})"
        raise damaged(file_name, problem, folder) from error


def load_squeezenet(sha256_prefix: str | None = None) -> nn.Module:
    """ImageNet SqueezeNet 1.1 with torchvision's published weights, downloaded once.

    No code runs from the file: its checksum is verified before it is opened, and then it is read by
    torch's restricted loader (``weights_only=True``), which knows tensors and plain containers, and
    refuses everything that Python's pickle would import or call.

    Args:
        sha256_prefix: leading digits of the file's SHA-256; None takes those which the publisher
            writes into the file's name.

    Raises:
        DownloadError: the file isn't there and can't be fetched.
        DamagedFileError: what came is not the file.
    """
    url = SqueezeNet1_1_Weights.IMAGENET1K_V1.url
    if sha256_prefix is None:
        sha256_prefix = re.findall(r"-([0-9a-f]{8,64})\.pth$", url)[0]
    # 1.24 million float32 weights are 4.9 MB.
    file = RemoteFile(url, min_bytes=4_000_000, max_bytes=8_000_000, sha256_prefix=sha256_prefix)
    path = fetch(file)
    with torch.random.fork_rng(devices=[]):  # building draws weights that are thrown away
        model: nn.Module = squeezenet1_1(weights=None)
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises half a dozen types on a file of another kind
        raise discarded(
            file, f"it doesn't hold SqueezeNet's weights ({_first_line(error)})"
        ) from error
    return model


def _filled(num_classes: int, state: dict[str, Tensor]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # building draws weights that are thrown away
        model = build_network(num_classes)
    model.load_state_dict(state)
    return model


def _first_line(error: Any) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
