"""Warm kernels: closed in, right in the fork, and gone in the end.

The same tests hold for root, who gives each kernel a user of its own, and for anybody else, whose
kernels have a user namespace each: as root this file is run once more as an ordinary user.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cs231n_utils.exercises.transport import unpack_answer
from cs231n_utils.grading import kernel, sandbox, warm
from cs231n_utils.grading.client import Client
from cs231n_utils.grading.examine import Examiner
from cs231n_utils.grading.sandbox import problem
from cs231n_utils.grading.warm import NoWarmKernelError

pytestmark = pytest.mark.skipif(bool(problem()), reason=problem())

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions" / "network_visualization"


@pytest.fixture(scope="module", autouse=True)
def no_zygote_left():
    yield
    warm.close()


@pytest.fixture
def cold(monkeypatch):
    def none(*_):
        raise NoWarmKernelError("this test wants a cold one")

    monkeypatch.setattr(kernel, "fork", none)


@pytest.fixture
def only_warm(monkeypatch):
    """Fail where a cold kernel would come in its place."""
    def cold_one(*_, **__):
        raise AssertionError("a cold kernel started")

    monkeypatch.setattr(kernel.SandboxProvisioner, "launch_kernel", cold_one)


def run(*sources: str) -> list[str]:
    """What each cell printed, or its error, in one kernel."""
    notebook = new_notebook(cells=[new_code_cell(textwrap.dedent(source)) for source in sources])
    client = Client()
    client.run(notebook, list(range(len(sources))), None, "f", b"")
    assert client.dead is None, client.reason
    return ["".join(output.get("text", output.get("evalue", "")) for output in cell.outputs)
            for cell in notebook.cells]


def said(source: str):
    """What a kernel found, printed as JSON."""
    (text,) = run(source)
    try:
        return json.loads(text)
    except ValueError:
        raise AssertionError(text) from None


# -- closed in -------------------------------------------------------------------------------

LOOK = """
import glob, json, os, socket
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
def tries(what):
    try: what()
    except OSError: return False
    return True
print(json.dumps({
    "user": os.getuid(),
    "capabilities": [name for name in status if name.startswith("Cap") and int(status[name], 16)],
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "rooms": os.listdir("/rooms"),
    "room": [len(glob.glob("FOLDER/cs231n-*")), len(glob.glob("FOLDER/cs231n-*/*"))],
    "environment": sorted(os.environ),
    "network": os.listdir("/sys/class/net") if os.path.exists("/sys") else sorted(
        line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line),
    "folder": os.getcwd(),
    "judges": [name for folder, _, files in os.walk(os.path.dirname(
        __import__("cs231n_utils").__file__)) for name in files if "oracle" in name],
    "written": [folder for folder in ("/", "/usr", "/etc", "/dev", "/rooms", "/proc/sys/kernel")
                if tries(lambda: open(folder + "/planted", "w"))],
    "zygote": tries(lambda: os.kill(1, 0)) and open("/proc/1/cmdline").read().split("\\0")[1],
    "looked_into_first_process": tries(lambda: open("/proc/1/mem")),
    "sockets": sum(os.readlink(f"/proc/self/fd/{n}").startswith("socket:")
                   for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "inherited": [n for n in (0, 1, 2) if os.readlink(f"/proc/self/fd/{n}") != "/dev/null"
                  and not os.readlink(f"/proc/self/fd/{n}").startswith("pipe:")],
    "namespaces": {n: os.readlink(f"/proc/self/ns/{n}") for n in ("pid", "mnt", "ipc", "net")},
}))
""".replace("FOLDER", tempfile.gettempdir())


@pytest.fixture(scope="module")
def two_at_once():
    """What two kernels see of the world, each while the other one runs."""
    meet = "import time; time.sleep(1)"
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run(LOOK, meet), range(2)))
    return [json.loads(first) for first, _ in both]


def test_a_kernel_sees_itself_and_the_first_process_of_its_namespace(two_at_once):
    for seen in two_at_once:
        assert seen["processes"] == [1, 2]
        assert seen["rooms"] == []
        assert seen["room"] == [1, 1]
        assert seen["network"] == ["lo"]
        assert not seen["looked_into_first_process"]


def test_it_has_no_privilege_and_nothing_to_write(two_at_once):
    for seen in two_at_once:
        assert seen["capabilities"] == []
        assert seen["no_new_privileges"] == "1"
        assert seen["written"] == []
        assert seen["judges"] == []
        assert seen["user"] != 0
        assert seen["inherited"] == []


def test_two_kernels_share_no_namespace(two_at_once):
    first, second = two_at_once
    for name, namespace in first["namespaces"].items():
        assert namespace != second["namespaces"][name], name
    if os.geteuid() == 0:
        assert first["user"] != second["user"]


def test_what_one_leaves_the_next_does_not_find():
    leave = """
    import os, socket, ctypes
    for folder in ("/tmp", "/home/student", "/dev/shm"):
        open(folder + "/left", "w").write("x")
    hidden = socket.socket(socket.AF_UNIX); hidden.bind("\\0left"); hidden.listen()
    print(ctypes.CDLL(None).shmget(1234, 4096, 0o1666))
    """
    find = """
    import json, os, socket, ctypes
    found = [f for f in ("/tmp", "/home/student", "/dev/shm") if os.path.exists(f + "/left")]
    try: socket.socket(socket.AF_UNIX).connect("\\0left"); found.append("socket")
    except OSError: pass
    if ctypes.CDLL(None).shmget(1234, 4096, 0o666) >= 0: found.append("memory")
    print(json.dumps(found))
    """
    with ThreadPoolExecutor(2) as pool:
        leaving = pool.submit(run, leave, "import time; time.sleep(2)")
        time.sleep(1)
        assert said(find) == []
        assert int(leaving.result()[0]) >= 0


def test_signals_reach_nobody_else():
    zygote = warm.zygote_for(())
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(run, "import time; time.sleep(2); print('there')")
        time.sleep(0.5)
        run("""
        import os, signal
        for number in (1, -1):
            try: os.kill(number, signal.SIGKILL)
            except OSError: pass
        """)
        assert other.result() == ["there\n"]
    assert zygote.lives


def test_a_child_that_is_not_closed_in_is_no_kernel(monkeypatch, tmp_path):
    script = Path(warm.zygote.__file__).read_text()
    line = "    _drop_capabilities()\n"
    assert line in script
    changed = tmp_path / "zygote.py"  # it is bound into the sandbox by who may read all
    changed.write_text(script.replace(line, "").replace(
        '        os.setresuid(*[request["user"]] * 3)\n', ""))
    warm.close()
    monkeypatch.setattr(warm.zygote, "__file__", str(changed))
    zygote = warm.zygote_for(())
    with sandbox.open_room(sandbox.Kind.BUBBLEWRAP) as room, \
            pytest.raises(NoWarmKernelError, match="privileges are left"):
        zygote.fork(room, [])
    warm.close()


# -- right in the fork -----------------------------------------------------------------------


def zygote_itself(zygote) -> int:
    """Its process below those of the sandbox, while no kernel runs or with the kernels' below."""
    below = sandbox.usage(zygote.process.pid).processes
    return next(pid for pid in below if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1]
                == b"/zygote.py")


def test_the_zygote_has_one_thread():
    pid = zygote_itself(warm.zygote_for(()))
    assert len(os.listdir(f"/proc/{pid}/task")) == 1


def test_each_kernel_has_random_numbers_of_its_own():
    draw = """
    import json, random, numpy, torch
    print(json.dumps([random.random(), numpy.random.rand(), torch.rand(1).item()]))
    """
    first, second = said(draw), said(draw)
    assert all(one != other for one, other in zip(first, second, strict=True))


def test_gradients_convolutions_threads_and_pictures_work(only_warm):
    notebook = new_notebook(cells=[new_code_cell(textwrap.dedent("""
    import torch, matplotlib.pyplot as plt
    x = torch.ones(2, 3, 32, 32, requires_grad=True)
    layer = torch.nn.Conv2d(3, 4, 3)
    (layer(x) ** 2).sum().backward()
    torch.set_num_threads(2)
    many = torch.randn(600, 600); (many @ many).sum()
    print(tuple(x.grad.shape), bool(x.grad.abs().sum() > 0), torch.get_num_threads())
    plt.plot([1, 2]); plt.show()
    """))])
    Client().run(notebook, [0], None, "f", b"")
    text, picture = notebook.cells[0].outputs
    assert text.text == "(2, 3, 32, 32) True 2\n"
    assert picture.data["image/png"]


SAME = """
import json, os, sys, matplotlib, resource
import torchvision  # which has torch set a variable
print(json.dumps({
    "path": sys.path, "folder": os.getcwd(), "arguments": sys.argv[2:3], "name": __name__,
    "environment": dict(os.environ), "backend": matplotlib.get_backend(),
    "umask": os.umask(0o22), "parent": os.getppid(), "flags": str(sys.flags),
    "limits": [resource.getrlimit(n) for n in range(16) if n != resource.RLIMIT_NPROC],
    "signals": [line for line in open("/proc/self/status") if line[:6] in ("SigBlk", "SigIgn")],
    "groups": os.getgroups(), "recursion": sys.getrecursionlimit(),
    "collector": __import__("gc").isenabled(), "threads": __import__("torch").get_num_threads(),
    "settings": {name: str(value) for name, value in matplotlib.rcParams.items()},
}))
"""


def test_it_is_like_a_cold_kernel(cold, monkeypatch):
    seen = []
    for forking in (warm.fork, kernel.fork):
        monkeypatch.setattr(kernel, "fork", forking)
        seen.append(said(SAME))
        seen[-1]["arguments"] = [Path(word).name for word in seen[-1]["arguments"]]
    for name, value in seen[1].items():
        assert seen[0][name] == value, name


@pytest.mark.parametrize("exercise", ["saliency_maps"])
def test_marks_are_the_same_warm_and_cold(exercise, monkeypatch):
    from cs231n_utils import exercises
    from cs231n_utils.grading.course import FUNCTIONS
    from cs231n_utils.grading.execute import needed_for_marks
    from cs231n_utils.grading.submission import is_check, read_notebook

    examiner = Examiner(lambda _: 5, "run", exercises)
    notebook = read_notebook(SOLUTIONS / f"{exercise}.ipynb")
    check = next(i for i, cell in enumerate(notebook.cells) if is_check(cell))
    order = sorted(needed_for_marks(notebook, frozenset()))

    def verdict():
        client = Client()
        raw = client.run(notebook, order, check, FUNCTIONS[exercise], examiner.questions(exercise))
        answer = unpack_answer(raw, examiner.probes(exercise))
        return raw, examiner.judge(exercise, answer).points

    forked = verdict()
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "fork", _no_fork)
        started = verdict()
    assert forked[1] == started[1] == 10.0
    assert forked[0] == started[0]  # bit for bit


def _no_fork(*_):
    raise NoWarmKernelError("this test wants a cold one")


def test_where_there_is_no_warm_kernel_a_cold_one_serves_and_the_log_says_so(cold, caplog):
    kernel._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert run("print(6 * 7)") == ["42\n"]
    assert "this test wants a cold one" in caplog.text


# -- gone in the end -------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_until_gone(pids, seconds: float = 10.0) -> list[int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.02)
    return [pid for pid in pids if alive(pid)]


def test_a_zygote_that_was_killed_is_replaced(only_warm):
    before = warm.zygote_for(())
    os.kill(before.process.pid, signal.SIGKILL)
    assert run("print(1)") == ["1\n"]
    assert warm.zygote_for(()) is not before


def files(pid: int) -> set[str]:
    """The pipes, sockets and files that a process holds open."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # what lists them is one of them
            found.add(os.readlink(path))
    return {name for name in found if name.startswith(("pipe:", "socket:", "/")) and name not in
            ("/dev/null", "/dev/urandom")}


def test_a_kernel_that_was_killed_leaves_nothing():
    zygote = warm.zygote_for(())
    with sandbox.open_room(sandbox.Kind.BUBBLEWRAP) as room:
        manager = kernel.make_manager(room, sandbox.Kind.BUBBLEWRAP, 60.0)
        with kernel.ended_with_all(manager):
            asyncio.run(manager.start_kernel())
            process = kernel.watch_of(manager).process
            below = sandbox.usage(process.pid).processes
            assert len(below) == 2
            assert not files(below[1]) & (files(os.getpid()) | files(zygote_itself(zygote)))
            process.kill()
            process.wait(5)
            assert wait_until_gone(below) == []
    assert not room.folder.exists()
    assert sandbox.usage(zygote.process.pid).processes
    mounts = Path(f"/proc/{os.getpid()}/mounts").read_text()
    assert str(room.folder) not in mounts


GRADER = """
import os, sys, threading, time
from cs231n_utils.grading import sandbox, warm
from cs231n_utils.grading.client import Client
from nbformat.v4 import new_code_cell, new_notebook

def grade():
    notebook = new_notebook(cells=[new_code_cell("import time; time.sleep(600)")])
    Client().run(notebook, [0], None, "f", b"")

# As a worker does it: the kernel's zygote is asked for by a thread that ends.
first = threading.Thread(target=warm.zygote_for, args=((),)); first.start(); first.join()
threading.Thread(target=grade, daemon=True).start()
while True:
    below = sandbox.usage(os.getpid()).processes
    if len(below) >= 6: break
    time.sleep(0.05)
print(sandbox.rooms_folder(), *below, flush=True)
time.sleep(600)
"""


@pytest.fixture
def grader():
    process = subprocess.Popen([sys.executable, "-c", GRADER], stdout=subprocess.PIPE, text=True)
    folder, *below = process.stdout.readline().split()
    yield process, Path(folder), [int(pid) for pid in below]
    process.kill()
    process.wait()
    process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_grader_that_was_killed_leaves_no_process(grader):
    process, folder, below = grader
    assert all(map(alive, below))
    process.kill()
    process.wait()
    assert wait_until_gone(below) == []
    subprocess.run([sys.executable, "-c", "from cs231n_utils.grading.sandbox import rooms_folder\n"
                    "rooms_folder()"], check=True)  # the next grader
    assert not folder.exists()


def test_threads_that_ask_at_once_get_one_folder(monkeypatch):
    slow = sandbox._remove_unused
    monkeypatch.setattr(sandbox, "_remove_unused", lambda p: (time.sleep(0.1), slow(p)))
    monkeypatch.setattr(sandbox, "_folders_of", {})
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: sandbox.rooms_folder(), range(4)))
    assert len(folders) == 1
    sandbox.remove_rooms_folder(folders.pop(), os.getpid())


# -- as somebody else ------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="is run by root only")
def test_all_of_this_holds_for_an_ordinary_user():
    """Root's home may be closed to others and hold the interpreter: it is shown to them here."""
    shown = [Path(sys.base_prefix), Path(sys.prefix), Path(__file__).resolve().parents[2]]
    hidden = [path for path in shown if path.is_relative_to("/root")]
    view = [word for path in hidden for word in (
        *sandbox._folders(path), "--ro-bind", str(path), str(path))]
    if view:
        view = ["--perms", "0755", "--tmpfs", "/root", *view]
    home = Path(tempfile.mkdtemp(prefix="user-"))
    os.chown(home, 65_500, 65_500)
    try:
        done = run_as_user(view, home)
    finally:
        shutil.rmtree(home)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    assert " passed" in done.stdout


def run_as_user(view: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).resolve()
    return subprocess.run(
        ["bwrap", "--cap-add", "ALL", "--dev-bind", "/", "/", *view, "--",
         "setpriv", "--reuid", "65500", "--regid", "65500", "--clear-groups",
         sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider",
         f"--basetemp={home}/t", str(here)],
        env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, cwd=here.parents[2], check=False, timeout=600,
    )
