"""A student's way through the first exercise, with mouse and keyboard, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = "saliency_maps.ipynb"
FUNCTION = "compute_saliency_maps"
STUB = f'raise NotImplementedError("{FUNCTION}'
RIGHT = [
    "images = X.detach().clone().requires_grad_()",
    "scores = model(images).gather(1, y.view(-1, 1))",
    "scores.sum().backward()",
    "saliency = images.grad.abs().amax(dim=1)",
]


class Notebook:
    """The open notebook, as hands and eyes find it."""

    def __init__(self, page: Any, folder: Path, screenshots: Path) -> None:
        self.page, self.folder, self.screenshots = page, folder, screenshots
        self.panel = page.locator(".jp-NotebookPanel")

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator(f'.jp-DirListing-item[title*="{NOTEBOOK}"]').dblclick()
        self.panel.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        self.panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()

    def menu(self, menu: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
        self.page.locator(".lm-Menu-item", has_text=re.compile(f"^{entry}$")).click()

    def run_all(self) -> None:
        self.menu("Run", "Restart Kernel and Run All Cells…")
        self.page.locator(".jp-Dialog-button.jp-mod-accept").click()
        # Every code cell has its number only when the last one is through.
        self.page.wait_for_function(
            "() => { const p = [...document.querySelectorAll("
            "'.jp-NotebookPanel .jp-CodeCell .jp-InputPrompt')].map(e => e.textContent.trim());"
            " return p.length > 3 && p.every(t => /^\\[\\d+\\]:$/.test(t)); }"
        )
        self.wait_until_idle()

    def cell(self, text: str) -> Any:
        """The code cell whose source contains `text`, scrolled into view."""
        found = self.panel.locator(".jp-CodeCell").filter(
            has=self.page.locator(".cm-content", has_text=text)
        )
        found.scroll_into_view_if_needed()
        return found

    def write(self, stub: str, lines: list[str]) -> None:
        """Put lines of code in the place of the stub's line, key by key."""
        cell = self.cell(stub)
        cell.locator(".cm-line", has_text=stub).click()
        cell.locator(".cm-content:focus").wait_for()  # keys are commands anywhere else
        keyboard = self.page.keyboard
        keyboard.press("End")
        keyboard.press("Shift+Home")
        for number, line in enumerate(lines):
            if number:
                keyboard.press("Enter")  # the editor indents by itself
            keyboard.type(line)

    def answer(self, stub: str, text: str) -> None:
        """Put a text in the place of a written question's."""
        cell = self.panel.locator(".jp-MarkdownCell", has_text=stub)
        cell.locator(".jp-RenderedMarkdown").get_by_text(stub).dblclick()
        cell.locator(".cm-line", has_text=stub).click()
        cell.locator(".cm-content:focus").wait_for()  # keys are commands anywhere else
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Shift+Enter")

    def save(self) -> Any:
        self.page.keyboard.press("Control+s")
        self.panel.locator(".jp-mod-dirty").wait_for(state="detached")
        self.page.wait_for_timeout(500)
        return json.loads((self.folder / NOTEBOOK).read_text())

    def photograph(self, name: str) -> None:
        self.page.screenshot(path=str(self.screenshots / f"{name}.png"))


@pytest.fixture(scope="module")
def notebook(page: Any, lab: str, student_folder: Path, screenshots: Path) -> Notebook:
    opened = Notebook(page, student_folder, screenshots)
    opened.open(lab)
    opened.photograph("1-opened")
    return opened


def outputs(saved: Any) -> list[Any]:
    return [output for cell in saved["cells"] for output in cell.get("outputs", [])]


def check_cell(notebook: Notebook) -> Any:
    return notebook.cell(f'check("saliency_maps", {FUNCTION})')


def test_an_untouched_notebook_runs_through_and_says_what_to_do(notebook: Notebook) -> None:
    notebook.run_all()
    verdict = check_cell(notebook).locator(".jp-OutputArea")
    notebook.photograph("2-untouched")
    assert "not attempted" in verdict.inner_text().lower()
    assert not [o for o in outputs(notebook.save()) if o["output_type"] == "error"]


def test_what_the_student_writes_is_marked_10_of_10(notebook: Notebook) -> None:
    notebook.write(STUB, RIGHT)
    notebook.photograph("3-written")
    notebook.run_all()
    verdict = check_cell(notebook).locator(".jp-OutputArea")
    verdict.scroll_into_view_if_needed()
    notebook.photograph("4-verdict")
    assert re.search(r"\b10\s*(/|of)\s*10\b", verdict.inner_text())
    saved = notebook.save()
    source = "".join("".join(cell["source"]) for cell in saved["cells"])
    assert "\n".join(f"    {line}" for line in RIGHT) in source
    assert STUB not in source


def test_the_validate_button_says_that_all_tests_pass(notebook: Notebook) -> None:
    notebook.answer("YOUR ANSWER HERE", "The network may rely on the corner; cover it, and see.")
    notebook.panel.locator(".jp-Toolbar").get_by_text("Validate", exact=True).click()
    dialog = notebook.page.locator(".jp-Dialog")
    dialog.wait_for()
    notebook.photograph("5-validated")
    assert "Success! Your notebook passes all the tests." in dialog.inner_text()
    dialog.locator(".jp-mod-accept").click()
