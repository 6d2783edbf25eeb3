"""Executing a solution again gives no needless diff, and keeps whatever did change."""

import base64
import io

import matplotlib
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.notebooknode import NotebookNode
from PIL import Image

from cs231n_utils.exercises import MIME_TYPE
from cs231n_utils.grading.solutions import normalised, without_notes

matplotlib.use("agg")


def png(pixels: np.ndarray, **notes: str) -> str:
    """A grey picture with notes in it, as a notebook stores it."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in notes.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG", pnginfo=info)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def notebook(*outputs: NotebookNode, **metadata: object) -> NotebookNode:
    only = nbformat.v4.new_code_cell("x", outputs=list(outputs), metadata=metadata)
    only.id = "the-cell"
    return nbformat.v4.new_notebook(cells=[only])


def display(encoded: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"image/png": encoded})


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return nbformat.v4.new_output("stream", text=text, name=name)


PICTURE = np.full((8, 8), 100.0)


def test_times_of_execution_are_dropped_and_tags_stay() -> None:
    ran = notebook(tags=["demo"], execution={"iopub.status.busy": "2026-01-01T00:00:00Z"})
    assert normalised(ran).cells[0].metadata == {"tags": ["demo"]}


def test_python_version_is_dropped() -> None:
    ran = notebook()
    ran.metadata.language_info = {"name": "python", "version": "3.99.0"}
    assert "3.99" not in nbformat.writes(normalised(ran))


def test_notes_in_a_picture_are_dropped_and_its_pixels_stay() -> None:
    figure = Figure(figsize=(1, 1))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    bare = without_notes(buffer.getvalue())
    assert b"Software" in buffer.getvalue()
    assert b"Software" not in bare
    with Image.open(buffer) as one, Image.open(io.BytesIO(bare)) as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_streams_are_joined_where_they_touch_and_only_there() -> None:
    ran = notebook(
        stream("a"), stream("b"), display(png(PICTURE)), stream("c"), stream("d", "stderr")
    )
    outputs = normalised(ran).cells[0].outputs
    assert [output.get("text", "picture") for output in outputs] == ["ab", "picture", "c", "d"]


@pytest.mark.parametrize(
    ("change", "kept"),
    [(0, True), (0.4, True), (1, False), (60, False)],
    ids=["same", "a few values by one", "all by one", "another picture"],
)
def test_stored_picture_is_kept_only_where_the_new_one_looks_the_same(
    change: float, kept: bool
) -> None:
    rng = np.random.default_rng(0)
    step = (rng.random(PICTURE.shape) < change) if change < 1 else np.full(PICTURE.shape, change)
    old, new = png(PICTURE, Software="old"), png(PICTURE + step, Software="new")
    result = normalised(notebook(display(new)), stored=notebook(display(old)))
    assert (result.cells[0].outputs[0].data["image/png"] == old) is kept


def test_picture_of_another_size_replaces_the_stored_one() -> None:
    old, new = png(PICTURE), png(np.full((4, 4), 100.0))
    result = normalised(notebook(display(new)), stored=notebook(display(old)))
    assert result.cells[0].outputs[0].data["image/png"] != old


def verdict(points: float, seed: int) -> NotebookNode:
    data = {"text/plain": f"{points:g}", "text/html": f"seed {seed}"}
    return nbformat.v4.new_output(
        "execute_result", {**data, MIME_TYPE: {"points": points, "seed": seed}}, execution_count=1
    )


@pytest.mark.parametrize(("points", "kept"), [(10.0, True), (7.0, False)])
def test_stored_verdict_is_kept_where_other_questions_gave_the_same(
    points: float, kept: bool
) -> None:
    old, new = notebook(verdict(10.0, seed=1)), notebook(verdict(points, seed=2))
    data = normalised(new, stored=old).cells[0].outputs[0].data
    assert (data["text/html"] == "seed 1") is kept
    assert data["text/plain"] == f"{points:g}"


def test_normalising_twice_changes_nothing_more() -> None:
    once = normalised(notebook(display(png(PICTURE, Software="x")), stream("a"), stream("b")))
    assert normalised(once) == once
