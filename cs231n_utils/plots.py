"""The lab's pictures. Each function returns its Figure, which a notebook shows as a cell's result.

Figures belong to their caller: nothing is registered with pyplot, so nothing shows twice and no
global setting changes. Images may be given as a notebook has them at hand: a PIL image, a uint8
array (H, W, 3), a float array (H, W, 3) in 0..1, or a preprocessed tensor (1, 3, H, W).
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from .images import SQUEEZENET_MEAN, SQUEEZENET_STD, deprocess
from .scores import energy_inside, pointing_game

Array = npt.NDArray[Any]

# Inches and points. 9.6 inches at 110 dots are as wide as a notebook's column on a laptop, and five
# pictures of 224 pixels in a row keep nearly every pixel.
_WIDTH, _DPI, _GAP = 9.6, 110, 0.1
_LARGEST_CELL = 2.4
_LINE = 0.17  # height of a line of caption
_SIZE = 9.0
_INK, _FAINT, _FRAME, _BAD = "#22252b", "#6b7280", "#d5d8de", "#ff4fa0"
_INKS = {True: "#137a4b", False: "#b3261e"}
_MAP_COLOURS, _SIGNED_COLOURS = "magma", "RdBu_r"
_TIMES = "\N{MULTIPLICATION SIGN}"


class LabFigure(Figure):
    """A Figure that notebooks show even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def show_pictures(
    X: Any,
    y: Sequence[int] | Array | None = None,
    class_names: Sequence[str] | None = None,
    *,
    columns: int = 5,
) -> Figure:
    """Pictures in rows, each under its class's name.

    Args:
        X: uint8 (N, H, W, 3), a preprocessed tensor (N, 3, H, W), or a list of images.
        y: the class of each; None for no titles.
        class_names: indexable by y; None to show the numbers.
        columns: pictures a row.
    """
    images = _rgb_list(X)
    titles = [""] * len(images) if y is None else _names(y, class_names, len(images))
    return show_gallery(images, titles, columns=columns)


def show_gallery(
    images: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    title: str | None = None,
) -> Figure:
    """Images in rows, each under its title.

    Args:
        images: a list of images, or a batch as `show_pictures` takes it.
        titles: one for each image.
        columns: images a row.
        title: a heading over all.
    """
    pictures = _rgb_list(images)
    labels = _same_length(titles, len(pictures))
    columns = max(1, min(columns, len(pictures)))
    sheet = _Sheet(
        rows=-(-len(pictures) // columns),
        columns=columns,
        aspect=_aspect(pictures[0]),
        lines=_lines(labels),
        heading=title,
    )
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        _draw(sheet.cell(i // columns, i % columns), picture, label)
    return sheet.figure


def show_class_visualization(
    images: Any, titles: Sequence[str] | None = None, *, title: str | None = None
) -> Figure:
    """The progress of a class visualization as a strip, first image to last.

    Args:
        images: what the loop showed, in order.
        titles: one for each image, such as "iteration 25".
        title: a heading, such as the class's name.
    """
    pictures = _rgb_list(images)
    return show_gallery(pictures, titles, columns=min(len(pictures), 6), title=title)


def show_saliency_maps(
    X: Any,
    y: Sequence[int] | Array,
    maps: Any,
    class_names: Sequence[str] | None = None,
    masks: Array | None = None,
) -> Figure:
    """Pictures over their saliency maps; with masks, also how well each map finds the object.

    Each map has its own scale, from 0 to the value that 99.8 % of its pixels stay below, so that a
    few peaks don't leave the rest black. With masks, the object's outline and the map's peak are
    drawn, and beneath stands the share of the map's energy that lies on the object.

    Args:
        X: the N pictures, as `show_pictures` takes them.
        y: (N,) the class of each.
        maps: (N, H, W), not negative; a tensor or an array.
        class_names: indexable by y; None to show the numbers.
        masks: bool (N, H, W), True on the object.
    """
    images, values = _rgb_list(X), _numbers(maps)
    if values.ndim != 3 or len(values) != len(images):
        raise ValueError(
            f"show_saliency_maps expected maps (N, H, W) for {len(images)} pictures, "
            f"got {values.shape}"
        )
    titles, captions = _names(y, class_names, len(images)), _scored(values, masks)
    per_row = min(len(images), 5)
    blocks = -(-len(images) // per_row)
    sheet = _Sheet(
        rows=2 * blocks,
        columns=per_row,
        aspect=_aspect(images[0]),
        lines=[1, 0] * blocks,
        below=[0, 0 if masks is None else 1] * blocks,
    )
    for i, image in enumerate(images):
        row, column = 2 * (i // per_row), i % per_row
        _draw(sheet.cell(row, column), image, titles[i])
        axes = sheet.cell(row + 1, column)
        _draw_map(axes, values[i], _upper(values[i]))
        if masks is not None:
            _outline(axes, values[i], np.asarray(masks)[i])
            text, ink = captions[i]
            axes.set_xlabel(text, color=ink, fontsize=_SIZE - 0.5, labelpad=3)
    return sheet.figure


def show_fooling(
    X: Tensor,
    X_fooling: Tensor,
    model: nn.Module,
    class_names: Sequence[str],
    *,
    amplify: float = 10,
) -> Figure:
    """A fooling image: original, fooled, their difference, and the difference amplified.

    The two pictures are titled with the class that `model` sees in them and its probability. The
    differences are drawn around middle grey.

    Args:
        X: the original, preprocessed (1, 3, H, W).
        X_fooling: the changed one, of the same shape.
        model: the network to ask.
        class_names: indexable by class.
        amplify: factor of the last picture.
    """
    if X.shape != X_fooling.shape or X.dim() != 4 or len(X) != 1:
        raise ValueError(
            "show_fooling expected two images (1, 3, H, W), "
            f"got {tuple(X.shape)} and {tuple(X_fooling.shape)}"
        )
    before, after = _pixels(X), _pixels(X_fooling)
    change = after - before
    sheet = _Sheet(rows=1, columns=4, aspect=_aspect(before), lines=2, below=[1])
    shown = [before, after, 0.5 + change, 0.5 + amplify * change]
    roles = ["original", "fooled", "", ""]
    titles = [
        _seen(model, X, class_names),
        _seen(model, X_fooling, class_names),
        "difference",
        f"difference {_TIMES} {amplify:g}",
    ]
    for column, (picture, role, title) in enumerate(zip(shown, roles, titles, strict=True)):
        axes = sheet.cell(0, column)
        _draw(axes, np.clip(picture, 0, 1), title)
        above = 1 + (_LINE + 0.07) / sheet.height
        axes.text(
            0.5, above, role,
            transform=axes.transAxes, ha="center", fontsize=_SIZE - 0.5, color=_FAINT,
        )  # fmt: skip
    levels = 255 * np.abs(change)
    text = f"changed by {levels.mean():.1f} of 255 levels on average, {levels.max():.0f} at most"
    sheet.cell(0, 2).set_xlabel(text, color=_FAINT, fontsize=_SIZE - 0.5, labelpad=4, loc="left")
    return sheet.figure


def compare(yours: Any, reference: Any, *, title: str | None = None) -> Figure:
    """Yours beside the reference, their difference, and the difference amplified.

    All panels of a row share the reference's scale. Maps are drawn from black (0 or less) to
    yellow; values with three channels as colours around middle grey, which stands for 0.
    Pixels that are NaN or infinite are pink.

    Args:
        yours: maps (N, H, W) or (H, W), or signed values with channels (N, 3, H, W).
        reference: of the same shape, finite.
        title: a heading.

    Raises:
        ValueError: the shapes differ, or are none of these.
    """
    mine, truth = _numbers(yours), _numbers(reference)
    if mine.shape != truth.shape:
        raise ValueError(f"compare expected equal shapes, got {mine.shape} and {truth.shape}")
    if truth.ndim == 2:
        mine, truth = mine[None], truth[None]
    if truth.ndim not in (3, 4) or truth.size == 0 or (truth.ndim == 4 and truth.shape[1] != 3):
        raise ValueError(
            f"compare expected maps (N, H, W) or values (N, 3, H, W), got {truth.shape}"
        )
    height, width = truth.shape[-2:]
    sheet = _Sheet(
        rows=len(truth),
        columns=4,
        aspect=height / width,
        lines=[1] + [0] * (len(truth) - 1),
        below=[1] * len(truth),
        heading=title,
    )
    for row in range(len(truth)):
        _compare_row(sheet, row, mine[row], truth[row])
    for column, name in enumerate(["yours", "reference", "difference", "difference amplified"]):
        sheet.cell(0, column).set_title(name, **_title_style())
    return sheet.figure


def _compare_row(sheet: "_Sheet", row: int, mine: Array, truth: Array) -> None:
    scale = float(np.abs(truth).max()) or 1.0
    difference = mine - truth
    finite = np.isfinite(difference)
    worst = float(np.abs(difference[finite]).max(initial=0))
    factor = _round_factor(scale / worst) if worst > 0 else 1.0
    panels = [mine, truth, difference, difference * factor]
    captions = [
        f"largest {_largest(mine)}",
        f"largest {_largest(truth)}",
        f"up to {_percent(worst / scale)} of the largest value" if worst else "none",
        f"{_TIMES} {factor:,g}",
    ]
    if not finite.all():
        captions[2] = f"{np.count_nonzero(~finite):,} values not finite"
    for column, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        axes = sheet.cell(row, column)
        if panel.ndim == 3:
            colours = np.moveaxis(0.5 + panel / (2 * scale), 0, -1)
            bad = ~np.isfinite(colours).all(axis=-1)
            colours = np.clip(np.nan_to_num(colours), 0, 1)
            colours[bad] = (1.0, 0.31, 0.63)
            _draw(axes, colours)
        else:
            _draw_map(axes, panel, scale, signed=column > 1)
        axes.set_xlabel(caption, color=_FAINT, fontsize=_SIZE - 0.5, labelpad=3)


class _Sheet:
    """A figure of equal cells, laid out in inches so that no picture is squeezed."""

    def __init__(
        self,
        rows: int,
        columns: int,
        aspect: float,
        lines: int | Sequence[int] = 1,
        below: Sequence[int] | None = None,
        heading: str | None = None,
    ) -> None:
        """`lines`, `below`: lines of text over and under each row; `aspect`: height / width."""
        above = [lines] * rows if isinstance(lines, int) else list(lines)
        under = [0] * rows if below is None else list(below)
        self.width = min(_LARGEST_CELL, (_WIDTH - (columns + 1) * _GAP) / columns)
        self.height = self.width * aspect
        top = _GAP + (1.5 * _LINE if heading else 0.0)
        self.tops = []  # of each row's pictures, from the figure's upper edge
        for row in range(rows):
            top += above[row] * _LINE + (0.04 if above[row] else 0.0)
            self.tops.append(top)
            top += self.height + under[row] * (_LINE + 0.05) + _GAP
        self.size = (columns * (self.width + _GAP) + _GAP, top)
        self.figure = LabFigure(figsize=self.size, dpi=_DPI, facecolor="white")
        self._cells: dict[tuple[int, int], Axes] = {}
        if heading:
            place = 1 - (_GAP + 0.5 * _LINE) / top
            self.figure.text(
                _GAP / self.size[0], place, heading,
                fontsize=_SIZE + 3, color=_INK, weight="bold", va="center",
            )  # fmt: skip

    def cell(self, row: int, column: int) -> Axes:
        """The axes of a cell, made when first asked for, without ticks."""
        if (row, column) not in self._cells:
            wide, tall = self.size
            left = _GAP + column * (self.width + _GAP)
            bottom = tall - self.tops[row] - self.height
            box = (left / wide, bottom / tall, self.width / wide, self.height / tall)
            axes = self.figure.add_axes(box)
            axes.set(xticks=[], yticks=[])
            axes.set_facecolor("#f3f4f6")
            axes.spines[:].set(color=_FRAME, linewidth=0.8)
            self._cells[row, column] = axes
        return self._cells[row, column]


def _title_style() -> dict[str, Any]:
    return {"fontsize": _SIZE, "color": _INK, "pad": 3.5, "linespacing": 1.15}


def _draw(axes: Axes, picture: Array, title: str = "") -> None:
    axes.imshow(picture, aspect="auto")
    if title:
        axes.set_title(title, **_title_style())


def _draw_map(axes: Axes, values: Array, upper: float, *, signed: bool = False) -> None:
    colours = _SIGNED_COLOURS if signed else _MAP_COLOURS
    shown = np.ma.masked_invalid(values)
    axes.set_facecolor(_BAD)  # what a masked pixel lets through
    axes.imshow(shown, cmap=colours, vmin=-upper if signed else 0.0, vmax=upper, aspect="auto")


def _outline(axes: Axes, values: Array, mask: Array) -> None:
    """The object's outline, and a ring around the map's largest value if it has one."""
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), levels=[0.5], colors="white", linewidths=0.8, alpha=0.75)
    finite = np.nan_to_num(values)
    if finite.max() == finite.min():
        return  # it points nowhere
    row, column = np.unravel_index(int(finite.argmax()), values.shape)
    axes.plot(
        int(column), int(row), "o",
        markersize=9, markerfacecolor="none", markeredgecolor="#37e0ff", markeredgewidth=1.4,
    )  # fmt: skip


def _scored(maps: Array, masks: Array | None) -> list[tuple[str, str]]:
    """A caption for each map and the colour to write it in."""
    if masks is None:
        return []
    shown = np.nan_to_num(np.abs(maps))
    inside, hits = energy_inside(shown, masks), pointing_game(shown, masks)
    captions = [
        (f"{100 * share:.0f} % on the object · {'hit' if hit else 'miss'}", _INKS[bool(hit)])
        for share, hit in zip(inside, hits, strict=True)
    ]
    whole: list[bool] = [bool(np.isfinite(values).all()) for values in maps]
    return [
        caption if ok else ("not finite", _INKS[False])
        for caption, ok in zip(captions, whole, strict=True)
    ]


def _upper(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, 0.998)) or float(finite.max()) or 1.0 if finite.size else 1.0


def _round_factor(exact: float) -> float:
    """The largest of ..., 1, 2, 5, 10, 20, ... that is at most `exact`, and at least 1."""
    if exact <= 1:
        return 1.0
    power = 10.0 ** np.floor(np.log10(min(exact, 1e12)))
    return float(power * max(step for step in (1, 2, 5) if step * power <= min(exact, 1e12)))


def _largest(values: Array) -> str:
    return f"{np.abs(values[np.isfinite(values)]).max(initial=0):.3g}"


def _seen(model: nn.Module, X: Tensor, class_names: Sequence[str]) -> str:
    with torch.no_grad():
        probabilities = model(X.detach()).softmax(dim=1)[0]
    best = int(probabilities.argmax())
    return f"{_short(class_names[best])}, {_percent(float(probabilities[best]))}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:,.0f} %"


def _names(y: Any, class_names: Sequence[str] | None, count: int) -> list[str]:
    labels = [int(label) for label in y]
    if len(labels) != count:
        raise ValueError(f"expected one label for each of {count} pictures, got {len(labels)}")
    if class_names is None:
        return [f"class {label}" for label in labels]
    return [_short(class_names[label]) for label in labels]


def _short(name: str) -> str:
    """ImageNet's names list synonyms after commas; the first one, not too long, is a title."""
    first = name.split(",")[0]
    return first if len(first) <= 26 else first[:25] + "…"


def _same_length(titles: Sequence[str] | None, count: int) -> list[str]:
    labels = [""] * count if titles is None else [str(title) for title in titles]
    if len(labels) != count:
        raise ValueError(f"expected one title for each of {count} images, got {len(labels)}")
    return labels


def _lines(titles: list[str]) -> int:
    return max(title.count("\n") + 1 if title else 0 for title in titles)


def _aspect(picture: Array) -> float:
    return float(picture.shape[0] / picture.shape[1])


def _rgb_list(images: Any) -> list[Array]:
    """Whatever the caller has as a list of arrays (H, W, 3)."""
    if isinstance(images, Image.Image) or (isinstance(images, np.ndarray) and images.ndim == 3):
        images = [images]
    if isinstance(images, Tensor):
        images = [images[i : i + 1] for i in range(len(images))] if images.dim() == 4 else [images]
    pictures = [_rgb(image) for image in images]
    if not pictures:
        raise ValueError("expected at least one picture, got none")
    return pictures


def _rgb(image: Any) -> Array:
    if isinstance(image, Tensor):
        return np.asarray(deprocess(image))
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    picture = np.asarray(image)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"expected a picture (H, W, 3), a PIL image or a tensor (1, 3, H, W), "
            f"got {picture.shape}"
        )
    return picture if picture.dtype == np.uint8 else np.clip(picture.astype(float), 0, 1)


def _pixels(X: Tensor) -> Array:
    """A preprocessed image (1, 3, H, W) as floats (H, W, 3), 0..1 where it is a picture."""
    x = np.moveaxis(X.detach().to("cpu", torch.float64).numpy()[0], 0, -1)
    pixels: Array = x * SQUEEZENET_STD + SQUEEZENET_MEAN
    return pixels


def _numbers(values: Any) -> Array:
    if isinstance(values, Tensor):
        values = values.detach().to("cpu", torch.float64).numpy()
    return np.asarray(values, np.float64)
