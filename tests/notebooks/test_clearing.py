"""What the student writes is cleared; the frame around it and all that is given stay."""

from textwrap import dedent

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config

from cs231n_utils.grading.release import ClearFramedSolutions, ReleaseError

STUB = '# TODO: yours.\nraise NotImplementedError("{name}: write it")'


def cleared(source: str, kind: str = "code", **nbgrader: object) -> str:
    """Return what the preprocessor makes of one cell."""
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    metadata = {"grade_id": "double", "solution": True, "grade": kind != "code", **nbgrader}
    only = make(dedent(source), metadata={"nbgrader": metadata} if nbgrader is not None else {})
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=[only])
    config = Config({"ClearSolutions": {"code_stub": {"python": STUB}}})
    result, _ = ClearFramedSolutions(config=config).preprocess(notebook, {})
    return str(result.cells[0].source)


def test_frame_and_given_lines_stay_and_the_stub_takes_the_frame_s_indentation() -> None:
    assert cleared(
        """\
        def double(x):
            y = None
            # --- START OF YOUR CODE (1 line) ---
            y = 2 * x
            # --- END OF YOUR CODE ---
            return y"""
    ) == dedent(
        """\
        def double(x):
            y = None
            # --- START OF YOUR CODE (1 line) ---
            # TODO: yours.
            raise NotImplementedError("double: write it")
            # --- END OF YOUR CODE ---
            return y"""
    )


def test_two_frames_in_a_cell_are_both_cleared() -> None:
    source = """\
        # START OF YOUR CODE
        secret = 1
        # END OF YOUR CODE
        given = 2
        # START OF YOUR CODE
        secret = 3
        # END OF YOUR CODE"""
    assert "secret" not in cleared(source)
    assert cleared(source).count("NotImplementedError") == 2


def test_empty_frame_gets_a_stub_all_the_same() -> None:
    assert "raise" in cleared("# START OF YOUR CODE\n# END OF YOUR CODE")


def test_written_answer_is_replaced_whole() -> None:
    assert cleared("**Model answer.** Because.", "markdown") == "YOUR ANSWER HERE"


def test_text_that_only_speaks_of_the_frame_stays() -> None:
    text = "Write between START OF YOUR CODE and END OF YOUR CODE."
    assert cleared(text, "markdown", solution=False, grade=False) == text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def double(x):\n    return 2 * x", "has no line with 'START OF YOUR CODE'"),
        ("# START OF YOUR CODE\nx = 1", "no line with 'END OF YOUR CODE'"),
        ("x = 1\n# END OF YOUR CODE", "do not pair up at '# END OF YOUR CODE'"),
        ("# START OF YOUR CODE\n# START OF YOUR CODE\n# END OF YOUR CODE", "do not pair up"),
        ("# START OF YOUR CODE\n# END OF YOUR CODE\n# END OF YOUR CODE", "do not pair up"),
    ],
    ids=["no frame", "no end", "no start", "nested", "two ends"],
)
def test_broken_frame_is_refused_and_the_cell_is_named(source: str, says: str) -> None:
    with pytest.raises(ReleaseError, match="double") as error:
        cleared(source)
    assert says in str(error.value)


def test_frame_outside_of_a_solution_cell_is_refused() -> None:
    with pytest.raises(RuntimeError, match="solution cells"):
        cleared("# START OF YOUR CODE\nx = 1\n# END OF YOUR CODE", solution=False)
