"""One notebook's cells in one kernel, by a client that believes nothing the kernel says.

nbclient does the talking. What a kernel sends is read as data here: text is cut, pictures are
counted, everything else is left out, and a kernel that sends without end is ended.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute as NbgraderExecute
from nbgrader.preprocessors.execute import UnresponsiveKernelError
from traitlets import Integer, Unicode

from cs231n_utils.exercises.transport import MAX_BYTES
from cs231n_utils.grading.examine import UnreadableAnswerError, read_file
from cs231n_utils.grading.kernel import Watch, ended_with_all, make_manager, settle_in, watch_of
from cs231n_utils.grading.results import Status
from cs231n_utils.grading.sandbox import Kind, Room, open_room

MAX_TEXT, MAX_PICTURES = 100_000, 20
MAX_MESSAGES, MAX_SENT = 50_000, 50_000_000
"""What a notebook may send before it is ended: one that prints in an endless loop sends more."""

LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python",
            "pygments_lexer": "ipython3"}


class Client(NbgraderExecute):  # type: ignore[misc]
    """Runs cells in a sandboxed kernel, and reads the answer to the questions put there."""

    timeout = Integer(60, help="seconds that one cell may take").tag(config=True)
    iopub_timeout = Integer(20).tag(config=True)
    startup_timeout = Integer(120).tag(config=True)
    shutdown_kernel = Unicode("immediate").tag(config=True)
    record_timing = False
    store_widget_state = False
    coalesce_streams = False

    kind: Kind = Kind.BUBBLEWRAP
    hidden: tuple[Path, ...] = ()
    dead: Status | None = None
    reason = ""
    stopped = False

    def run(self, nb: Any, order: list[int], ask: int | None, function: str,
            questions: bytes) -> bytes:
        """Run the cells at these places in one fresh kernel, then have it answer the questions.

        ``ask`` is the place of the cell that stands for asking. Returns the answer's bytes, none
        where it didn't come to one; ``dead`` and ``reason`` say what ended the kernel early.
        """
        NotebookClient.__init__(self, nb, None)  # as nbconvert does it: one client, many notebooks
        self.reset_execution_trackers()
        self.dead, self.reason = None, ""
        self.sent = self.messages = 0
        self.late: list[Any] = []
        with open_room(self.kind) as room:
            self.km = make_manager(room, self.kind, 3.0 * self.timeout + 120, self.hidden)
            with ended_with_all(self.km):
                self._run(nb, order, ask, room, function, questions)
            return self._answer(room) if ask is not None and self.dead is None else b""

    def _run(self, nb: Any, order: list[int], ask: int | None, room: Room, function: str,
             questions: bytes) -> None:
        self.watch: Watch | None = None
        with self.setup_kernel():
            assert self.km is not None
            self.watch = watch_of(self.km)
            settle_in(self.km)
            for index in order:
                if self.dead is None:
                    self.run_cell(nb.cells[index], index, nb.cells[index].source)
            if ask is not None and self.dead is None:
                (room.inbox / "questions").write_bytes(questions)
                self.run_cell(nb.cells[ask], ask, _asking(function, room))
            self.watch.note()

    def _answer(self, room: Room) -> bytes:
        """What the kernel left, read when nothing of it runs any more."""
        try:
            return read_file(room.answer, MAX_BYTES)
        except UnreadableAnswerError as error:
            self.reason = str(error)
            return b"unreadable" if error.forged else b""

    def run_cell(self, cell: Any, index: int, source: str) -> None:
        """Run a source as one code cell's, and note what becomes of it."""
        written, tags = cell.source, cell.metadata.pop("tags", None)  # such as skip-execution
        cell.source = source
        try:
            self.execute_cell(cell, index, store_history=True)
        except (CellTimeoutError, UnresponsiveKernelError):
            self._died(Status.TIMED_OUT, f"no end within {self.timeout} seconds")
        except DeadKernelError:
            self._died(Status.CRASHED, "the kernel died while the notebook ran")
        except Exception as error:
            self.log.warning("a kernel sent nonsense: %s: %s", type(error).__name__, error)
            self._died(Status.CRASHED, "the kernel sent messages that can't be read")
        finally:
            cell.source = written
            if tags is not None:
                cell.metadata["tags"] = tags
        if self.dead is Status.TIMED_OUT or _interrupted(cell):
            self.late.append(cell)

    def _died(self, status: Status, reason: str) -> None:
        """Note how a kernel ended, and that it has; the watch knows better where it ended it."""
        if self.watch is not None and self.watch.ended is not None:
            status, reason = self.watch.ended.status, self.watch.ended.reason
        elif self.flooded:
            status, reason = Status.FAILED, "it prints without end"
        self.dead, self.reason = status, reason
        self.kill_kernel()

    @property
    def flooded(self) -> bool:
        """Did the kernel send more than a notebook may?"""
        return self.sent > MAX_SENT or self.messages > MAX_MESSAGES

    def kill_kernel(self) -> None:
        """End the kernel's process at once."""
        process = getattr(getattr(self.km, "provisioner", None), "process", None)
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the run from another thread; the notebook being executed is lost."""
        self.stopped = True
        self.kill_kernel()

    # -- what the kernel says --------------------------------------------------------------------

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> None:
        """Take one message of a running cell.

        Raises
        ------
        CellExecutionComplete
            If it says that the cell has ended.
        """
        kind, content = msg["msg_type"], msg["content"]
        if kind == "status" and content.get("execution_state") == "idle":
            raise CellExecutionComplete
        self.messages += 1
        self.sent += _size(content)
        if self.flooded:
            self.kill_kernel()
        elif kind == "stream":
            _add_text(cell, str(content["text"]))
        elif kind in ("display_data", "execute_result"):
            _add_display(cell, content["data"])
        elif kind == "error":
            cell.outputs.append(_error(content))

    def on_cell_executed(self, **kwargs: Any) -> None:
        """Note the error of a cell that showed none, such as one that was interrupted."""
        content = kwargs["execute_reply"]["content"]
        shown = [o.ename for o in kwargs["cell"].outputs if o.output_type == "error"]
        if content["status"] == "error" and str(content["ename"])[:100] not in shown:
            kwargs["cell"].outputs.append(_error(content))


def _asking(function: str, room: Room) -> str:
    """The code that has the kernel call the student's function and write down what it did."""
    return (
        "__import__('cs231n_utils.exercises.transport', fromlist=['answer'])"
        f".answer(globals().get({function!r}), "
        f"{str(room.inbox / 'questions')!r}, {str(room.answer)!r})"
    )


def _interrupted(cell: Any) -> bool:
    return any(output.output_type == "error" and output.ename == "CellTimeoutError"
               for output in cell.outputs)


def _size(content: Any) -> int:
    """About how much one message holds."""
    if isinstance(content, dict):
        return 50 + sum(_size(value) for value in content.values())
    if isinstance(content, list):
        return 50 + sum(map(_size, content))
    return len(content) if isinstance(content, str) else 8


def _add_text(cell: Any, text: str) -> None:
    """Add printed text, up to what a page may show; warnings are printed text like any other."""
    last = cell.outputs[-1] if cell.outputs else None
    if last is None or last.output_type != "stream":
        last = new_output("stream", name="stdout", text="")
        cell.outputs.append(last)
    last.text = (last.text + text)[:MAX_TEXT]


def _add_display(cell: Any, data: Any) -> None:
    """Add what was displayed: its plain text, and its picture if it has one."""
    kept = {"text/plain": str(data.get("text/plain", ""))[:MAX_TEXT]}
    picture = data.get("image/png")
    if isinstance(picture, str):
        kept["image/png"] = picture
    if sum(output.output_type == "display_data" for output in cell.outputs) < MAX_PICTURES:
        cell.outputs.append(new_output("display_data", data=kept))


def _error(content: Any) -> Any:
    """An error as text, whatever a kernel says that it is."""
    traceback = content.get("traceback")
    lines = traceback if isinstance(traceback, list) else []
    return new_output("error", ename=str(content.get("ename", ""))[:100],
                      evalue=str(content.get("evalue", ""))[:2_000],
                      traceback=[str(line)[:10_000] for line in lines[:50]])
