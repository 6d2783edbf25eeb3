"""The trusted executor: a student's cells run in a sandbox, marks are decided here.

:class:`Execute` stands in nbgrader's place of the same name (``nbgrader_config.py`` puts it into
``Autograde.autograde_preprocessors``), so plain ``nbgrader autograde``, the formgrader's button and
``cs231n grade`` all execute alike. What it changes against nbgrader's own:

* a check cell is not executed. In its place the kernel is sent questions, calls the student's
  function on them and writes down arrays; when it has ended, those are read as data and judged in
  this process, in which no student code has ever run;
* only what marks need is run: no demonstration, nothing that just shows what a function does,
  nothing after the last check (:func:`needed_for_marks`);
* whatever network a student worked on, the notebook runs on the one that needs no internet;
* the check cell's only output is the verdict, whatever else the student's code printed, warned or
  displayed; nbgrader alone gives no point where a warning came and all where no result came;
* a cell that never ends, a dead kernel, a cell that does not parse: a verdict that says so. Where
  the grader itself fails nothing is recorded: :class:`GraderFaultError`.
"""

from __future__ import annotations

import ast
import html
import os
import re
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets import Bool, Unicode

from cs231n_utils.grading.client import Client
from cs231n_utils.grading.course import FUNCTIONS, MAX_POINTS
from cs231n_utils.grading.examine import (
    Examiner,
    GraderFaultError,
    UnreadableAnswerError,
    read_secret,
    seed_of,
    this_run,
)
from cs231n_utils.grading.pages import make_safe
from cs231n_utils.grading.results import VERDICT_MIME, Status, _sentence
from cs231n_utils.grading.sandbox import chosen, require
from cs231n_utils.grading.submission import (
    UnreadableNotebookError,
    cells_in_order,
    defines,
    grade_id,
    is_check,
    is_demo,
    read_notebook,
)

__all__ = ["Execute", "GraderFaultError", "needed_for_marks"]

# The first cell's choice of a network: NETWORK = "squeezenet1_1"
_SWITCH = re.compile(r"^(NETWORK\s*=\s*)[^#\n]*?(?=\s*(?:#|$))", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NO_MEMORY = re.compile(
    r"not enough memory|can't allocate memory|out of memory|alloc_cpu", re.IGNORECASE
)


class Execute(Client):
    """nbgrader's Execute, with questions in place of checks."""

    sandbox = Unicode("", help="bubblewrap (unless said otherwise) or none").tag(config=True)
    run_name = Unicode("", help="names the grading run; the same one asks the same questions"
                       ).tag(config=True)
    exercises = Unicode("cs231n_utils.exercises", help="the module that asks and judges"
                        ).tag(config=True)
    demos = Bool(False, help="run the demonstrations too, which no mark depends on"
                 ).tag(config=True)

    def preprocess(self, nb: Any, resources: Any = None, km: Any = None) -> tuple[Any, Any]:
        """Run the notebook, judge what its function did, and leave the verdict in its check cell.

        A kernel that died gets a second chance, in case it was noise.

        Raises
        ------
        GraderFaultError
            If the grader could not decide.
        SandboxMissingError
            If there is no sandbox on this machine, and the course didn't say that it needs none.
        """
        self._check_assign_resources(resources)
        exercise = _exercise(resources)
        self.kind = chosen(self.sandbox)
        require(self.kind)
        self.hidden = self.course_folders()
        own = self.own_cells(exercise)
        checks = [index for index, cell in enumerate(nb.cells)
                  if is_check(cell) and grade_id(cell) in FUNCTIONS]
        if exercise in FUNCTIONS and exercise not in [grade_id(nb.cells[i]) for i in checks]:
            raise GraderFaultError(f"there is no check cell {exercise!r}, and none was restored")
        for index in range(len(nb.cells)):
            if nb.cells[index].cell_type == "code":
                nb.cells[index].outputs = []
        for index in checks:
            self.mark(nb, index, own)
        make_safe(nb, own)
        return nb, self.resources

    def mark(self, nb: Any, check: int, own: frozenset[str]) -> None:
        """Give one check cell its verdict."""
        exercise = grade_id(nb.cells[check])
        examiner = self.examiner()
        questions = examiner.questions(exercise)
        raw = self.ask(nb, check, own, questions)
        if self.dead is Status.CRASHED and not self.stopped:
            raw = self.ask(nb, check, own, questions)
        try:
            answer = examiner.read(exercise, raw)
        except UnreadableAnswerError as error:
            verdict = self._unanswered(nb, check, own, error)
        else:
            if answer.missing:
                verdict = self._undefined(nb, check, own)
            else:
                verdict = _as_data(examiner.judge(exercise, answer))
                self._look_behind(verdict, nb, check)
        verdict["data"] |= {"sandbox": str(self.kind), "run": examiner.run,
                            "notes": _notes(nb)}
        _leave(nb.cells[check], verdict)

    def examiner(self) -> Examiner:
        """Who asks and judges in this run."""
        root = self._course_root()
        secret = read_secret(Path(root, ".cs231n", "secret")) if root else os.urandom(32)
        run = self.run_name or this_run()
        return Examiner(partial(seed_of, secret, run), run, import_module(self.exercises))

    def ask(self, nb: Any, check: int, own: frozenset[str], questions: bytes) -> bytes:
        """Run what the check at this place needs, and return what the function answered."""
        order = sorted(needed_for_marks(nb, own, self.demos))
        function = FUNCTIONS[grade_id(nb.cells[check])]
        return self.run(nb, order, check, function, questions)

    def run_cell(self, cell: Any, index: int, source: str) -> None:
        """Run a cell on the network that needs no internet."""
        super().run_cell(cell, index, _SWITCH.sub(r"\1None", source))

    # -- the course's own notebook ---------------------------------------------------------------

    def own_cells(self, exercise: str) -> frozenset[str]:
        """The sources of all cells that the course hands out; none where it isn't at hand."""
        path = Path(self._find_source(exercise))
        try:
            return frozenset(cell.source.strip() for cell in read_notebook(path).cells)
        except UnreadableNotebookError:
            return frozenset()

    def course_folders(self) -> tuple[Path, ...]:
        """What a kernel may not see even where it lies in what kernels are shown."""
        root = self._course_root()
        return (Path(root),) if root else ()

    def _coursedir(self) -> Any:
        """nbgrader's course directory, above the converter that this step works for."""
        above = self.parent
        while above is not None and not hasattr(above, "coursedir"):
            above = above.parent
        return above.coursedir if above is not None else None

    def _course_root(self) -> str:
        coursedir = self._coursedir()
        return str(coursedir.root) if coursedir is not None else ""

    def _find_source(self, exercise: str) -> str:
        course = self._coursedir()
        if course is None:
            return ""
        folder = course.format_path(course.source_directory, ".", course.assignment_id)
        return os.path.join(folder, f"{exercise}.ipynb")

    # -- where there is nothing to judge ---------------------------------------------------------

    def _unanswered(self, nb: Any, check: int, own: frozenset[str],
                    error: UnreadableAnswerError) -> dict[str, Any]:
        """The verdict where no answer came, or none that can be read."""
        function = FUNCTIONS[grade_id(nb.cells[check])]
        cell = nb.cells[check]
        if self.dead is not None:
            return _failed(cell, self.dead, self.reason, _ADVICE[self.dead].format(function))
        if self.late:
            return _failed(cell, Status.TIMED_OUT, f"no end within {self.timeout} seconds",
                           _ADVICE[Status.TIMED_OUT].format(function))
        said = _error_line(cell) if _errors(cell) else ""
        if said.startswith("MemoryError") or _NO_MEMORY.search(said):
            return _failed(cell, Status.OUT_OF_MEMORY, f"{function} needs more memory than there "
                           "is", _ADVICE[Status.OUT_OF_MEMORY].format(function))
        if not error.forged and not self.works_without_the_student(grade_id(cell)):
            raise GraderFaultError(f"no answer came out of the sandbox: {said or error}")
        reason = f"no call of {function} could be recorded: {said or error}"
        return _failed(cell, Status.FAILED, reason,
                       "Leave Python, PyTorch and the lab's package as they are.")

    def works_without_the_student(self, exercise: str) -> bool:
        """Does an answer come back from a notebook that is nobody's?"""
        cells = [new_code_cell(f"def {FUNCTIONS[exercise]}(*args, **options): return None"),
                 new_code_cell("")]
        cells[1].source = "# the place of the check"
        control = self.control()
        examiner = self.examiner()
        raw = control.run(new_notebook(cells=cells), [0], 1, FUNCTIONS[exercise],
                          examiner.questions(exercise))
        try:
            return bool(examiner.read(exercise, raw).observations)
        except UnreadableAnswerError:
            return False

    def control(self) -> Execute:
        """Another of the same kind."""
        control = type(self)(parent=self.parent, config=self.config, log=self.log)
        control.kind, control.hidden = self.kind, self.hidden
        return control

    def _undefined(self, nb: Any, check: int, own: frozenset[str]) -> dict[str, Any]:
        """The verdict where there is no function to call.

        Raises
        ------
        GraderFaultError
            If a cell of the course itself is why.
        """
        function = FUNCTIONS[grade_id(nb.cells[check])]
        cell = nb.cells[check]
        broken = _first_broken_cell(nb, before=cell)
        if broken is not None and _all_ours(nb, broken, own):
            raise GraderFaultError(f"a cell of the course itself failed: {_error_line(broken)}")
        written = [c for c in cells_in_order(nb) if defines(c, function)]
        if broken is not None and not any(c is not broken for c in written):
            return _failed(cell, Status.FAILED, f"a cell does not run: {_error_line(broken)}",
                           "Run that cell by itself and read the last line of its error.")
        if broken is not None:
            return _blocked(cell, broken)
        return _failed(cell, Status.FAILED, f"the notebook does not define {function}",
                       f"Write the function {function} in the cell that asks for it.")

    def _look_behind(self, verdict: dict[str, Any], nb: Any, check: int) -> None:
        """Say what a function that only raises errors was up against, where that is known."""
        if verdict["data"]["status"] != "raised":
            return
        cell, said = nb.cells[check], str(verdict["data"]["message"])
        broken = _first_broken_cell(nb, before=cell)
        if _NO_MEMORY.search(said) or "raised MemoryError" in said:
            verdict |= _failed(cell, Status.OUT_OF_MEMORY, said, _ADVICE[Status.OUT_OF_MEMORY])
        elif broken is not None:
            verdict |= _blocked(cell, broken)


_ADVICE = {
    Status.TIMED_OUT: "Look for a loop in {} that never reaches its end.",
    Status.CRASHED: "Restart the kernel and run the notebook from top to bottom.",
    Status.OUT_OF_MEMORY: "Look for a list or tensor that grows with every step.",
    Status.FAILED: "Print less: nothing inside a loop.",
}


def needed_for_marks(nb: Any, own: frozenset[str], demos: bool = False) -> set[int]:
    """The places of the code cells that a mark can depend on; with ``demos`` also of these.

    All but checks, demonstrations, what comes after the last check, and the course's own cells
    between the student's function and its check, which only show what the function does.
    """
    code = [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    checks = [index for index, cell in code if is_check(cell)]
    written = [index for index, cell in code
               if cell.metadata.get("nbgrader", {}).get("solution")]
    last = (written or [len(nb.cells)])[-1]
    end = max((checks or [len(nb.cells)])[-1], last)  # the check may have been moved up
    return {
        index for index, cell in code
        if not is_check(cell) and (demos if is_demo(cell) else
            index <= end and (index <= last or cell.source.strip() not in own))
    }


# -- verdicts as data ------------------------------------------------------------------------


def _as_data(verdict: Any) -> dict[str, Any]:
    """A judge's verdict, as its data and the page that shows it."""
    bundle = verdict._repr_mimebundle_()
    return {"data": dict(verdict.to_dict()), "html": bundle.get("text/html", "")}


def _failed(cell: Any, status: Status, reason: str, advice: str) -> dict[str, Any]:
    """A verdict of no points, for a reason that no judge sees."""
    most = float(cell.metadata.nbgrader.get("points", MAX_POINTS))
    finding = {
        "name": "the notebook runs up to the check", "passed": False, "points": 0.0,
        "max_points": most, "expected": "every cell runs", "got": reason, "mistake": "",
        "explanation": f"{_sentence(reason)}.", "advice": advice, "blocked_by": "",
    }
    data = {
        "exercise": grade_id(cell), "status": str(status), "passed": False, "points": 0.0,
        "max_points": most, "message": reason, "findings": [finding], "remarks": [],
    }
    shown = f"<b>{html.escape(str(status))}</b>: {html.escape(reason)}. {html.escape(advice)}"
    return {"data": data, "html": f"<p>{shown}</p>"}


def _blocked(cell: Any, broken: Any) -> dict[str, Any]:
    return _failed(cell, Status.BLOCKED, f"an earlier cell does not run: {_error_line(broken)}",
                   "Restart the kernel and run the notebook from top to bottom.")


def _leave(cell: Any, verdict: dict[str, Any]) -> None:
    """Make the verdict the cell's only output, its text the points in nbgrader's scale."""
    data = verdict["data"]
    if data["points"] is None:
        raise GraderFaultError(str(data["message"]) or "the judge gave no points")
    most = float(data["max_points"])
    if not 0 <= data["points"] <= most:
        raise GraderFaultError(f"the judge gave {data['points']} of {most} points")
    points = data["points"] * float(cell.metadata.nbgrader.get("points", most)) / most
    data["seed"] = None  # else the same questions could be asked at home
    shown = {"text/plain": f"{points:g}", "text/html": verdict["html"], VERDICT_MIME: data}
    cell.execution_count = None
    cell.outputs = [new_output("execute_result", data=shown, execution_count=None)]


def _notes(nb: Any) -> list[str]:
    """What a person should know of a notebook though it costs nothing."""
    if any(_imports(cell.source, "captum") for cell in cells_in_order(nb)):
        return ["It uses captum, which computes saliency maps by itself."]
    return []


def _imports(source: str, package: str) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except Exception:  # a source can be made to break a parser in many ways
        return package in source
    names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
    return any(name.split(".")[0] == package for name in names)


def _exercise(resources: Any) -> str:
    return str((resources or {}).get("nbgrader", {}).get("notebook", ""))


def _errors(cell: Any) -> list[Any]:
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def _error_line(cell: Any) -> str:
    """What a failed cell said, on one line: ``SyntaxError: invalid syntax (line 3)``."""
    error = _errors(cell)[0]
    said = _ANSI.sub("", f"{error.ename}: {error.evalue}").strip().rstrip(".")
    return re.sub(r"\(<?[^()]*?,? ?line (\d+)\)", r"(line \1)", said.splitlines()[0])[:300]


def _first_broken_cell(nb: Any, before: Any) -> Any | None:
    for cell in cells_in_order(nb):
        if cell is not before and _errors(cell):
            return cell
    return None


def _all_ours(nb: Any, broken: Any, own: frozenset[str]) -> bool:
    """Is nothing but the course's own code to blame for a cell that failed?

    Where the course's own notebook isn't at hand, a person has to tell: yes, up to where the
    student was to write.
    """
    for cell in cells_in_order(nb):
        if cell.metadata.get("nbgrader", {}).get("solution"):
            return False
        if own and cell.source.strip() not in own:
            return False
        if cell is broken:
            return True
    return False
