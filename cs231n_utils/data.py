"""Pictures with their labels: load_menagerie, load_imagenet_val, and load_pictures for either."""

import io
import operator
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
from PIL import Image
from torchvision.models import SqueezeNet1_1_Weights

from .downloads import RemoteFile, discarded, fetch
from .models import IMAGENET_NETWORK, network_name
from .shipped import SHIPPED, damaged, shipped_bytes, shipped_json

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SIDE = 224  # pixels

# The course's own 25 pictures. No checksum is published, so what came is checked by its content.
_IMAGENET_VAL = RemoteFile(
    "http://cs231n.stanford.edu/imagenet_val_25.npz", min_bytes=100_000, max_bytes=16_000_000
)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one data set; ``X, y, class_names = pictures`` unpacks them.

    Attributes:
        X: uint8 (N, 224, 224, 3), RGB.
        y: int64 (N,), the class of each.
        class_names: the name of class c is class_names[c].
        masks: bool (N, 224, 224), True on the object; None where the data set has none.
    """

    X: UInt8Array
    y: Int64Array
    class_names: list[str]
    masks: BoolArray | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.X, self.y, self.class_names))


def load_menagerie(num: SupportsIndex | None = None, *, folder: Path = SHIPPED) -> Pictures:
    """The menagerie's validation set: pictures that its networks have never seen, with masks.

    The order is always the same and goes round the classes, so that the first few pictures are of
    different ones.

    Args:
        num: how many pictures; None for all.
        folder: where the package's files are.

    Raises:
        TypeError: num isn't a whole number.
        ValueError: num is less than 1 or more than there are.
        LabFileError: a file of the package is missing or damaged: reinstall.
    """
    labels, class_names = _index(folder)
    chosen = _round_the_classes(labels)[: _count(num, len(labels), "the menagerie")]
    X = [_picture(f"validation/{i:03d}.webp", folder, "RGB") for i in chosen]
    masks = [_picture(f"validation/{i:03d}.png", folder, "1") for i in chosen]
    return Pictures(
        X=np.stack(X),
        y=np.array([labels[i] for i in chosen], np.int64),
        class_names=class_names,
        masks=np.stack(masks).astype(np.bool_),
    )


def load_imagenet_val(num: SupportsIndex | None = None) -> Pictures:
    """The 25 pictures of ImageNet's validation set that CS231n published; downloaded once.

    Only the arrays of numbers in the file are read; the class names, which it holds pickled, come
    from torchvision's weights instead.

    Args:
        num: how many pictures; None for all 25.

    Raises:
        TypeError: num isn't a whole number.
        ValueError: num is less than 1 or more than 25.
        DownloadError: the file isn't there and can't be fetched.
        DamagedFileError: what came is not the file.
    """
    total = 25
    num = _count(num, total, "imagenet_val_25")
    class_names: list[str] = list(SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"])
    path = fetch(_IMAGENET_VAL)
    try:
        with zipfile.ZipFile(path) as archive:
            X = _npz_array(archive, "X", (total, SIDE, SIDE, 3), "u1")
            y = _npz_array(archive, "y", (total,), "iu")
        if not all(0 <= label < len(class_names) for label in y.tolist()):
            raise ValueError(f"labels outside of 0..{len(class_names) - 1}")
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, RuntimeError) as error:
        raise discarded(_IMAGENET_VAL, str(error)) from error
    return Pictures(X=X[:num], y=y[:num].astype(np.int64), class_names=class_names)


def load_pictures(num: SupportsIndex | None = None, network: str | None = None) -> Pictures:
    """The pictures that belong to a network: ImageNet's for "squeezenet1_1", else the menagerie.

    Args:
        num: how many; None for all.
        network: a name as `load_model` takes it; None for its default.

    Raises:
        ValueError: the lab has no such network, or num is out of range.
        LabFileError: as the two loaders say.
    """
    imagenet = network_name(network) == IMAGENET_NETWORK
    return load_imagenet_val(num) if imagenet else load_menagerie(num)


def _count(num: SupportsIndex | None, total: int, name: str) -> int:
    if num is None:
        return total
    try:
        count = operator.index(num)
    except TypeError:
        raise TypeError(
            f"expected a whole number of pictures, got {num!r}; leave num out for all {total}"
        ) from None
    if not 1 <= count <= total:
        raise ValueError(
            f"expected 1 to {total} pictures of {name}, got num={count}; "
            f"leave num out for all {total}"
        )
    return count


def _index(folder: Path) -> tuple[list[int], list[str]]:
    """Labels and class names of the menagerie's validation set."""
    index = shipped_json("validation.json", folder)
    labels, names = index.get("labels"), index.get("class_names")
    if not (isinstance(labels, list) and labels and isinstance(names, list)):
        raise damaged("validation.json", "expected lists of labels and class_names", folder)
    if not all(isinstance(label, int) and 0 <= label < len(names) for label in labels):
        raise damaged("validation.json", f"labels outside of 0..{len(names) - 1}", folder)
    return labels, [str(name) for name in names]


def _round_the_classes(labels: list[int]) -> list[int]:
    """Indices in rounds: the first picture of each class, then the second of each, and so on."""
    seen: dict[int, int] = {}
    rounds: list[tuple[int, int]] = []
    for i, label in enumerate(labels):
        seen[label] = seen.get(label, -1) + 1
        rounds.append((seen[label], i))
    return [i for _, i in sorted(rounds)]


def _picture(file_name: str, folder: Path, mode: str) -> npt.NDArray[Any]:
    content = shipped_bytes(file_name, folder)
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP", "PNG"]) as image:
            picture = np.asarray(image.convert(mode))
    except OSError as error:
        raise damaged(file_name, str(error), folder) from error
    if picture.shape[:2] != (SIDE, SIDE):
        height, width = picture.shape[:2]
        problem = f"expected {SIDE} x {SIDE} pixels, got {width} x {height}"
        raise damaged(file_name, problem, folder)
    return picture


def _npz_array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], kinds: str
) -> npt.NDArray[Any]:
    """An array of an .npz file, read only if its header announces what is expected.

    The header comes first because reading allocates whatever it claims. `kinds`: "u1" for bytes,
    "iu" for any integers.
    """
    with archive.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            got_shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            got_shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    if got_shape != shape or not (dtype == np.uint8 if kinds == "u1" else dtype.kind in kinds):
        wanted = "uint8" if kinds == "u1" else "integers"
        raise ValueError(f"expected {name} of {wanted} {shape}, got {dtype} {got_shape}")
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
