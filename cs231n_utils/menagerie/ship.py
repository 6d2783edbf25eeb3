"""Put trained networks and a validation set into the package, with their checksums."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from . import CLASS_NAMES, draw

SHIPPED = Path(__file__).parent / "shipped"
LARGEST = 8_000_000  # bytes that the package may carry

# Seeds of the shipped pictures: below training's, above those that the model card measures on.
_FIRST_SEED = 900_000


def ship(weights: Mapping[str, Path], folder: Path = SHIPPED, per_class: int = 6) -> int:
    """Write weights as float16, the validation set and the manifest; return the bytes in all.

    weights: for each name, the file that `train` returned.
    Raises ValueError when it comes to more than the package may carry.
    """
    folder.mkdir(exist_ok=True)
    for name, file in weights.items():
        state = {k: v.to(torch.float16).contiguous() for k, v in load_file(file).items()}
        save_file(state, folder / f"{name}.safetensors")
    _write_validation_set(folder, per_class)
    _write_manifest(folder)
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        file.chmod(0o644)  # safetensors writes for its owner alone
    total = sum(file.stat().st_size for file in files)
    if total > LARGEST:
        raise ValueError(f"expected at most {LARGEST} bytes in {folder}, got {total}")
    return total


def _write_validation_set(folder: Path, per_class: int) -> None:
    pictures = folder / "validation"
    pictures.mkdir(exist_ok=True)
    for old in pictures.iterdir():
        old.unlink()
    labels = [i % len(CLASS_NAMES) for i in range(per_class * len(CLASS_NAMES))]
    for i, label in enumerate(labels):
        image, mask = draw(label, _FIRST_SEED + i)
        Image.fromarray(image).save(pictures / f"{i:03d}.webp", lossless=True, quality=75, method=4)
        Image.fromarray(mask).save(pictures / f"{i:03d}.png", optimize=True)
    index = {"class_names": list(CLASS_NAMES), "labels": labels}
    (folder / "validation.json").write_text(json.dumps(index) + "\n")


def _write_manifest(folder: Path) -> None:
    files = {
        str(file.relative_to(folder).as_posix()): {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in sorted(folder.glob("*.safetensors"))
    }
    (folder / "manifest.json").write_text(json.dumps({"files": files}, indent=2) + "\n")
