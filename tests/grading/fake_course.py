"""A course whose right answer is 42 (fake_exercises.py); all else is real, the sandbox too."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cs231n_utils.grading.course import FUNCTIONS, Course, open_course
from cs231n_utils.grading.release import release
from cs231n_utils.grading.sample_class import Answer, Sample, write_sample_class

ROOT = Path(__file__).resolve().parents[2]

SETUP = """
NETWORK = None  # the switch of the real notebooks
assert NETWORK is None, "no internet here"
forty = 40
"""


SETTINGS = """
c.Execute.timeout = 12
c.Execute.iopub_timeout = 4
c.Execute.exercises = "fake_exercises"
"""


def cell(source: str, **marks: object):
    made = new_code_cell(source.strip("\n"))
    if marks:
        made.metadata["nbgrader"] = {"schema_version": 3, "task": False, **marks}
    return made


def fake_notebook(exercise: str):
    function = FUNCTIONS[exercise]
    demo = new_code_cell("demo_ran = True", metadata={"tags": ["demo"]})
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {exercise}"),
            cell(SETUP),
            cell(
                f"def {function}(*given, **options):\n    answer = None\n"
                "    # ----- START OF YOUR CODE -----\n    answer = 42\n"
                "    # ----- END OF YOUR CODE -----\n    return answer",
                grade=False, grade_id=function, locked=False, solution=True,
            ),
            demo,
            cell("shown_ran = True"),
            cell(f'check("{exercise}", {function})', grade=True, grade_id=exercise, locked=True,
                 points=10, solution=False),
            cell("after_ran = True"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                 "language": "python"}},
    )
    return notebook


def make_course(root: Path) -> Course:
    """A released course of fake notebooks, with this project's own nbgrader configuration."""
    config = (ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(config + SETTINGS)
    for exercise in FUNCTIONS:
        path = root / "solutions" / "network_visualization" / f"{exercise}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(fake_notebook(exercise), path)
    course = open_course(root)
    release(root)
    return course


def hand_in(course: Course, **answers: Answer) -> None:
    """Write one submission for each name: an answer to the first exercise, nothing else."""
    for student, answer in answers.items():
        given = dict.fromkeys(FUNCTIONS, None) | {"saliency_maps": answer}
        write_sample_class(course, (Sample(student, "", given),))
