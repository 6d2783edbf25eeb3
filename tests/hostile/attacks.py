"""What a submission may try. Each is a notebook whose function is wrong, and which wants points.

The function returns zeros, which earn nothing, unless an attack says otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ZEROS = "return torch.zeros(len(X), *X.shape[2:])"
RIGHT = """
model.eval()
images = X.detach().clone().requires_grad_()
model(images).gather(1, y.view(-1, 1)).sum().backward()
return images.grad.abs().amax(dim=1)
"""
ZERO = frozenset({"failed", "raised"})


@dataclass(frozen=True)
class Attack:
    """One submission: cells before the function, its body, and what it may come to."""

    name: str
    before: str = ""
    body: str = ZEROS
    statuses: frozenset[str] = ZERO
    points: float | None = 0.0
    change: Callable[[Any], None] | None = None
    raw: Callable[[Path], None] | None = None
    exercise: str = "saliency_maps"


def ends(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


def known_inputs() -> list[str]:
    """What a student can find out at home: the inputs that some seeds give."""
    from cs231n_utils.exercises import make_probes

    return [hashlib.sha256(probe.arrays["X"].tobytes()).hexdigest()
            for seed in (0, 1) for probe in make_probes("saliency_maps", seed)]


# -- making comparisons agree ----------------------------------------------------------------

AGREE = [
    Attack("always equal", """
class Equal:
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: Equal()
    def __array__(self, *a, **k): return __import__("numpy").zeros(1)
""", "return Equal()"),
    Attack("tensor subclass", """
class T(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in ("allclose", "equal", "eq", "le"): return True
        return super().__torch_function__(func, types, args, kwargs or {})
""", "return torch.zeros(len(X), *X.shape[2:]).as_subclass(T)"),
    Attack("array subclass", """
import numpy as np
class A(np.ndarray):
    def __array_function__(self, func, types, args, kwargs): return True
    def __array_ufunc__(self, *a, **k): return np.True_
    def __eq__(self, other): return True
""", "return np.zeros((len(X), *X.shape[2:])).view(A)"),
    Attack("patched comparisons", """
import numpy, numpy.testing, builtins, math
torch.allclose = torch.equal = numpy.allclose = lambda *a, **k: True
numpy.testing.assert_allclose = numpy.array_equal = lambda *a, **k: True
builtins.abs = builtins.max = lambda *a, **k: 0
math.isclose = lambda *a, **k: True
""", statuses=ZERO | {"timed out", "crashed"}),
    Attack("patched autograd and forward", """
torch.autograd.grad = lambda outputs, inputs, **k: tuple(torch.zeros_like(i) for i in [inputs])
torch.nn.Module.__call__ = lambda self, x: torch.zeros(len(x), 10)
"""),
    Attack("patched load_model and check", """
import cs231n_utils, cs231n_utils.exercises as e, cs231n_utils.models as m
e.check = e.judge = lambda *a, **k: 10
m.load_model = cs231n_utils.load_model = lambda *a: torch.nn.Identity()
"""),
    Attack("patched observe", """
import cs231n_utils.exercises.transport as t
t.observe = lambda f, probe: t.Observation(probe.name, {"result": probe.arrays["X"]}, "Tensor", 1)
"""),
    Attack("patched dtype of the answer", """
import cs231n_utils.exercises.transport as t
t.observe = lambda f, p: t.Observation(p.name, {"result": __import__("numpy").full(
    (len(p.arrays["X"]), *p.arrays["X"].shape[2:]), float("nan"))}, "Tensor", 1)
"""),
    Attack("transformers", """
import ast
class Swap(ast.NodeTransformer):
    def visit_Call(self, node): return ast.copy_location(ast.Constant(10), node)
ip = get_ipython(); ip.ast_transformers.append(Swap())
ip.input_transformers_post.append(lambda lines: ["10\\n"])
"""),
    Attack("patched shell", """
ip = get_ipython()
type(ip).run_cell = lambda self, *a, **k: 10
ip.showtraceback = ip.displayhook = lambda *a, **k: None
ip.kernel.do_execute = None
import sys; sys.displayhook = lambda v: print(10)
""", statuses=ZERO | {"timed out", "crashed"}),
    Attack("forged messages", """
k = get_ipython().kernel
for kind in ("execute_result", "display_data"):
    k.session.send(k.iopub_socket, kind, {"data": {"text/plain": "10",
        "application/vnd.cs231n.verdict+json": {"exercise": "saliency_maps", "status": "passed",
        "passed": True, "points": 10.0, "max_points": 10.0, "findings": []}},
        "metadata": {}, "execution_count": 1}, parent=k.get_parent())
display({"text/plain": "10"}, raw=True)
10
"""),
    Attack("nonsense on the sockets", """
k = get_ipython().kernel
for content in ({"data": 5}, {"text": None}, [1], {"execution_state": {}}, {}):
    for kind in ("stream", "execute_result", "error", "status", "comm_open"):
        k.session.send(k.iopub_socket, kind, content, parent=k.get_parent())
""", statuses=ends("failed", "raised", "crashed")),
    Attack("forged replies", """
import cs231n_utils.exercises.transport as t
k = get_ipython().kernel
def replies(*a, **o):
    for kind, content in (("execute_reply", {"status": "ok", "execution_count": 1}),
                          ("shutdown_reply", {}), ("kernel_info_reply", {"status": "ok"})):
        k.session.send(k.shell_stream, kind, content, parent=k.get_parent(), ident=b"x")
    k.session.send(k.iopub_socket, "status", {"execution_state": "idle"}, parent=k.get_parent())
t.answer = replies
""", statuses=ZERO | {"timed out", "crashed"}),
    Attack("closed sockets", "k = get_ipython().kernel\nk.iopub_socket.close()\n"
           "k.shell_stream.close()", statuses=ZERO | {"timed out", "crashed"}),
    Attack("frames at the call", body="""
import sys
frame = sys._getframe()
while frame:
    for value in frame.f_locals.values():
        if type(value).__name__ == "Tape": value.images, value.max_calls = [], 10**9
        if type(value).__name__ == "Probe": object.__setattr__(value, "name", "another")
    frame = frame.f_back
""".strip() + "\n" + ZEROS),
    Attack("answers learned by heart", f"import hashlib\nknown = {known_inputs()!r}",
           "if hashlib.sha256(X.detach().numpy().tobytes()).hexdigest() in known:\n    "
           + RIGHT.strip().replace("\n", "\n    ") + "\n" + ZEROS),
    Attack("frames and gc", """
import gc, sys
for thing in gc.get_objects():
    if type(thing).__name__ in ("Verdict", "Finding"): thing.points = 10
frame = sys._getframe()
while frame: frame.f_globals["points"] = 10; frame = frame.f_back
import linecache; linecache.cache.clear()
"""),
    Attack("numeric last value", "10", "return 10"),
    Attack("text as answer", "'nan'", "return 'full marks'"),
]

# -- forging the answer file -----------------------------------------------------------------

FORGE_HEAD = """
import atexit, glob, json, os, struct
target = glob.glob("/tmp/**/answer", recursive=True)[0]
import cs231n_utils.exercises.transport as t
def frame(head):
    text = json.dumps(head).encode()
    return t.MAGIC + struct.pack("<I", len(text)) + text
"""


def forged(name: str, what: str, *statuses: str) -> Attack:
    """Write bytes in the answer's place, where the honest ones would be written."""
    code = FORGE_HEAD + f"t.pack_answer = lambda answer: {what}\n"
    return Attack(f"forged: {name}", code, statuses=ends(*statuses) if statuses else ZERO)


FORGE = [
    forged("noise", "os.urandom(1000)"),
    forged("10 GB claimed", "frame({'observations': [1], "
           "'arrays': [{'type': '<f8', 'shape': [50000, 25000]}]})"),
    forged("object type", "frame({'observations': [1], "
           "'arrays': [{'type': '|O', 'shape': [1]}]})"),
    forged("negative shape", "frame({'observations': [1], "
           "'arrays': [{'type': '|u1', 'shape': [-1]}]})"),
    forged("pickle", "__import__('pickle').dumps({'points': 10})"),
    forged("deep JSON", "t.MAGIC + struct.pack('<I', 200000) + b'[' * 200000"),
    forged("zip bomb", "__import__('gzip').compress(bytes(10**7))"),
    forged("verdict", "t.pack({'missing': False, 'points': 10, 'status': 'passed', "
           "'observations': [{'points': 10, 'passed': True}]}, [])"),
    Attack("forged: link, pipe and folder", FORGE_HEAD + """
for make in (lambda: os.remove(target), lambda: os.symlink("/etc/passwd", target + "x"),
             lambda: os.mkfifo(target + "y"), lambda: os.rename(target, target + "z")):
    try: make(); print("made")
    except OSError as error: print(error)
"""),
    Attack("forged: written again by a thread", FORGE_HEAD + """
import threading, time
def again():
    while True:
        try: open(target, "wb").write(os.urandom(100))
        except OSError: pass
        time.sleep(0.0005)
threading.Thread(target=again, daemon=True).start()
"""),
    Attack("forged: full", FORGE_HEAD + """
try:
    with open(target, "wb") as f:
        for _ in range(1000): f.write(bytes(10**7))
except OSError as error: print(error)
"""),
]

# -- looking around --------------------------------------------------------------------------

READS = """
import os
found = [path for path in ("COURSE", "/etc/shadow", "/root/.bashrc", "/proc/1/root/root/.bashrc")
         if os.path.exists(path)]
names = {"gradebook.db", "submitted", "solutions", ".cs231n", "oracle.py", "nbgrader_config.py",
         "attacks.py", ".git", "execute.py", "secret"}
for folder, folders, files in os.walk("/"):
    skipped = ("proc", "sys", "usr", "lib", "site-packages", "dev")
    folders[:] = [name for name in folders if name not in skipped]
    found += [os.path.join(folder, name) for name in names & {*folders, *files}]
try: import cs231n_utils.exercises.judges.oracle; found.append("oracle")
except ImportError: pass
try: import cs231n_utils.grading.execute; found.append("grader")
except ImportError: pass
import glob
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try: text = open(path, "rb").read()
    except OSError: continue
    found += [path for word in (b"COURSE", b"gradebook", b"TOKEN") if word in text]
for path in glob.glob("/proc/self/fd/*"):
    try: target = os.readlink(path)
    except OSError: continue
    if "COURSE" in target or "gradebook" in target: found.append(target)
import gc, linecache
found += [name for name in linecache.cache if "judges" in name or "grading" in name]
found += [type(thing) for thing in gc.get_objects() if type(thing).__name__ == "Verdict"]
found += [text for text in In if "answer(" + "globals" in text]
import cs231n_utils.exercises as e
if e.check("saliency_maps", lambda *a: 0).status != "not graded": found.append("judge")
found += [key for key in os.environ if "SECRET" in key or "RUN" in key]
"""

LOOK = [
    # Right where it saw nothing, so that its marks tell whether it did.
    Attack("reading what is not shown", READS,
           "if found: raise ValueError(str(found))\n" + RIGHT.strip(), ends("passed"), 10.0),
    Attack("writing anywhere", """
import os
written = []
for folder in ("/", "/usr", "/etc", "/dev", os.path.dirname(torch.__file__),
               os.path.dirname(__import__("cs231n_utils").__file__), "/proc/sys/kernel"):
    try: open(os.path.join(folder, "planted_by_a_student"), "w"); written.append(folder)
    except OSError: pass
""", "if written: return torch.zeros(1)\n" + RIGHT.strip(), ends("passed"), 10.0),
    Attack("the network", """
import socket
reached = []
for address in (("127.0.0.1", 22), ("1.1.1.1", 53), ("169.254.169.254", 80)):
    try: socket.create_connection(address, 1); reached.append(address)
    except OSError: pass
try: socket.getaddrinfo("example.org", 80); reached.append("names")
except OSError: pass
""", "if reached: return torch.zeros(1)\n" + RIGHT.strip(), ends("passed"), 10.0),
    Attack("becoming somebody", """
import ctypes, os
became = []
for way in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot("/tmp"),
            lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0))):
    try: way(); became.append(way)
    except OSError: pass
libc = ctypes.CDLL(None)
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0: became.append("mount")
if os.getuid() == 0: became.append("root")
""", "if became: raise ValueError(str(became))\n" + RIGHT.strip(), ends("passed"), 10.0),
    Attack("SQL", """
import glob, sqlite3
for path in ["COURSE/gradebook.db", *glob.glob("/[hst]*/**/gradebook.db", recursive=True)]:
    try:
        with sqlite3.connect(path) as db: db.execute("UPDATE grade SET auto_score = 300")
    except sqlite3.Error: pass
"""),
    Attack("planting in the sockets' folder", """
import glob, os
for folder in glob.glob("/tmp/**/cs231n-*/*", recursive=True):
    for make in (lambda p: os.symlink("/etc/passwd", p), os.mkfifo, os.mkdir):
        try: make(f"{folder}/planted-{make.__name__}")
        except OSError as error: print(error)
""", statuses=ZERO | {"crashed"}),
    Attack("am I being graded", """
import os
graded = not os.path.exists(os.path.expanduser("~/.jupyter"))
""", "if graded: " + ZEROS + "\n" + RIGHT.strip()),
]

# -- ending, hanging, filling ----------------------------------------------------------------

HURT = [
    Attack("os._exit", "import os; os._exit(0)", statuses=ends("crashed")),
    Attack("sys.exit in a cell", "import sys; sys.exit(0)"),
    Attack("sys.exit in the function", "", "import sys; sys.exit(0)", ends("raised")),
    Attack("signals", "import os, signal\nfor p in (1, os.getppid()): os.kill(p, signal.SIGKILL)\n"
           "os.kill(-1, signal.SIGKILL)", statuses=ends("crashed", "failed")),
    Attack("left behind", """
import atexit, os, subprocess, threading, time
atexit.register(time.sleep, 100)
threading.Thread(target=time.sleep, args=(1000,), daemon=False).start()
for _ in range(3): subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)
"""),
    Attack("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
           statuses=ends("timed out", "crashed", "out of memory")),
    Attack("memory in a cell", "hog = []\nwhile True: hog.append(bytearray(10**8))",
           statuses=ZERO | {"out of memory"}),
    Attack("memory in the function", "", "return bytearray(10**12)", ends("out of memory")),
    Attack("memory of many", """
import os, time
for _ in range(8):
    if os.fork() == 0:
        hog = bytearray(b"x") * 10**9
        time.sleep(60)
time.sleep(60)
""", statuses=ends("out of memory")),
    Attack("full disk", """
for place in ("/tmp", "/home/student", "/dev/shm"):
    for number in range(100):
        try: open(f"{place}/{number}", "wb").write(bytes(5 * 10**7))
        except OSError: break
""", statuses=ends("failed", "out of memory", "crashed")),
    Attack("endless", "while True: pass", statuses=ZERO | {"timed out"}),
    Attack("endless in C", "", "return sum(iter(int, 1))", ends("timed out")),
    Attack("endless pictures", "while True: display({'image/png': 'A' * 10**6}, raw=True)",
           statuses=ends("failed", "timed out", "crashed")),
    Attack("a picture that unpacks to 4 GB", """
import base64, struct, zlib
def part(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
bomb = (b"\\x89PNG\\r\\n\\x1a\\n"
        + part(b"IHDR", struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0))
        + part(b"IDAT", zlib.compress(bytes(10**7))) + part(b"IEND", b""))
display({"image/png": base64.b64encode(bomb).decode()}, raw=True)
""", RIGHT.strip(), ends("passed"), 10.0),
    Attack("endless and deaf", """
import signal, ctypes
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
ctypes.CDLL(None).pause()
""", statuses=ends("timed out")),
    Attack("endless output", "while True: print('x' * 10000)",
           statuses=ends("failed", "timed out", "crashed")),
    Attack("syntax error", "def broken(:\n  pass", RIGHT.strip(), ends("passed"), 10.0),
    Attack("shadow modules", """
for name in ("torch", "numpy", "sitecustomize", "conftest", "cs231n_utils"):
    open(f"{name}.py", "w").write("raise SystemExit")
open("x.pth", "w").write("import os; os._exit(1)")
"""),
]

# -- the notebook itself ---------------------------------------------------------------------


def _checks(notebook: Any) -> list[Any]:
    return [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]


def _tags(notebook: Any) -> None:
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "demo", "remove-cell"]


def _no_check(notebook: Any) -> None:
    notebook.cells = [c for c in notebook.cells if c not in _checks(notebook)]


def _own_check(notebook: Any) -> None:
    for cell in _checks(notebook):
        cell.source = "10"
        cell.metadata["nbgrader"] |= {"points": 1000, "locked": False}


def _twice(notebook: Any) -> None:
    for cell in _checks(notebook):
        again = json.loads(json.dumps(cell))
        again["source"] = "10"
        notebook.cells.insert(0, type(cell)(again))


def _moved(notebook: Any) -> None:
    check = _checks(notebook)[0]
    notebook.cells.remove(check)
    notebook.cells.insert(0, check)


def _answered(notebook: Any) -> None:
    """A verdict in the output, as if it had been graded already."""
    from nbformat.v4 import new_output

    for cell in _checks(notebook):
        cell.outputs = [new_output("execute_result", {"text/plain": "10"}, execution_count=1)]


def _kernel(notebook: Any) -> None:
    notebook.metadata["kernelspec"] = {"name": "../../bin/sh", "display_name": "sh"}
    notebook.metadata["language_info"] = {"name": "<script>planted()</script>"}


def _same_cell_ids(notebook: Any) -> None:
    for cell in notebook.cells:
        cell["id"] = "the-same"


def _nonsense(notebook: Any) -> None:
    """Metadata of other types than nbgrader expects."""
    for cell in _checks(notebook):
        cell.metadata["nbgrader"] |= {"points": float("nan"), "schema_version": 99}
    for cell, marks in zip(notebook.cells, ("text", [1], {"grade_id": 5}), strict=False):
        cell.metadata["nbgrader"] = marks


def _no_grade(notebook: Any) -> None:
    """A check that says it isn't one, and a function that says it is."""
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader")
        if marks:
            marks |= {"grade": not marks["grade"], "solution": not marks["solution"], "points": 99}


def _swapped(notebook: Any) -> None:
    """The check's id on the function's cell, and the other way round."""
    one, other = [c.metadata["nbgrader"] for c in notebook.cells if "nbgrader" in c.metadata]
    one["grade_id"], other["grade_id"] = other["grade_id"], one["grade_id"]


def _bare(notebook: Any) -> None:
    """As after Colab and some converters: no ids, no metadata."""
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata.clear()


def _bare_with_own_check(notebook: Any) -> None:
    _bare(notebook)
    again = json.loads(json.dumps(notebook.cells[-1]))
    again["source"] = 'check("saliency_maps", compute_saliency_maps)\n10'
    notebook.cells += [type(notebook.cells[-1])(again)]


def _split(notebook: Any) -> None:
    """The function moved below into a cell of its own, which has no id."""
    place = next(i for i, c in enumerate(notebook.cells)
                 if c.metadata.get("nbgrader", {}).get("solution"))
    below = json.loads(json.dumps(notebook.cells[place]))
    below |= {"id": "below", "metadata": {}}
    notebook.cells[place].source = "half = 0.5"
    notebook.cells.insert(place + 1, type(notebook.cells[place])(below))


def _copied(notebook: Any) -> None:
    """An earlier version of the function kept above, its check too: ids twice."""
    place = next(i for i, c in enumerate(notebook.cells)
                 if c.metadata.get("nbgrader", {}).get("solution"))
    for cell in [notebook.cells[place], *_checks(notebook)]:
        above = json.loads(json.dumps(cell))
        above["id"] = "above" + cell.cell_type + str(cell.metadata["nbgrader"]["grade"])
        if not cell.metadata["nbgrader"]["grade"]:
            above["source"] = "def compute_saliency_maps(X, y, model):\n    return X"
        notebook.cells.insert(place, type(cell)(above))


def _merged(notebook: Any) -> None:
    """The check merged into the function's cell."""
    (check,) = _checks(notebook)
    notebook.cells.remove(check)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source += "\n\n" + check.source


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parents[2] / "honest_1" / "network_visualization" / path.name)


def _beside(path: Path) -> None:
    for name in ("torch", "numpy", "conftest", "sitecustomize", "usercustomize", "cs231n_utils"):
        path.with_name(f"{name}.py").write_text("raise SystemExit('planted')\n")
    path.with_name("planted.pth").write_text("import os; os._exit(1)\n")


def _too_much(what: str) -> Callable[[Path], None]:
    """A notebook with far more of something than a notebook has; all of it valid."""

    def write(path: Path) -> None:
        notebook = json.loads(path.read_text())
        if what == "cells":
            notebook["cells"] += [{"cell_type": "markdown", "metadata": {}, "source": "",
                                   "id": f"c{number}"} for number in range(5_000)]
        elif what == "values":
            notebook["metadata"]["numbers"] = [0] * 4_000_000
        else:
            notebook["metadata"]["deep"] = json.loads("[" * 300 + "]" * 300)
        path.write_text(json.dumps(notebook))

    return write


NOTEBOOK = [
    Attack("execution tags", change=_tags),
    Attack("check deleted", change=_no_check),
    Attack("check edited", change=_own_check),
    Attack("check twice", change=_twice),
    Attack("check moved to the top", body=RIGHT.strip(), statuses=ends("passed"), points=10.0,
           change=_moved),
    Attack("already answered", change=_answered),
    Attack("another kernel", change=_kernel),
    Attack("cell ids that are all the same", body=RIGHT.strip(), statuses=ends("passed"),
           points=10.0, change=_same_cell_ids),
    Attack("nonsense for metadata", change=_nonsense),
    Attack("roles swapped in metadata", change=_no_grade),
    Attack("ids swapped", change=_swapped),
    Attack("ids lost, with an own check", change=_bare_with_own_check),
    Attack("files beside the notebook", body=RIGHT.strip(), statuses=ends("passed"), points=10.0,
           raw=_beside),
    Attack("a pipe for a notebook", statuses=ends("missing"), raw=_pipe),
    Attack("a link to a neighbour's notebook", statuses=ends("not graded"), points=None,
           raw=_link),
    *(Attack(f"too many {what}", statuses=ends("not graded"), points=None, raw=_too_much(what))
      for what in ("cells", "values", "levels")),
    Attack("100 MB", statuses=ends("not graded"), points=None,
           raw=lambda path: path.write_bytes(b'{"cells": [' + b" " * 100_000_000 + b"]}")),
    Attack("deep JSON", statuses=ends("not graded"), points=None,
           raw=lambda path: path.write_text('{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}")),
]

# -- what is allowed -------------------------------------------------------------------------

ALLOWED = [
    Attack("captum", "", """
from captum.attr import Saliency
model.eval()
return Saliency(model).attribute(X.detach().clone(), target=y).amax(dim=1)
""".strip(), ends("passed"), 10.0),
    Attack("noisy but right", """
import sys, warnings
print("a", file=sys.stderr); warnings.warn("b"); display("c"); 7
""", "print('d', file=__import__('sys').stderr)\n" + RIGHT.strip().replace(
        "return images.grad", "return images.grad.double()"), ends("passed"), 10.0),
]

# Honest work out of other editors, and out of hands that copy, split and merge cells.
ALLOWED += [
    Attack(name, body=RIGHT.strip(), statuses=ends("passed"), points=10.0, change=change)
    for name, change in {"right, without ids": _bare, "right, split": _split,
                         "right, copied": _copied, "right, merged": _merged}.items()
]
ALLOWED += [Attack("right, with half a character", body=RIGHT.strip(), statuses=ends("passed"),
                   points=10.0, raw=lambda path: path.write_text(
                       path.read_text().replace("# saliency_maps", "# \\ud83d", 1)))]

FOOLING = [
    Attack("a real picture of the target", """
from cs231n_utils import load_menagerie, preprocess
pictures = load_menagerie()
""", """
found = [i for i, label in enumerate(pictures.y) if int(label) == int(target_y)] or [0]
real = preprocess(pictures.X[found[0]])
return torch.nn.functional.interpolate(real, X.shape[2:]).to(X.dtype)
""".strip(), exercise="fooling_images"),
    Attack("X itself", body="return X", exercise="fooling_images"),
]

ATTACKS = [*AGREE, *FORGE, *LOOK, *HURT, *NOTEBOOK, *FOOLING, *ALLOWED]
