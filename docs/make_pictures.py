"""Draw docs/lab.png, the README's picture, with the solutions and the shipped networks.

`make pictures` runs it from the repository's root.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image

from bench.solutions import solution
from cs231n_utils import Pictures, deprocess, load_menagerie, load_model, preprocess

OUT = Path(__file__).parent
Tile = tuple[Any, str]
COLUMNS = 6
ROWS = {
    "saliency_maps": "Saliency maps\nwhich pixels does\na class score\ndepend on?",
    "fooling_images": "Fooling images\nwhich small change\nmakes the network\nsee another class?",
    "class_visualization": "Class visualization\nwhich image does\na class score\nlike best?",
}
CHANGE_SHOWN = 10
"""A fooling change is smaller than the eye can see: it is shown this many times as large."""


def main() -> None:
    """Write the pictures; a little over a minute."""
    pictures, model = load_menagerie(), load_model("menagerie")
    tiles = {
        "saliency_maps": saliency(pictures, model, ["tarantula", "stingray", "snail"]),
        "fooling_images": fooling(
            pictures, model, [("owl", "teapot"), ("sailboat", "jellyfish")]
        ),
        "class_visualization": visualizations(
            pictures, ["mushroom", "penguin", "hot-air balloon", "snail", "owl", "teapot"]
        ),
    }
    save(sheet(tiles), OUT / "lab.png")


def one_of(pictures: Pictures, model: Any, name: str) -> tuple[np.ndarray, int]:
    """A picture of a class (224, 224, 3), the one that the network knows best; and its number."""
    label = pictures.class_names.index(name)
    own = pictures.X[pictures.y == label]
    with torch.no_grad():
        sure = model(preprocess(own)).softmax(dim=1)[:, label]
    return own[int(sure.argmax())], label


def seen(pictures: Pictures, model: Any, image: torch.Tensor) -> str:
    """What the network takes an image (1, 3, H, W) for, and how surely."""
    with torch.no_grad():
        probability, label = model(image).softmax(dim=1)[0].max(dim=0)
    return f"{pictures.class_names[int(label)]} {probability:.0%}"


def saliency(pictures: Pictures, model: Any, names: list[str]) -> list[Tile]:
    """Pairs: a picture and its map."""
    compute, tiles = solution("saliency_maps"), []
    for name in names:
        picture, label = one_of(pictures, model, name)
        (found,) = compute(preprocess(picture), torch.tensor([label]), model).numpy()
        tiles += [(picture, name), (found / np.quantile(found, 0.999), "saliency")]
    return tiles


def fooling(pictures: Pictures, model: Any, pairs: list[tuple[str, str]]) -> list[Tile]:
    """Triples: a picture, the change, the picture with the change."""
    make, tiles = solution("fooling_images"), []
    for name, target in pairs:
        picture, _ = one_of(pictures, model, name)
        image = preprocess(picture)
        fooled = make(image, pictures.class_names.index(target), model)
        after = np.asarray(deprocess(fooled, should_rescale=False))
        change = (after / 255.0 - picture / 255.0) * CHANGE_SHOWN + 0.5
        tiles += [
            (picture, f"seen as {seen(pictures, model, image)}"),
            (change.clip(0, 1), f"+ this, shown × {CHANGE_SHOWN}"),
            (after, f"seen as {seen(pictures, model, fooled)}"),
        ]
    return tiles


def visualizations(pictures: Pictures, names: list[str]) -> list[Tile]:
    """What the robust network likes best, from noise."""
    create, model = solution("class_visualization"), load_model("menagerie-robust")
    tiles = []
    for name in names:
        drawn = create(
            pictures.class_names.index(name), model, torch.float32, show_every=0,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        tiles.append((np.asarray(drawn), name))
    return tiles


def sheet(tiles: dict[str, list[Tile]]) -> plt.Figure:
    """One row for each exercise: what it asks, and six tiles."""
    figure, axes = plt.subplots(
        len(tiles), COLUMNS + 1, figsize=(16, 7.4), dpi=110,
        width_ratios=[1.15] + [1] * COLUMNS, layout="constrained",
    )  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.05, wspace=0.01, hspace=0.02)
    for row, (exercise, shown) in zip(axes, tiles.items(), strict=True):
        title, question = ROWS[exercise].split("\n", 1)
        row[0].axis("off")
        row[0].text(0, 0.62, title, fontsize=15, weight="bold", va="bottom")
        row[0].text(0, 0.56, question, fontsize=13, va="top", linespacing=1.4, color="0.3")
        for axis, (picture, label) in zip(row[1:], shown, strict=True):
            draw(axis, picture, label)
    return figure


def draw(axis: Axes, picture: Any, label: str) -> None:
    """A picture (H, W, 3), or a map (H, W) from 0 to 1, with its label above."""
    axis.imshow(picture, cmap="magma", vmin=0, vmax=1)
    axis.set_title(label, fontsize=12)
    axis.axis("off")


def save(figure: plt.Figure, path: Path) -> None:
    """As a PNG of 256 colours: a third of the size, and nobody sees it."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.15)
    image = Image.open(raw).convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    image.save(path, optimize=True)
    print(f"{path.name}: {image.width} × {image.height}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
