"""Run a submission's cells in a kernel, and leave a verdict in every check cell.

:class:`Execute` stands in nbgrader's place of the same name (``nbgrader_config.py`` puts it into
``Autograde.autograde_preprocessors``), so plain ``nbgrader autograde``, the formgrader's button and
``cs231n grade`` all execute alike. What it changes against nbgrader's own:

* only what marks need is run: no demonstration, nothing that just shows what a function does,
  nothing after the last check (:func:`needed_for_marks`);
* whatever network a student worked on, the notebook runs on the one that needs no internet;
* one thread for each kernel: with more, kernels beside each other wait for each other;
* the check cell's only result is its verdict, whatever else the student's code printed, warned or
  displayed; nbgrader alone gives no point where a warning came and all where no result came;
* a cell that never ends, a dead kernel, a cell that does not parse: a verdict that says so. Without
  a verdict nothing is recorded: :class:`GraderFaultError`.

The room for a trusted judge: :meth:`Execute.run_cell` is where a check cell is executed in the
student's kernel today, and where it will be answered from outside of it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute as NbgraderExecute
from nbgrader.preprocessors.execute import UnresponsiveKernelError
from traitlets import Integer, Unicode

from cs231n_utils.grading.course import FUNCTIONS
from cs231n_utils.grading.results import VERDICT_MIME, Status, verdict_in
from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    cells_in_order,
    defines,
    grade_id,
    is_check,
    is_demo,
    read_notebook,
)

# The first cell's choice of a network: NETWORK = "squeezenet1_1"
_SWITCH = re.compile(r"^(NETWORK\s*=\s*)[^#\n]*?(?=\s*(?:#|$))", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


class GraderFaultError(Exception):
    """The grader could not decide: no mark is recorded, and a person has to look."""


def kernel_environment() -> dict[str, str]:
    """The environment of a kernel that grades: this process's own, with one thread."""
    return {**os.environ, **ONE_THREAD, "NBGRADER_EXECUTION": "autograde"}


class Execute(NbgraderExecute):  # type: ignore[misc]
    """nbgrader's Execute, with a verdict at the end of every check."""

    timeout = Integer(60, help="seconds that one cell may take").tag(config=True)
    shutdown_kernel = Unicode("immediate").tag(config=True)
    source_notebook = Unicode("", help="the course's own notebook, where it isn't found by itself")

    def preprocess(self, nb: Any, resources: Any = None, km: Any = None) -> tuple[Any, Any]:
        """Execute the notebook; a kernel that died gets a second chance, in case it was noise.

        Raises
        ------
        GraderFaultError
            If a check cell ended without a verdict and the student's code does not explain it.
        """
        notebook = _exercise(resources)
        self.run_notebook(nb, resources, km)
        if self.dead is Status.CRASHED and not self.stopped:
            self.run_notebook(nb, resources, km)
        for cell in cells_in_order(nb):
            if is_check(cell):
                self.settle(cell, nb)
        if notebook in FUNCTIONS and not _has_check(nb, notebook):
            raise GraderFaultError(f"there is no check cell {notebook!r}, and none was restored")
        return nb, self.resources

    def run_notebook(self, nb: Any, resources: Any, km: Any = None) -> None:
        """Run all cells that marks need in one fresh kernel."""
        NotebookClient.__init__(self, nb, km)  # as nbconvert does it: one client, many notebooks
        self.reset_execution_trackers()
        self._check_assign_resources(resources)
        self.dead: Status | None = None
        self.stopped = getattr(self, "stopped", False)
        self.timed_out: list[Any] = []
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with self.setup_kernel(env=kernel_environment(), **quiet):
            assert self.kc is not None
            info = self.wait_for_reply(self.kc.kernel_info())
            nb.metadata["language_info"] = info["content"]["language_info"]
            needed = needed_for_marks(nb, self.own_sources(_exercise(resources)) or frozenset())
            for index, cell in enumerate(nb.cells):
                if cell.cell_type == "code":
                    cell.outputs = []
                    if index in needed and not self.dead:
                        self.run_cell(cell, index)

    def run_cell(self, cell: Any, index: int) -> None:
        """Run one code cell, and note what becomes of it."""
        written = cell.source
        cell.metadata.pop("tags", None)  # a tag of nbclient's, such as skip-execution
        cell.source = _SWITCH.sub(r"\1None", written)  # what is judged needs no internet
        try:
            self.execute_cell(cell, index, store_history=True)
        except (CellTimeoutError, UnresponsiveKernelError):
            self.dead = Status.TIMED_OUT  # it does not listen to interrupts either
            self.kill_kernel()
        except DeadKernelError:
            self.dead = Status.CRASHED
        finally:
            cell.source = written
        if self.dead or any(error.ename == "CellTimeoutError" for error in _errors(cell)):
            self.timed_out.append(cell)

    def kill_kernel(self) -> None:
        """End the kernel's process at once."""
        process = getattr(getattr(self.km, "provisioner", None), "process", None)
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the run from another thread; the notebook being executed is lost."""
        self.stopped = True
        self.kill_kernel()

    # -- the verdict -------------------------------------------------------------------------

    def settle(self, cell: Any, nb: Any) -> None:
        """Make the verdict the check cell's only result, in the form that nbgrader reads."""
        exercise = grade_id(cell)
        result = verdict_in(cell, exercise)
        if result is not None and not result.status.has_mark:
            raise GraderFaultError(result.reason or "the check itself failed")
        if result is not None:
            self._keep_result(cell, result.points or 0.0, result.max_points)
        elif exercise in FUNCTIONS:
            self._explain(cell, nb, exercise)
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                output.name = "stdout"  # a warning costs nothing

    def is_ours(self, cell: Any, exercise: str) -> bool:
        """Is this cell as the course hands it out, so that its failure is not the student's?

        Where the course's own notebook isn't at hand, a person has to tell: yes.
        """
        own = self.own_sources(exercise)
        return own is None or cell.source.strip() in own

    def own_sources(self, exercise: str) -> frozenset[str] | None:
        """The code cells that the course hands out; None where its notebook isn't at hand."""
        path = self.source_notebook or self._find_source(exercise)
        try:
            cells = cells_in_order(read_notebook(Path(path)))
        except UnreadableNotebookError:
            return None
        return frozenset(cell.source.strip() for cell in cells)

    def _find_source(self, exercise: str) -> str:
        """The course's own notebook, below the converter that this step works for."""
        above = self.parent
        while above is not None and not hasattr(above, "coursedir"):
            above = above.parent
        if above is None:
            return ""
        course = above.coursedir
        folder = course.format_path(course.source_directory, ".", course.assignment_id)
        return os.path.join(folder, f"{exercise}.ipynb")

    def _keep_result(self, cell: Any, points: float, max_points: float) -> None:
        """Leave one execute_result, whose text/plain is the points in nbgrader's scale."""
        scale = float(cell.metadata.nbgrader.get("points", max_points)) / max_points
        kept, last = [], None
        for output in cell.outputs:
            if output.output_type == "execute_result":
                last = output
            elif output.output_type != "error":
                kept.append(output)
        assert last is not None
        last.data["text/plain"] = f"{points * scale:g}"
        cell.outputs = [*kept, last]

    def _explain(self, cell: Any, nb: Any, exercise: str) -> None:
        """Write the verdict of a check that never got as far as its own.

        Raises
        ------
        GraderFaultError
            If the student's code does not explain why.
        """
        for error in _errors(cell):
            if error.ename == "CheckerFault":
                raise GraderFaultError(_error_line(cell))
        status, reason, advice = self._why(cell, nb, exercise)
        verdict = {
            "exercise": exercise,
            "status": str(status),
            "passed": False,
            "points": 0.0,
            "max_points": float(cell.metadata.nbgrader.get("points", 10)),
            "message": reason,
            "findings": [_finding(reason, advice, cell)],
        }
        data = {"text/plain": "0", VERDICT_MIME: verdict}
        output = new_output("execute_result", data=data, execution_count=cell.execution_count)
        cell.outputs = [*cell.outputs, output]

    def _why(self, cell: Any, nb: Any, exercise: str) -> tuple[Status, str, str]:
        """Status, reason and advice for a check without a verdict."""
        function = FUNCTIONS[exercise]
        if self.dead is Status.CRASHED:
            return (Status.CRASHED, "the kernel died while the notebook ran",
                    "Restart the kernel and run the notebook from top to bottom.")
        if self.timed_out:
            return (Status.TIMED_OUT, f"no end within {self.timeout} seconds",
                    f"Look for a loop in {function} that never reaches its end.")
        broken = _first_broken_cell(nb, before=cell)
        if broken is not None and _comes_first(broken, nb) and self.is_ours(broken, exercise):
            raise GraderFaultError(f"a cell of the course itself failed: {_error_line(broken)}")
        written = [c for c in cells_in_order(nb) if defines(c, function)]
        if broken is not None and not any(c is not broken for c in written):
            return (Status.FAILED, f"a cell does not run: {_error_line(broken)}",
                    "Run that cell by itself and read the last line of its error.")
        if not written:
            return (Status.FAILED, f"the notebook does not define {function}",
                    f"Write the function {function} in the cell that asks for it.")
        if broken is not None:
            return (Status.FAILED, f"an earlier cell does not run: {_error_line(broken)}",
                    "Restart the kernel and run the notebook from top to bottom.")
        errors = _errors(cell)
        raise GraderFaultError(
            f"the check ended with {errors[0].ename}: {errors[0].evalue}" if errors
            else "the check cell ran, but no verdict came out of it"
        )


def execute_notebook(executor: Execute, nb: Any, resources: Mapping[str, Any]) -> Any:
    """The notebook as the executor leaves it; from data to data, so that it can run anywhere."""
    executed, _ = executor.preprocess(nb, dict(resources))
    return executed


def needed_for_marks(nb: Any, own: frozenset[str]) -> set[int]:
    """The places of the code cells that a mark can depend on.

    All but demonstrations, what comes after the last check, and the course's own cells between
    the student's function and its check, which only show what the function does.
    """
    code = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    checks = [index for index, cell in code if is_check(cell)]
    written = [index for index, cell in code
               if cell.metadata.get("nbgrader", {}).get("solution")]
    last, end = (written or [len(nb.cells)])[-1], (checks or [len(nb.cells)])[-1]
    return {
        index for index, cell in code
        if index <= end and not is_demo(cell)
        and (index <= last or is_check(cell) or cell.source.strip() not in own)
    }


def _exercise(resources: Any) -> str:
    return str((resources or {}).get("nbgrader", {}).get("notebook", ""))


def _finding(reason: str, advice: str, cell: Any) -> dict[str, Any]:
    return {
        "name": "the notebook runs up to the check",
        "passed": False,
        "points": 0.0,
        "max_points": float(cell.metadata.nbgrader.get("points", 10)),
        "expected": "every cell runs",
        "got": reason,
        "mistake": "",
        "explanation": f"{reason[0].upper()}{reason[1:]}.",
        "advice": advice,
    }


def _has_check(nb: Any, exercise: str) -> bool:
    return any(is_check(cell) and grade_id(cell) == exercise for cell in cells_in_order(nb))


def _errors(cell: Any) -> list[Any]:
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def _error_line(cell: Any) -> str:
    """What a failed cell said, on one line: ``SyntaxError: invalid syntax (line 3)``."""
    error = _errors(cell)[0]
    said = _ANSI.sub("", f"{error.ename}: {error.evalue}").strip().rstrip(".")
    return re.sub(r"\(<?[^()]*?,? ?line (\d+)\)", r"(line \1)", said.splitlines()[0])[:300]


def _first_broken_cell(nb: Any, before: Any) -> Any | None:
    for cell in cells_in_order(nb):
        if cell is before:
            return None
        if _errors(cell):
            return cell
    return None


def _comes_first(cell: Any, nb: Any) -> bool:
    """Does this cell run before any that the student is to write?"""
    for earlier in cells_in_order(nb):
        if earlier.metadata.get("nbgrader", {}).get("solution"):
            return False
        if earlier is cell:
            return True
    return False
