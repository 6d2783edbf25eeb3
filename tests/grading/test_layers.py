"""Who may import whom: the grader is the instructor's, and nothing of the lab depends on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cs231n_utils"
GRADING = "cs231n_utils.grading"


def imports(path: Path) -> Iterator[str]:
    """All names that a file imports anywhere, in full."""
    package = ["cs231n_utils", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


LAB = [path for path in sorted(PACKAGE.rglob("*.py"))
       if "grading" not in path.relative_to(PACKAGE).parts and path != PACKAGE / "cli.py"]


@pytest.mark.parametrize("path", LAB, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_lab_does_not_import_the_grader(path):
    assert [name for name in imports(path) if name.startswith(GRADING)] == []


def test_the_rule_would_catch_each_way_to_import(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    path = tmp_path / "exercises" / "x.py"
    path.parent.mkdir()
    for line in ("import cs231n_utils.grading", "from cs231n_utils import grading",
                 "from cs231n_utils.grading.results import Status", "from ..grading import report",
                 "from .. import grading", "def f():\n    from ..grading.report import x"):
        path.write_text(line)
        assert any(name.startswith(GRADING) for name in imports(path)), line


def test_the_table_of_exercises_is_the_exercises_own():
    from cs231n_utils.exercises import EXERCISES, MAX_POINTS
    from cs231n_utils.grading import course

    assert course.FUNCTIONS == EXERCISES
    assert list(course.FUNCTIONS) == list(EXERCISES)
    assert course.MAX_POINTS == MAX_POINTS


def test_the_verdicts_type_and_statuses_are_the_exercises_own():
    from typing import get_args

    from cs231n_utils.exercises import MIME_TYPE
    from cs231n_utils.exercises import Status as Given
    from cs231n_utils.grading.results import VERDICT_MIME, Status

    assert VERDICT_MIME == MIME_TYPE
    assert set(get_args(Given)) <= {str(status) for status in Status}


def test_the_coordinator_of_a_class_needs_no_pytorch():
    import subprocess
    import sys

    looked = ("import sys, cs231n_utils.grading.tally, cs231n_utils.grading.terminal\n"
              "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", looked], check=False).returncode == 0
