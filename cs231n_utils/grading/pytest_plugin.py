"""``pytest --submission DIR``: the exercises' checks on a folder of notebooks, one item a finding.

Without the option a plain ``pytest`` in a course runs them on the solutions, beside its tests.
The items are called after what was looked at: ``saliency_maps::each image is judged on its own``.
The function is checked once for each notebook, in a process of its own, while items are collected:
only then is it known what there is to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cs231n_utils.grading.results import ExerciseResult, Finding


class NotMetError(Exception):
    """A finding that didn't pass; the message is what the student reads."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--submission DIR`` and ``--submission-timeout``."""
    group = parser.getgroup("cs231n", "Network Visualization Lab")
    group.addoption("--submission", metavar="DIR", type=Path, default=None,
                    help="check the notebooks in this folder instead of running the tests")
    group.addoption("--submission-timeout", metavar="SECONDS", type=float, default=180.0,
                    help="how long one notebook may take (180)")


def pytest_configure(config: pytest.Config) -> None:
    """Say what to collect: the submission alone, or the solutions beside the tests."""
    folder = config.getoption("--submission")
    if folder is not None:
        if not folder.is_dir():
            raise pytest.UsageError(f"--submission: there is no folder {folder}")
        config.args = [str(folder.resolve())]
        return
    solutions = config.rootpath / "solutions" / "network_visualization"
    testpaths = getattr(config, "args_source", None) is pytest.Config.ArgsSource.TESTPATHS
    if testpaths and solutions.is_dir() and not _nbval(config):
        config.args.append(str(solutions))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> NotebookFile | None:
    """Collect a notebook of the submission, or of the solutions."""
    if file_path.suffix != ".ipynb" or _nbval(parent.config):
        return None
    from cs231n_utils.grading.submission import exercise_of

    exercise = exercise_of(file_path)
    if exercise is None:
        return None
    # The node's id is the exercise, so that an item reads `saliency_maps::what was looked at`.
    return NotebookFile.from_parent(parent, path=file_path, nodeid=exercise, exercise=exercise)


class NotebookFile(pytest.File):
    """One notebook; collecting it runs the check."""

    def __init__(self, *, exercise: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.exercise = exercise

    def collect(self) -> Iterator[FindingItem]:
        """One item for each finding, or a single one where it didn't come to that."""
        from cs231n_utils.grading.results import Finding, Status
        from cs231n_utils.grading.standalone import check_notebook

        timeout = self.config.getoption("--submission-timeout")
        result = check_notebook(self.path, self.exercise, timeout)
        findings = result.findings
        if not findings or result.status is Status.NOT_GRADED:
            findings = (Finding(name=str(result.status), passed=result.status is Status.PASSED,
                                got=result.reason),)
        seen: dict[str, int] = {}
        for finding in findings:
            seen[finding.name] = seen.get(finding.name, 0) + 1
            twice = f" ({seen[finding.name]})" if seen[finding.name] > 1 else ""
            yield FindingItem.from_parent(self, name=finding.name + twice, finding=finding,
                                          result=result)


class FindingItem(pytest.Item):
    """One finding."""

    def __init__(self, *, finding: Finding, result: ExerciseResult, **settings: Any) -> None:
        super().__init__(**settings)
        self.finding, self.result = finding, result

    def runtest(self) -> None:
        """Pass, skip what waits for another finding, or fail with what the student reads."""
        if self.finding.passed is None:
            pytest.skip(f"waits for: {self.finding.blocked_by}")
        if not self.finding.passed:
            raise NotMetError(explain(self.finding, str(self.result.status)))

    def repr_failure(self, excinfo: Any, style: Any = None) -> str:
        """The finding's own words instead of a stack trace."""
        if isinstance(excinfo.value, NotMetError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it comes from, for the terminal."""
        return self.path, None, f"{self.result.exercise}: {self.name}"


def explain(finding: Finding, status: str) -> str:
    """What a failed finding says, as lines of text."""
    lines = [("expected", finding.expected), ("came", finding.got),
             ("mistake", finding.explanation), ("next step", finding.advice)]
    said = "\n".join(f"{name + ':':11}{text}" for name, text in lines if text)
    return said or status


def _nbval(config: pytest.Config) -> bool:
    """Is nbval to have the notebooks?"""
    return bool(config.getoption("nbval", False) or config.getoption("nbval_lax", False))
