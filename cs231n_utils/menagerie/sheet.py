"""A contact sheet for looking: ``python -m cs231n_utils.menagerie.sheet sheet.png``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from .scenes import CLASS_NAMES, draw


def contact_sheet(
    labels: Sequence[int], seeds: Sequence[int], size: int = 112, masks: bool = False
) -> Image.Image:
    """One row a label, one column a seed; ``masks`` shows the masks beside the pictures."""
    columns = len(seeds) * (2 if masks else 1)
    sheet = Image.new("RGB", (columns * size, len(labels) * size))
    for row, label in enumerate(labels):
        for column, seed in enumerate(seeds):
            picture = draw(label, seed, size)
            sheet.paste(Image.fromarray(picture.image), (column * size, row * size))
            if masks:
                mask = Image.fromarray(picture.mask).convert("RGB")
                sheet.paste(mask, ((len(seeds) + column) * size, row * size))
    return sheet


def main() -> None:
    """Write a sheet as PNG."""
    parser = argparse.ArgumentParser(description="Draw a contact sheet of the menagerie.")
    parser.add_argument("path", type=Path, help="PNG file to write")
    parser.add_argument("--classes", nargs="*", default=CLASS_NAMES, choices=CLASS_NAMES)
    parser.add_argument("--seeds", type=int, default=10, help="pictures a class")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=112, help="side of a picture in pixels")
    parser.add_argument("--masks", action="store_true", help="show the masks as well")
    chosen = parser.parse_args()
    labels = [CLASS_NAMES.index(name) for name in chosen.classes]
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    contact_sheet(labels, seeds, chosen.size, chosen.masks).save(chosen.path)


if __name__ == "__main__":
    main()
