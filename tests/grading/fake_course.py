"""A course without networks: the checks of its notebooks take no time, all else is real."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cs231n_utils.grading.course import FUNCTIONS, Course, open_course
from cs231n_utils.grading.release import release
from cs231n_utils.grading.sample_class import Answer, Sample, write_sample_class

ROOT = Path(__file__).resolve().parents[2]

# Stands in for cs231n_utils.exercises.check: the function has to return 42, half of it earns half.
FAKE_CHECK = '''
NETWORK = None  # the switch of the real notebooks
assert NETWORK is None, "no internet here"

class Verdict:
    def __init__(self, exercise, status, points, findings, message=""):
        self.data = dict(exercise=exercise, status=status, passed=status == "passed",
                         points=points, max_points=10.0, findings=findings, message=message)
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": f"{self.data['points']:g}", "text/html": "<b>verdict</b>",
                "application/vnd.cs231n.verdict+json": self.data}

class CheckerFault(RuntimeError):
    pass

def finding(got, points):
    return dict(name="the answer is right", passed=points == 10.0, points=points, max_points=10.0,
                expected="42", got=repr(got), mistake="fake/half" if points == 5.0 else None,
                explanation="It is half of the answer. Double it." if points == 5.0 else "",
                advice="Think again.", blocked_by="")

def check(exercise, function):
    try:
        got = function()
    except NotImplementedError:
        return Verdict(exercise, "not attempted", 0.0, [], f"{function.__name__} is not written")
    except ValueError as error:
        return Verdict(exercise, "raised", 0.0, [], f"{function.__name__} raised {error}")
    if got == "break the checker":
        raise CheckerFault("the checker broke")
    points = {42: 10.0, 21: 5.0}.get(got, 0.0)
    return Verdict(exercise, "passed" if points == 10.0 else "failed", points,
                   [finding(got, points)])
'''


def cell(source: str, **marks: object):
    made = new_code_cell(source.strip("\n"))
    if marks:
        made.metadata["nbgrader"] = {"schema_version": 3, "task": False, **marks}
    return made


def fake_notebook(exercise: str):
    function = FUNCTIONS[exercise]
    demo = new_code_cell("open('demo_ran', 'w')", metadata={"tags": ["demo"]})
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {exercise}"),
            cell(FAKE_CHECK),
            cell(
                f"def {function}():\n    answer = None\n"
                "    # ----- START OF YOUR CODE -----\n    answer = 42\n"
                "    # ----- END OF YOUR CODE -----\n    return answer",
                grade=False, grade_id=function, locked=False, solution=True,
            ),
            demo,
            cell("open('shown_ran', 'w')"),
            cell(f'check("{exercise}", {function})', grade=True, grade_id=exercise, locked=True,
                 points=10, solution=False),
            cell("open('after_ran', 'w')"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                 "language": "python"}},
    )
    return notebook


def make_course(root: Path) -> Course:
    """A released course of fake notebooks, with this project's own nbgrader configuration."""
    config = (ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(config + "\nc.Execute.timeout = 4\n")
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
