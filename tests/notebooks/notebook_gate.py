"""What a release must be like: each function lists what is wrong, in words, and [] where all is."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "solutions" / "network_visualization"
ASSIGNMENTS = ROOT / "assignments" / "network_visualization"

# Notebook (and exercise): the function that the student writes.
FUNCTIONS = {
    "saliency_maps": "compute_saliency_maps",
    "fooling_images": "make_fooling_image",
    "class_visualization": "create_class_visualization",
}
NOTEBOOKS = list(FUNCTIONS)
BEGIN, END = "START OF YOUR CODE", "END OF YOUR CODE"
TEXT_STUB = "YOUR ANSWER HERE"
# A solution's line shorter than this may well stand in the given text too ("break").
SHORTEST_TELLING_LINE = 12


@dataclass(frozen=True)
class Pair:
    """An exercise's notebook as it is solved and as it is released."""

    name: str
    solution: NotebookNode
    assignment: NotebookNode

    @property
    def function(self) -> str:
        return FUNCTIONS[self.name]


def load(name: str) -> Pair:
    """Read both notebooks of an exercise."""
    both = [nbformat.read(folder / f"{name}.ipynb", 4) for folder in (SOLUTIONS, ASSIGNMENTS)]
    return Pair(name, *both)


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    """Return the cell of a grade_id; KeyError if there is none."""
    for each in notebook.cells:
        if each.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            return each
    raise KeyError(grade_id)


def inside_frame(source: str) -> list[str]:
    """Return the lines between the frame's lines."""
    inside: list[str] = []
    framed = False
    for line in source.split("\n"):
        if BEGIN in line or END in line:
            framed = BEGIN in line
        elif framed:
            inside.append(line)
    return inside


def given_lines(notebook: NotebookNode) -> set[str]:
    """Return the lines of code that stand outside of any frame."""
    lines: set[str] = set()
    for each in notebook.cells:
        if each.cell_type == "code":
            framed = inside_frame(each.source)
            lines |= {line.strip() for line in each.source.split("\n") if line not in framed}
    return lines


def stub_problems(pair: Pair) -> list[str]:
    """The stub has the frame and a to-do, compiles, and raises naming its function."""
    source = cell(pair.assignment, pair.function).source
    problems = [f"the frame's {word!r} is missing" for word in (BEGIN, END) if word not in source]
    inside = [line.strip() for line in inside_frame(source)]
    if not any(line.startswith("# TODO") for line in inside):
        problems.append("no to-do inside the frame")
    if not any(line.startswith(f'raise NotImplementedError("{pair.function}: ') for line in inside):
        problems.append("the stub does not raise NotImplementedError naming its function")
    if len([line for line in inside if line and not line.startswith("#")]) != 1:
        problems.append("more than the stub's one line inside the frame")
    try:
        ast.parse(source)
    except SyntaxError as error:
        problems.append(f"the stub does not compile: {error}")
    return problems


def leak_problems(pair: Pair) -> list[str]:
    """Neither a line of the solution nor of the model answer nor an output is released."""
    released = nbformat.writes(nbformat.from_dict({**pair.assignment, "metadata": {}}))
    plain = "\n".join(each.source for each in pair.assignment.cells)
    given = given_lines(pair.solution)  # "with torch.no_grad():" may well be among them
    secrets = [line.strip() for line in inside_frame(cell(pair.solution, pair.function).source)]
    secrets += re.split(r"[\n.]", cell(pair.solution, f"{pair.name}_question").source)
    secrets += [secret.split("  #")[0].strip() for secret in secrets]
    secrets = [secret.strip() for secret in secrets if secret.strip() not in given]
    problems = [
        f"released: {secret!r}"
        for secret in dict.fromkeys(secrets)
        if len(secret) >= SHORTEST_TELLING_LINE and (secret in plain or secret in released)
    ]
    if any(each.get("outputs") for each in pair.assignment.cells):
        problems.append("an output is released")
    return problems


def grading_problems(pair: Pair) -> list[str]:
    """The cells that carry marks are what nbgrader and the course's graders expect."""
    wanted = {
        pair.function: ("code", {"solution": True, "grade": False, "locked": False}),
        pair.name: ("code", {"solution": False, "grade": True, "locked": True, "points": 10}),
        f"{pair.name}_question": ("markdown", {"solution": True, "grade": True, "points": 2}),
    }
    problems = []
    for notebook, where in ((pair.solution, "solution"), (pair.assignment, "assignment")):
        for grade_id, (kind, fields) in wanted.items():
            try:
                found = cell(notebook, grade_id)
            except KeyError:
                problems.append(f"{where}: no cell {grade_id!r}")
                continue
            if found.cell_type != kind:
                problems.append(f"{where}: cell {grade_id!r} is {found.cell_type}, not {kind}")
            metadata = {**found.metadata.nbgrader}
            if {key: metadata.get(key) for key in fields} != fields:
                problems.append(f"{where}: cell {grade_id!r} expected {fields}, got {metadata}")
    try:
        last = cell(pair.assignment, pair.name).source.split("\n")[-1]
    except KeyError:
        return problems
    if last != f'check("{pair.name}", {pair.function})':
        problems.append(f"the check cell ends in {last!r}")
    return problems


def reading_problems(pair: Pair) -> list[str]:
    """It reads as a lesson: a formula with its paper, a budget, hints, and what comes next."""
    text = "\n".join(each.source for each in pair.assignment.cells if each.cell_type == "markdown")
    wanted = {
        "a formula": "$$",
        "a source paper": "arxiv.org/abs/",
        "a time budget": "**Time**",
        "a difficulty": "**Difficulty**",
        "a contract": "What counts:",
        "something to try next": "## Something to try next",
        "an empty answer": TEXT_STUB,
    }
    problems = [f"no {thing}" for thing, sign in wanted.items() if sign not in text]
    hints = re.findall(r"<details><summary><b>(.+?)</b></summary>", text)
    if len(hints) < 5 or len(hints) != text.count("</details>"):
        problems.append(f"expected at least 5 folded hints, each closed, got {len(hints)}")
    answer = cell(pair.solution, f"{pair.name}_question").source
    problems += [
        f"no {part} for the question"
        for part in ("Model answer", "Marking notes")
        if part not in answer
    ]
    return problems


def stored_problems(pair: Pair) -> list[str]:
    """The solution is stored as executed, in order, with its pictures and full marks."""
    code = [each for each in pair.solution.cells if each.cell_type == "code"]
    if [each.execution_count for each in code] != list(range(1, len(code) + 1)):
        return ["not executed top to bottom in one fresh kernel; renew its outputs"]
    problems = run_problems(pair.solution, pair.name, points="10", unwritten=0)
    pictures = sum(
        "image/png" in output.get("data", {}) for each in code for output in each.outputs
    )
    if pictures < 3:
        problems.append(f"expected at least 3 stored pictures, got {pictures}")
    return problems


def run_problems(notebook: NotebookNode, name: str, *, points: str, unwritten: int) -> list[str]:
    """After a run: no error, no warning, so many points, and so many cells that say what to do."""
    problems, notes = [], 0
    for each in notebook.cells:
        for output in each.get("outputs", []):
            if output.output_type == "error":
                problems.append(f"cell {each.id!r} raised {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                problems.append(f"cell {each.id!r} wrote to stderr: {output.text.strip()}")
            notes += "isn't written yet" in output.get("data", {}).get("text/plain", "")
    results = [o for o in cell(notebook, name).outputs if o.output_type == "execute_result"]
    got = [result.data["text/plain"] for result in results]
    if got != [points]:
        problems.append(f"the check cell expected {points} points, got {got}")
    if notes < unwritten or (unwritten == 0 and notes):
        problems.append(f"expected {unwritten} cells that say what to do, got {notes}")
    return problems
