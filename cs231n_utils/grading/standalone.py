"""The checks on a notebook file without Jupyter: for ``cs231n check`` and ``pytest --submission``.

Each notebook runs in a process of its own, so that one that never ends, calls ``sys.exit`` or
crashes is a result like any other. That process is no sandbox: check what you would also run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cs231n_utils.grading.course import FUNCTIONS, UserError
from cs231n_utils.grading.results import ExerciseResult, Finding, Status, read_verdict
from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    cells_in_order,
    defines,
    exercise_of,
    grade_id,
    is_check,
    is_demo,
    read_notebook,
)

TIMEOUT = 180.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}


def notebooks_in(paths: list[Path]) -> dict[str, Path]:
    """The notebooks in files and folders, by the exercise that each answers.

    Raises
    ------
    UserError
        If a path doesn't exist or holds no notebook of an exercise, or an exercise is there twice.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no {path}.")
        candidates = sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
        named = {candidate: exercise_of(candidate) for candidate in candidates}
        if not any(named.values()):
            raise UserError(
                f"{path} {'holds' if path.is_dir() else 'is'} no notebook of this lab: expected "
                + ", ".join(f"{exercise}.ipynb" for exercise in FUNCTIONS) + "."
            )
        for candidate, exercise in named.items():
            if exercise and exercise in found:
                raise UserError(f"{found[exercise]} and {candidate} both answer {exercise}. "
                                "Name the one that counts.")
            if exercise:
                found[exercise] = candidate
    return {exercise: found[exercise] for exercise in FUNCTIONS if exercise in found}


def check_notebook(path: Path, exercise: str, timeout: float = TIMEOUT) -> ExerciseResult:
    """Run a notebook's cells up to the exercise's function in a process of its own, and check it.

    A fault of the checker is :attr:`Status.NOT_GRADED`, never a mark.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "verdict.json"
        command = [sys.executable, "-m", __name__, str(path.resolve()), exercise, str(answer)]
        try:
            process = subprocess.run(
                command, cwd=path.resolve().parent, env={**os.environ, **_ONE_THREAD},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                timeout=timeout, check=False,
            )
        except subprocess.TimeoutExpired:
            return _failed(exercise, Status.TIMED_OUT, f"no end within {timeout:g} seconds",
                           f"Look for a loop in {FUNCTIONS[exercise]} that never ends.")
        if not answer.is_file():
            if process.returncode == 0 or process.returncode < 0:
                return _failed(exercise, Status.CRASHED, "the process ended while the notebook ran",
                               "Look for sys.exit, os._exit or quit in the notebook.")
            return _no_mark(exercise, _last_line(process.stderr))
        return _from_answer(json.loads(answer.read_text(encoding="utf-8")), exercise)


def _from_answer(answer: dict[str, Any], exercise: str) -> ExerciseResult:
    if "verdict" in answer:
        result = read_verdict(answer["verdict"], exercise)
        return result or _no_mark(exercise, "the check gave no verdict")
    if "fault" in answer:
        return _no_mark(exercise, answer["fault"])
    if "unreadable" in answer:
        return _no_mark(exercise, answer["unreadable"])
    return _failed(exercise, Status.FAILED, answer["reason"], answer["advice"])


def _failed(exercise: str, status: Status, reason: str, advice: str) -> ExerciseResult:
    finding = Finding(
        name="the notebook runs up to the check", passed=False, points=0.0, max_points=10.0,
        expected="every cell runs", got=reason,
        explanation=f"{reason[0].upper()}{reason[1:]}.", advice=advice,
    )
    return ExerciseResult(exercise, status, 0.0, 10.0, (finding,), reason)


def _no_mark(exercise: str, reason: str) -> ExerciseResult:
    return ExerciseResult(exercise, Status.NOT_GRADED, None, reason=reason)


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "the checker ended without an answer"


# -- in the process of its own ---------------------------------------------------------------


def cells_up_to_function(notebook: Any, function: str) -> list[str]:
    """The sources of the code cells that a function needs: all up to its last definition.

    Demonstrations and check cells are left out.
    """
    cells = [cell for cell in cells_in_order(notebook) if not is_demo(cell) and not is_check(cell)]
    last = [index for index, cell in enumerate(cells)
            if defines(cell, function) or grade_id(cell) == function]
    return [cell.source for cell in cells[: last[-1] + 1]] if last else [c.source for c in cells]


def run_and_check(path: Path, exercise: str) -> dict[str, Any]:
    """Run the cells in a fresh IPython shell and check the function: an answer for JSON."""
    function = FUNCTIONS[exercise]
    try:
        notebook = read_notebook(path)
    except UnreadableNotebookError as error:
        return {"unreadable": str(error)}
    namespace, broken = _run(cells_up_to_function(notebook, function))
    if function not in namespace:
        reason = f"a cell does not run: {broken}" if broken else f"it does not define {function}"
        return {"reason": reason,
                "advice": "Run the cells from top to bottom; read the last line of the error."}
    from cs231n_utils.exercises import check

    try:
        return {"verdict": check(exercise, namespace[function]).to_dict()}
    except Exception as error:  # whatever it is, it is the checker's fault, not the student's
        return {"fault": f"the check itself failed: {type(error).__name__}: {error}"}


def _run(sources: list[str]) -> tuple[dict[str, Any], str]:
    """The namespace after running the cells, and the first error on one line."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):  # type: ignore[misc]
        """IPython without a window or a history; ``%matplotlib inline`` draws nowhere."""

        def enable_gui(self, gui: Any = None) -> None:
            """Do nothing."""

        def enable_matplotlib(self, gui: Any = None) -> tuple[None, str]:
            """Leave matplotlib with the backend of the environment."""
            return None, "agg"

    shell = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    broken = ""
    for source in sources:
        done = shell.run_cell(source, store_history=False, silent=True)
        error = done.error_before_exec or done.error_in_exec
        if error is not None and not broken:
            broken = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return dict(shell.user_ns), broken


def _main() -> None:
    path, exercise, answer = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    result = json.dumps(run_and_check(path, exercise))
    answer.write_text(result, encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # whatever threads the notebook has left running


if __name__ == "__main__":
    _main()
