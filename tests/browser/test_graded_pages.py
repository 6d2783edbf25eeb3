"""Pages of a graded hostile class in a real browser: nothing that a student planted runs there."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FLAGS, TOKEN, first_time_environment, stop, wait_for

from cs231n_utils.grading.collect import safe_name
from cs231n_utils.grading.course import FUNCTIONS, UserError, open_course
from cs231n_utils.grading.grade import grade
from cs231n_utils.grading.report import write_report
from cs231n_utils.grading.results import read_result, read_results
from cs231n_utils.grading.sample_class import Sample, with_own_cell, write_sample_class
from cs231n_utils.grading.sandbox import problem

ROOT = Path(__file__).resolve().parents[2]
MARK = "window.planted = 1"
IMAGE = f'<img src=x onerror="{MARK}">'
EVERYTHING = f"<script>{MARK}</script>{IMAGE}<svg onload='{MARK}'><a href='javascript:{MARK}'>x"
FOLDER = "<img src=x onerror=window.planted=1>"
STUDENT = safe_name(FOLDER)  # as `cs231n collect` does

SHOWS = f'''
from IPython.display import HTML, SVG, Javascript, Markdown, display
html = """{EVERYTHING}"""
print(html)
display(HTML(html), Javascript("{MARK}"), Markdown(html), {{"text/plain": html}})
display({{"image/svg+xml": html, "text/latex": html, "text/html": html}}, raw=True)
display({{"application/javascript": "{MARK}", "text/plain": html, "image/png": html}}, raw=True)
raise ValueError(html)
'''


def writes(notebook) -> None:
    """Markup wherever a notebook takes text."""
    from nbformat.v4 import new_markdown_cell, new_output, new_raw_cell

    with_own_cell("saliency_maps", SHOWS, "answer = 42")(notebook)
    text = (f"{EVERYTHING}\n\n[link](javascript:{MARK}) ![p](x\" onerror=\"{MARK}) "
            f"$\\href{{javascript:{MARK}}}{{x}}$")
    notebook.cells.insert(0, new_markdown_cell(text, attachments={"a": {"text/html": text}}))
    notebook.cells.insert(0, new_raw_cell(text, metadata={"raw_mimetype": "text/html"}))
    notebook.metadata["language_info"] = {"name": EVERYTHING, "version": EVERYTHING}
    notebook.metadata["title"] = EVERYTHING
    for cell in notebook.cells:
        cell.metadata["collapsed"] = True
        cell.metadata["tags"] = ['x"><img/src=x/onerror=window.planted=1>']
        if cell.cell_type == "code":
            cell.outputs = [new_output("display_data", {"text/html": text})]


CLASS = (
    Sample(STUDENT, "", dict.fromkeys(FUNCTIONS) | {"saliency_maps": writes}),
    Sample("raises", "", dict.fromkeys(FUNCTIONS) | {
        "saliency_maps": f"raise type('''{IMAGE}''', (ValueError,), {{}})('''{EVERYTHING}''')"}),
    Sample("broken", "", dict.fromkeys(FUNCTIONS) | {
        "saliency_maps": f"answer = '{MARK}' {IMAGE}"}),
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The class, graded; its feedback and its report written."""
    if problem():
        pytest.skip(problem())
    sys.path.append(str(ROOT / "tests" / "grading"))
    from fake_course import make_course

    course = make_course(tmp_path_factory.mktemp("course"))
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("c.Execute.timeout = 90\n")  # a browser's test shares its machine
    course = open_course(course.root)
    write_sample_class(course, CLASS)
    grade(course, workers=2)
    write_report(read_results(course), course.root / "report.html")
    subprocess.run([sys.executable, "-m", "nbgrader", "generate_feedback", course.assignment],
                   cwd=course.root, check=True, capture_output=True)
    return open_course(course.root)


@pytest.fixture(scope="module")
def formgrader(chromium, course, tmp_path_factory):
    """The address of a Jupyter server in the course, with nbgrader's formgrader in it."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root",
             "--port", str(port), "--ip", "127.0.0.1"],
            cwd=course.root, env=first_time_environment(home), stdout=log,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api", server, home / "server.log")
            yield f"http://127.0.0.1:{port}/formgrader"
        finally:
            stop(server)


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


class Look:
    """Opens pages and says whether something planted ran in them."""

    def __init__(self, browser, screenshots: Path) -> None:
        self.window = browser.new_page(viewport={"width": 1200, "height": 900})
        self.window.set_default_timeout(60_000)
        self.screenshots = screenshots
        self.dialogs = []
        self.window.on("dialog", lambda dialog: (self.dialogs.append(dialog), dialog.dismiss()))

    def at(self, address: str, name: str) -> str:
        """The text of a page, in which nothing may have run."""
        self.window.goto(address, wait_until="load")
        self.window.wait_for_timeout(1_500)  # scripts that are loaded late, MathJax for one
        self.window.screenshot(path=self.screenshots / f"graded-{name}.png", full_page=True)
        assert not self.planted(), f"a student's script ran in {address}"
        return self.window.inner_text("body")

    def planted(self) -> bool:
        """Did it run, in any frame, or can it be clicked?"""
        links = "[...document.querySelectorAll('a')].some(a => a.protocol === 'javascript:' && " \
                "a.href.includes('planted'))"
        return bool(self.dialogs) or any(
            frame.evaluate(f"window.planted === 1 || {links}") for frame in self.window.frames)


@pytest.fixture
def look(browser, screenshots):
    looking = Look(browser, screenshots)
    yield looking
    looking.window.close()


def test_what_is_planted_would_be_seen(look):
    for markup in (EVERYTHING, IMAGE, FOLDER, f"<a href='javascript:{MARK}'>x</a>"):
        look.window.set_content(markup)
        look.window.wait_for_timeout(300)
        assert look.planted(), markup


def test_the_class_was_graded(course):
    marks = {sample.student: read_result(course, sample.student, "saliency_maps")
             for sample in CLASS}
    assert {name: (str(result.status), result.points) for name, result in marks.items()} == {
        STUDENT: ("passed", 10.0), "raises": ("raised", 0.0), "broken": ("failed", 0.0)}


def test_the_report(look, course):
    text = look.at((course.root / "report.html").as_uri(), "report")
    assert IMAGE in text  # shown as what it is: text


def test_a_folder_whose_name_would_run_is_no_students(tmp_path, course):
    """nbgrader's formgrader puts names into its pages as they are."""
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()")
    (tmp_path / "submitted" / FOLDER / course.assignment).mkdir(parents=True)
    with pytest.raises(UserError, match="rename it"):
        open_course(tmp_path).students()


def test_feedback(look, course):
    pages = sorted(course.root.glob("feedback/*/*/*.html"))
    assert len(pages) >= len(CLASS)
    for number, page in enumerate(pages):
        assert "compute_saliency_maps" in look.at(page.as_uri(), f"feedback-{number}")


def test_formgrader(look, course, formgrader):
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(config=course.config)
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        notebooks = {found.student.id: found.id for found in gradebook.notebook_submissions(
            "saliency_maps", course.assignment)}
    look.window.goto(f"{formgrader.removesuffix('/formgrader')}/login?token={TOKEN}")
    shown = look.at(f"{formgrader}/gradebook/{course.assignment}/saliency_maps"
                    f"?token={TOKEN}", "formgrader-notebook")
    assert "Submission" in shown
    for part in ("manage_assignments", "manage_students", f"manage_submissions/{course.assignment}",
                 f"manage_students/{STUDENT}", f"manage_students/{STUDENT}/{course.assignment}",
                 "gradebook", f"gradebook/{course.assignment}"):
        look.at(f"{formgrader}/{part}", "formgrader-" + part.replace("/", "-"))
    for student, number in notebooks.items():
        text = look.at(f"{formgrader}/submissions/{number}/", f"formgrader-of-{student[:6]}")
        assert "compute_saliency_maps" in text
