"""Write the model card: what the shipped networks do, measured, beside the bars they must meet."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file
from torch import nn

from cs231n_utils.menagerie import CLASS_NAMES, draw, evaluate, sheet
from cs231n_utils.menagerie.network import build_network
from cs231n_utils.menagerie.train import RECIPES, Recipe, Stage
from cs231n_utils.shipped import shipped_json


@dataclass(frozen=True)
class Bar:
    """One line of the card: a figure of `evaluate.measure`, and what it must reach."""

    name: str
    value: Callable[[dict[str, Any]], float]
    least: float | None
    most: float | None
    networks: tuple[str, ...]
    percent: bool = True

    def shown(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.percent else f"{value:.2f}"

    def wanted(self) -> str:
        if self.least is not None:
            return f"≥ {self.shown(self.least)}"
        return "" if self.most is None else f"≤ {self.shown(self.most)}"

    def met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


_BOTH = ("standard", "robust")
BARS = (
    Bar("Accuracy on 2,000 fresh pictures", lambda m: m["accuracy"], 0.97, None, _BOTH),
    Bar(
        "Saliency: pointing game",
        lambda m: m["saliency"]["pointing_game"],
        0.85,
        None,
        _BOTH,
    ),
    Bar(
        "Saliency: energy inside the mask, as a multiple of the mask's share",
        lambda m: m["saliency"]["energy_inside"] / m["saliency"]["mask_share"],
        2.0,
        None,
        _BOTH,
        percent=False,
    ),
    Bar(
        "Fooling: (picture, target) pairs fooled within 100 unit steps",
        lambda m: m["fooling"]["fooled"],
        0.9,
        None,
        ("standard",),
    ),
    Bar(
        "Fooling: median steps",
        lambda m: m["fooling"]["median_steps"],
        None,
        40,
        ("standard",),
        percent=False,
    ),
    Bar(
        "Class visualization: least probability of its own class over all classes",
        lambda m: m["class_visualization"]["least_probability"],
        0.9,
        None,
        ("robust",),
    ),
    Bar(
        "Class visualization: recognised by a third network",
        lambda m: m["class_visualization"]["recognised_by_witness"],
        0.7,
        None,
        ("robust",),
    ),
)


def write_card(
    networks: Mapping[str, nn.Module], witness: nn.Module, logs: Mapping[str, Path], folder: Path
) -> bool:
    """Measure, write MODEL_CARD.md and its pictures to `folder`; True if all bars hold.

    networks: "standard" and "robust", as shipped. witness: a network of another seed that isn't.
    logs: for each network the log that its training left.
    """
    files = shipped_json("manifest.json")["files"]
    folder.mkdir(parents=True, exist_ok=True)
    measured: dict[str, dict[str, Any]] = {}
    with Console(stderr=True).status("measuring") as status:
        for name, network in networks.items():
            status.update(f"measuring {name}: some minutes")
            checksum = {"sha256": files[f"{name}.safetensors"]["sha256"]}  # whose card this is
            measured[name] = checksum | evaluate.measure(network, witness)
        measured["witness"] = {"accuracy": evaluate.accuracy(witness)}
        status.update("drawing the pictures of the card")
        _pictures(networks, folder)
    (folder / "model_card.json").write_text(json.dumps(measured, indent=2) + "\n")
    (folder / "MODEL_CARD.md").write_text(_text(measured, logs))
    return not missed(measured)


def missed(measured: Mapping[str, dict[str, Any]]) -> list[str]:
    """Name the bars that measured networks don't meet: what `model_card.json` holds."""
    return [
        f"{name}: {bar.name}"
        for bar in BARS
        for name in bar.networks
        if not bar.met(bar.value(measured[name]))
    ]


def _text(measured: Mapping[str, dict[str, Any]], logs: Mapping[str, Path]) -> str:
    lines = [
        "# Model card: the menagerie's networks",
        "",
        "Written by `cs231n card`, which measures all of this on pictures that no training run has",
        "drawn. Not edited by hand.",
        "",
        "| measured | bar | standard | robust |",
        "| --- | --- | --- | --- |",
    ]
    for bar in BARS:
        cells = []
        for name in _BOTH:
            value = bar.value(measured[name])
            held = "" if name not in bar.networks else " ✓" if bar.met(value) else " **missed**"
            cells.append(bar.shown(value) + held)
        lines.append(f"| {bar.name} | {bar.wanted()} | {cells[0]} | {cells[1]} |")
    standard = measured["standard"]
    lines += [
        "",
        "A bar holds for the networks that bear a ✓ or a **missed**; the others are there to",
        "compare. The mask covers "
        f"{100 * standard['saliency']['mask_share']:.1f} % of a picture on average, which is what",
        "noise would score in the pointing game. Class visualizations are made with all defaults",
        "of the exercise and judged as 8-bit pictures; the third network was trained from another",
        "seed, on other pictures, and knows "
        f"{100 * measured['witness']['accuracy']:.1f} % of the fresh ones.",
        "",
        "## How they were trained",
        "",
        "SqueezeNet 1.1 without its last ReLU, from scratch, by `cs231n train`; weights kept as",
        "float16. Batch norm was folded into the convolutions and the scores were centred over the",
        "classes. A shift is adversarial, of any length up to the one given, over the picture or",
        "only beside the thing that it shows. The last epochs of both teach them to depend on the",
        "thing, which makes its mask a fair answer to where a saliency map should point.",
        "Minutes are of one core that had other work beside it.",
        "",
        "| network | pictures | epochs at pixels | shift (L2) | last loss | minutes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_training_row(name, RECIPES[name], log) for name, log in logs.items()]
    lines += [
        "",
        "## What they see",
        "",
        "Fresh pictures, and below each the saliency maps of the standard and the robust network:",
        "",
        "![saliency maps](saliency.png)",
        "",
        "Every class visualized on the robust network, with the exercise's defaults:",
        "",
        "![class visualizations, robust](visualizations_robust.png)",
        "",
        "And on the standard network:",
        "",
        "![class visualizations, standard](visualizations_standard.png)",
        "",
        "The classes, drawn by code:",
        "",
        "![contact sheet](menagerie.png)",
        "",
        "## What they are for",
        "",
        "Learning and grading these three exercises. The pictures are drawn, flat and always of",
        "one object; nothing measured here says anything about photographs.",
        "",
    ]
    return "\n".join(lines)


def _training_row(name: str, recipe: Recipe, log: Path) -> str:
    epochs = [json.loads(line) for line in log.read_text().splitlines()]
    stages = recipe.stages if recipe.finish is None else (*recipe.stages, recipe.finish)
    epochs_at = ", ".join(f"{s.epochs} at {s.size}" for s in stages)
    shifts = ", ".join(dict.fromkeys(_shifts(s) for s in stages))
    minutes = sum(e["seconds"] for e in epochs) / 60
    loss = f"{epochs[-1]['loss']:.3f}"
    return f"| {name} | {recipe.pictures:,} | {epochs_at} | {shifts} | {loss} | {minutes:.0f} |"


def _shifts(stage: Stage) -> str:
    parts = [f"{stage.shift:g}"] if stage.shift else []
    parts += [f"{stage.beside:g} beside the thing"] if stage.beside else []
    return " and ".join(parts) or "none"


def _pictures(networks: Mapping[str, nn.Module], folder: Path) -> None:
    sheet.contact_sheet(range(len(CLASS_NAMES)), range(evaluate.FRESH, evaluate.FRESH + 8)).save(
        folder / "menagerie.png", optimize=True
    )
    _saliency_sheet(networks).save(folder / "saliency.png", optimize=True)
    for name, network in networks.items():
        _, images = evaluate.class_visualization(network, None)
        grid(images, columns=5).save(folder / f"visualizations_{name}.png", optimize=True)


def grid(images: NDArray[np.uint8], columns: int, side: int = 160) -> Image.Image:
    """Lay uint8 (N, H, W, 3) out in rows of `columns`, each picture `side` pixels wide."""
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * side, rows * side), "white")
    for i, image in enumerate(images):
        picture = Image.fromarray(image).resize((side - 2, side - 2), Image.Resampling.LANCZOS)
        canvas.paste(picture, (i % columns * side, i // columns * side))
    return canvas


def _saliency_sheet(networks: Mapping[str, nn.Module]) -> Image.Image:
    """Every other class: the picture, and below it the map of each network."""
    labels = list(range(0, len(CLASS_NAMES), 2))
    X = np.stack([draw(label, evaluate.FRESH + 77).image for label in labels])
    rows = [X]
    for network in networks.values():
        maps = evaluate.saliency_maps(network, X, np.array(labels)).numpy()
        # Bright at the 99.5th percentile: single pixels would leave the rest black.
        top = np.quantile(maps, 0.995, axis=(1, 2), keepdims=True)
        grey = (255 * np.clip(maps / top, 0, 1)).astype(np.uint8)
        rows.append(np.repeat(grey[..., None], 3, axis=-1))
    return grid(np.concatenate(rows), columns=len(labels), side=120)


def load_weights(file: Path) -> nn.Module:
    """Return the network whose finished weights `train` left in a file, ready to be measured."""
    network = build_network(len(CLASS_NAMES))
    network.load_state_dict({k: v.to(torch.float32) for k, v in load_file(file).items()})
    return network.eval().requires_grad_(False)
