"""A class of attackers, graded once with honest neighbours; then one test for each of them."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import shutil
import tempfile
import textwrap
import time
from pathlib import Path

import nbformat
import pytest
from attacks import ATTACKS, RIGHT, Attack
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from cs231n_utils.grading import sandbox, warm
from cs231n_utils.grading.course import FUNCTIONS, open_course
from cs231n_utils.grading.grade import Observer, grade
from cs231n_utils.grading.release import release
from cs231n_utils.grading.results import VERDICT_MIME, read_result
from cs231n_utils.grading.sandbox import PACKAGE, problem
from cs231n_utils.grading.submission import is_check, read_notebook

ROOT = Path(__file__).resolve().parents[2]
SETUP = "import torch\nfrom cs231n_utils.exercises import check"
CELL_SECONDS = 15
FIRST_USER = 70_000 + os.getpid() % 100 * 1_000  # not those of a grading beside this one
MARKER = "<script>planted()</script><img src=x onerror=planted()>"

pytestmark = pytest.mark.skipif(bool(problem()), reason=problem())


def slug(attack: Attack) -> str:
    return re.sub(r"[^\w]+", "_", attack.name)


def course_notebook(exercise: str):
    """The exercise with no more than marks need."""
    function = FUNCTIONS[exercise]

    def cell(source, **marks):
        made = new_code_cell(source)
        made.metadata["nbgrader"] = {"schema_version": 3, "task": False, **marks}
        return made

    body = textwrap.indent(RIGHT.strip(), "    ")
    asked = "X, y" if exercise == "saliency_maps" else "X, target_y"
    solved = (f"def {function}({asked}, model):\n    # ----- START OF YOUR CODE -----\n{body}\n"
              "    # ----- END OF YOUR CODE -----")
    return new_notebook(cells=[
        new_markdown_cell(f"# {exercise}"), new_code_cell(SETUP),
        cell(solved, grade=False, grade_id=function, locked=False, solution=True),
        cell(f'check("{exercise}", {function})', grade=True, grade_id=exercise, locked=True,
             points=10, solution=False),
    ], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                "language": "python"}})


def submit(course, attack: Attack) -> None:
    notebook = read_notebook(course.released / f"{attack.exercise}.ipynb")
    place = next(i for i, c in enumerate(notebook.cells)
                 if c.metadata.get("nbgrader", {}).get("solution"))
    head = notebook.cells[place].source.partition("\n")[0]
    notebook.cells[place].source = f"{head}\n{textwrap.indent(attack.body, '    ')}"
    notebook.cells.insert(place, new_markdown_cell(f"{MARKER} [x](javascript:planted())"))
    if attack.before:
        code = attack.before.strip("\n").replace("COURSE", str(course.root))
        notebook.cells.insert(place, new_code_cell(code))
        page = "from IPython.display import HTML, SVG, Javascript, display\n" \
               f"display(HTML({MARKER!r}), Javascript('planted()'))"
        notebook.cells.insert(place, new_code_cell(page))
    if attack.change:
        attack.change(notebook)
    path = course.submission(slug(attack), attack.exercise)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    if attack.raw:
        attack.raw(path)


def fingerprint(*folders: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts}


def left_behind(rooms: Path) -> list[str]:
    """Processes of these sandboxes' users or in their rooms, and rooms."""
    found = [str(path) for path in rooms.glob("cs231n-*")]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            user = int(status.read_text().split("Uid:")[1].split()[0])
            words = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if FIRST_USER <= user < FIRST_USER + 1_000 or f"{rooms}/".encode() in words:
            found.append(f"{status.parent.name}: {words[:80]!r}")
    return found


HONEST = [Attack(f"honest {number}", body=RIGHT.strip(), statuses=frozenset({"passed"}),
                 points=10.0) for number in (1, 2)]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The course, its class graded two at a time: first all attackers, then the honest."""
    rooms = Path(tempfile.mkdtemp(dir="/tmp", prefix="rooms-"))
    rooms.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(rooms))
        patch.setattr(sandbox, "_FIRST_USER", FIRST_USER)
        patch.setattr(sandbox, "_USERS", 1_000)
        yield grade_them(tmp_path_factory, rooms)
    shutil.rmtree(rooms)


def grade_them(tmp_path_factory, rooms: Path):
    root = tmp_path_factory.mktemp("hostile") / "course"
    folder = root / "solutions" / "network_visualization"
    folder.mkdir(parents=True)
    config = (ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(
        config + f"\nc.Execute.timeout = {CELL_SECONDS}\nc.Execute.iopub_timeout = 4\n")
    for exercise in FUNCTIONS:
        nbformat.write(course_notebook(exercise), folder / f"{exercise}.ipynb")
    release(root)
    course = open_course(root)
    names = [slug(attack) for attack in (*ATTACKS, *HONEST)]
    for attack in (*ATTACKS, *HONEST):
        submit(course, attack)
    watched = (PACKAGE, course.source, course.released, course.submitted)
    before = fingerprint(*watched)
    seconds = {}

    class Noting(Observer):
        def graded(self, outcome):
            who = outcome.job.student
            if outcome.status != "missing":
                print(f"{time.monotonic() - begin:6.1f} s  {who}: {outcome.status}, "
                      f"{outcome.points} points in {outcome.wall_seconds:.1f} s; "
                      f"{outcome.reason[:150]}", flush=True)
            seconds[who] = max(seconds.get(who, 0.0), outcome.wall_seconds)

    begin = time.monotonic()
    grade(course, names, workers=2, observer=Noting())
    took = time.monotonic() - begin
    warm.close()
    gc.collect()  # closed sockets and loops: not while something else is parsed
    changed = {path for path, digest in fingerprint(*watched).items()
               if before.get(path) != digest} | (before.keys() - fingerprint(*watched).keys())
    print(f"\n{len(names)} submissions in {took:.0f} s, the longest {max(seconds.values()):.0f} s")
    return course, seconds, changed, left_behind(rooms)


@pytest.mark.parametrize("attack", [*ATTACKS, *HONEST], ids=slug)
def test_it_gets_what_its_arrays_earn(attack, graded):
    course, seconds, _, _ = graded
    result = read_result(course, slug(attack), attack.exercise)
    assert str(result.status) in attack.statuses, result
    if attack.points is not None:
        assert result.points == attack.points, result
    assert seconds[slug(attack)] < 6 * CELL_SECONDS + 60


def test_nothing_of_the_graders_has_changed(graded):
    assert graded[2] == set()


def test_nothing_is_left_behind(graded):
    assert graded[3] == []


def test_no_page_holds_a_students_markup(graded):
    course = graded[0]
    for attack in ATTACKS:
        path = course.graded(slug(attack), attack.exercise)
        if not path.is_file():
            continue
        for cell in read_notebook(path).cells:
            if cell.cell_type == "markdown":
                assert "<script" not in cell.source
                assert "<img" not in cell.source
            for output in cell.get("outputs", []):
                kinds = set(output.get("data", {})) - {"text/plain", "image/png"}
                assert not kinds or (is_check(cell) and kinds == {"text/html", VERDICT_MIME})
                assert "planted" not in str(output.get("data", {}).get("text/html", ""))


def test_the_gradebook_holds_what_the_verdicts_say(graded):
    course = graded[0]
    directory = CourseDirectory(config=course.config)
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        for attack in (*ATTACKS, *HONEST):
            noted = gradebook.find_submission(course.assignment, slug(attack))
            said = read_result(course, slug(attack), attack.exercise).points or 0.0
            assert (noted.score, noted.max_score) == (said, 30), attack.name


def test_the_secret_is_its_owners_alone(graded):
    secret = graded[0].private / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_captum_is_accepted_and_noted(graded):
    result = read_result(graded[0], "captum", "saliency_maps")
    assert "captum" in " ".join(result.notes)
