"""The release gate: what is released is a lesson, gives nothing away, and can be marked."""

import copy
from collections.abc import Callable

import nbformat
import pytest
from notebook_gate import (
    NOTEBOOKS,
    Pair,
    cell,
    grading_problems,
    inside_frame,
    leak_problems,
    load,
    reading_problems,
    stored_problems,
    stub_problems,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize(
    "problems",
    [stub_problems, leak_problems, grading_problems, reading_problems, stored_problems],
    ids=lambda f: f.__name__.removesuffix("_problems"),
)
def test_release_has_no_problems(name: str, problems: Callable[[Pair], list[str]]) -> None:
    assert problems(load(name)) == []


@pytest.fixture
def pair() -> Pair:
    """A copy to spoil."""
    return copy.deepcopy(load("saliency_maps"))


def solved_stub(pair: Pair) -> None:
    cell(pair.assignment, pair.function).source = cell(pair.solution, pair.function).source


def stub_without_frame(pair: Pair) -> None:
    stub = cell(pair.assignment, pair.function)
    stub.source = "\n".join(line for line in stub.source.split("\n") if "YOUR CODE" not in line)


def stub_that_returns_nothing(pair: Pair) -> None:
    stub = cell(pair.assignment, pair.function)
    stub.source = "\n".join(
        line.replace(line.strip(), "pass") if "raise" in line else line
        for line in stub.source.split("\n")
    )


def stub_of_another_function(pair: Pair) -> None:
    stub = cell(pair.assignment, pair.function)
    stub.source = stub.source.replace('Error("compute_', 'Error("make_')


@pytest.mark.parametrize(
    "spoil",
    [solved_stub, stub_without_frame, stub_that_returns_nothing, stub_of_another_function],
    ids=lambda f: f.__name__,
)
def test_spoilt_stub_is_refused(pair: Pair, spoil: Callable[[Pair], None]) -> None:
    spoil(pair)
    assert stub_problems(pair)


def one_line_in_a_hint(pair: Pair) -> None:
    line = inside_frame(cell(pair.solution, pair.function).source)[-1].strip()
    pair.assignment.cells[0].source += f"\n`{line}`"


def the_line_without_its_comment(pair: Pair) -> None:
    line = inside_frame(cell(pair.solution, pair.function).source)[-1].split("  #")[0].strip()
    pair.assignment.cells[0].source += f"\n`{line}`"


def a_sentence_of_the_model_answer(pair: Pair) -> None:
    answer = cell(pair.solution, f"{pair.name}_question").source
    pair.assignment.cells[-1].source += answer.split("\n")[2][:200]


def an_output(pair: Pair) -> None:
    code = [each for each in pair.assignment.cells if each.cell_type == "code"]
    code[0].outputs = [nbformat.v4.new_output("stream", text="hello")]


@pytest.mark.parametrize(
    "spoil",
    [
        solved_stub,
        one_line_in_a_hint,
        the_line_without_its_comment,
        a_sentence_of_the_model_answer,
        an_output,
    ],
    ids=lambda f: f.__name__,
)
def test_leak_is_refused(pair: Pair, spoil: Callable[[Pair], None]) -> None:
    spoil(pair)
    assert leak_problems(pair)


def check_cell_without_marks(pair: Pair) -> None:
    cell(pair.assignment, pair.name).metadata.nbgrader.grade = False


def check_cell_of_other_points(pair: Pair) -> None:
    cell(pair.assignment, pair.name).metadata.nbgrader.points = 1


def check_cell_that_ends_in_a_print(pair: Pair) -> None:
    cell(pair.assignment, pair.name).source += "\nprint('done')"


def no_check_cell(pair: Pair) -> None:
    pair.assignment.cells.remove(cell(pair.assignment, pair.name))


@pytest.mark.parametrize(
    "spoil",
    [
        check_cell_without_marks,
        check_cell_of_other_points,
        check_cell_that_ends_in_a_print,
        no_check_cell,
    ],
    ids=lambda f: f.__name__,
)
def test_check_cell_that_cannot_be_marked_is_refused(
    pair: Pair, spoil: Callable[[Pair], None]
) -> None:
    spoil(pair)
    assert grading_problems(pair)


def no_hints(pair: Pair) -> None:
    for each in pair.assignment.cells:
        each.source = each.source.replace("<details>", "")


def no_budget(pair: Pair) -> None:
    pair.assignment.cells[0].source = "# Saliency maps"


def no_marking_notes(pair: Pair) -> None:
    cell(pair.solution, f"{pair.name}_question").source = "**Model answer.** Yes."


@pytest.mark.parametrize("spoil", [no_hints, no_budget, no_marking_notes], ids=lambda f: f.__name__)
def test_unfinished_lesson_is_refused(pair: Pair, spoil: Callable[[Pair], None]) -> None:
    spoil(pair)
    assert reading_problems(pair)


def cell_never_run(pair: Pair) -> None:
    next(each for each in pair.solution.cells if each.cell_type == "code").execution_count = None


def failed_check(pair: Pair) -> None:
    for output in cell(pair.solution, pair.name).outputs:
        if output.output_type == "execute_result":
            output.data["text/plain"] = "7.5"


def stored_error(pair: Pair) -> None:
    error = nbformat.v4.new_output("error", ename="KeyError", evalue="x", traceback=[])
    cell(pair.solution, pair.function).outputs = [error]


@pytest.mark.parametrize(
    "spoil", [cell_never_run, failed_check, stored_error], ids=lambda f: f.__name__
)
def test_badly_stored_solution_is_refused(pair: Pair, spoil: Callable[[Pair], None]) -> None:
    spoil(pair)
    assert stored_problems(pair)
