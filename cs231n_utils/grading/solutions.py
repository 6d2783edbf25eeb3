"""Execute the solutions in place, so that they read as a finished article, without needless diffs.

What differs from run to run though nothing changed (times, versions, what matplotlib notes in a
picture, a last digit's worth of colour) is taken out or left as it was.
"""

import base64
import io
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat.notebooknode import NotebookNode
from PIL import Image

from ..exercises.verdict import MIME_TYPE
from .release import ASSIGNMENT, course_config

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
PNG = "image/png"
# One thread each: sums are then added in one order, and two notebooks don't fight for two cores.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
# Pictures whose pixels differ by less than this on average (of 255) look the same to anybody.
SAME_PICTURE = 0.5


def solution_notebooks(course_root: Path | str, assignment: str = ASSIGNMENT) -> list[Path]:
    """Return the solution notebooks of an assignment, by name."""
    root = Path(course_root).resolve()
    folder = root / course_config(root).CourseDirectory.source_directory / assignment
    return sorted(path for path in folder.glob("*.ipynb"))


def execute_solutions(
    course_root: Path | str,
    *,
    assignment: str = ASSIGNMENT,
    network: str = "menagerie",
    timeout: int = 600,
    report: Callable[[str, float], None] | None = None,
) -> list[Path]:
    """Run every solution top to bottom in a fresh kernel and store its outputs in the file.

    Args:
        course_root: the folder of `nbgrader_config.py`.
        assignment: the name of the assignment.
        network: the network that the notebooks load.
        timeout: seconds for one cell.
        report: called with each notebook's name and its seconds.

    Returns:
        the files whose contents changed.

    Raises:
        nbclient.exceptions.CellExecutionError: a solution fails; its file is left as it was.
    """
    changed = []
    for path in solution_notebooks(course_root, assignment):
        start = time.monotonic()
        before = path.read_text(encoding="utf-8")
        stored = nbformat.reads(before, as_version=4)
        after = nbformat.writes(normalised(executed(stored, path.parent, network, timeout), stored))
        if not after.endswith("\n"):
            after += "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
        if report:
            report(path.name, time.monotonic() - start)
    return changed


def executed(
    notebook: NotebookNode, folder: Path, network: str = "menagerie", timeout: int = 600
) -> NotebookNode:
    """Return a copy of a notebook, run in a fresh kernel whose working directory is `folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    fresh = nbformat.from_dict(notebook)
    client = NotebookClient(
        fresh,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute(env={**os.environ, **ENVIRONMENT, "CS231N_NETWORK": network})
    return fresh


def normalised(notebook: NotebookNode, stored: NotebookNode | None = None) -> NotebookNode:
    """Return the notebook without what differs between two runs though nothing changed.

    stored: the same notebook as it was; its pictures are kept where the new ones look the same, and
        its verdicts where the new ones, on other questions, say the same.
    """
    fresh = nbformat.from_dict(notebook)
    fresh.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    for cell in fresh.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
        for data in _data(cell):
            if PNG in data:
                data[PNG] = base64.b64encode(without_notes(base64.b64decode(data[PNG]))).decode(
                    "ascii"
                )
    _keep_what_is_the_same(fresh, stored)
    return fresh


def without_notes(png: bytes) -> bytes:
    """Drop a PNG's notes (text, time): matplotlib writes its version there."""
    kept, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        end = at + 12 + length
        if png[at + 4 : at + 8] not in (b"tEXt", b"iTXt", b"zTXt", b"tIME"):
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def _keep_what_is_the_same(fresh: NotebookNode, stored: NotebookNode | None) -> None:
    before = {cell.get("id"): list(_data(cell)) for cell in stored.cells} if stored else {}
    for cell in fresh.cells:
        new, old = list(_data(cell)), before.get(cell.get("id"), [])
        if len(new) != len(old):
            continue
        for now, then in zip(new, old, strict=True):
            if PNG in now and PNG in then and _look_the_same(now[PNG], then[PNG]):
                now[PNG] = then[PNG]
            if MIME_TYPE in now and MIME_TYPE in then and _say_the_same(now, then):
                now.update(then)


def _say_the_same(now: NotebookNode, then: NotebookNode) -> bool:
    """Whether two verdicts differ in nothing but the seed of their questions."""
    return bool({**now[MIME_TYPE], "seed": 0} == {**then[MIME_TYPE], "seed": 0})


def _look_the_same(one: str, other: str) -> bool:
    a, b = _pixels(one), _pixels(other)
    return a.shape == b.shape and bool(np.abs(a - b).mean() < SAME_PICTURE)


def _pixels(encoded: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image.convert("RGBA"), dtype=np.float32)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join streams that follow one another: where a kernel cuts them depends on timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if output.output_type == "stream" and last and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _data(cell: NotebookNode) -> Iterator[Any]:
    for output in cell.get("outputs", []):
        if "data" in output:
            yield output.data
