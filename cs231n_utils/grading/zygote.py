"""The process that warm kernels are forked from. It runs inside the sandbox, as a script.

It imports what every notebook imports, once, and computes nothing: it has one thread, no tensor, no
secret and no way to the course. For each request on its socket (standard input) it forks a kernel
into namespaces of its own: processes, mounts, shared memory, network. The child closes itself in
before any student's code is there, checks that it is closed in, and says so on a socket of its own:
first its process, then "ready" when the kernel's sockets are there to be connected to.

Nothing of the grader can be imported here; `warm` is the side that asks.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import json
import os
import random
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ROOMS = "/rooms"
"""Where the sandbox shows all rooms of this grader: to the zygote, and to no kernel."""

IMPORTS = (
    # the kernel, and what it would import when it starts or runs its first cell
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger",
    "ipykernel_launcher", "IPython.core.completerlib", "IPython.core.debugger",
    "IPython.core.logger", "IPython.core.magics", "IPython.core.oinspect",
    "IPython.extensions.storemagic", "IPython.utils.wildcard",
    "pdb", "sqlite3", "tornado.locks", "tornado.platform.asyncio", "tornado.queues", "zmq.asyncio",
    "zmq.eventloop.zmqstream", "zmq.utils.garbage",
    # the notebooks
    "captum.attr", "matplotlib.backends.backend_agg", "matplotlib.pyplot", "numpy.random",
    "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin", "PIL.WebPImagePlugin", "safetensors.torch", "scipy.ndimage", "torch",
    "torchvision", "torchvision.models",
    # the lab's own
    "cs231n_utils.data", "cs231n_utils.images", "cs231n_utils.models", "cs231n_utils.plots",
    "cs231n_utils.scores", "cs231n_utils.unwritten", "cs231n_utils.exercises",
    "cs231n_utils.exercises.transport",
)  # fmt: skip

# From the kernel's headers: sched.h, mount.h, prctl.h, capability.h.
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x0002_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
_DETACH = 2
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 1, 4, 24, 38, 47, 4
_CAPABILITIES_VERSION = 0x2008_0522
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: Any) -> None:
    """Call the C library.

    Raises
    ------
    OSError
        If the system says no.
    """
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{args}: {os.strerror(number)}")


def _prctl(option: int, value: int = 0) -> None:
    unused = ctypes.c_ulong(0)
    _call("prctl", option, ctypes.c_ulong(value), unused, unused, unused)


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [word.encode() or None for word in (source, target, kind)]
    _call("mount", *words, ctypes.c_ulong(flags), data.encode() or None)


# -- the zygote ------------------------------------------------------------------------------


def main() -> NoReturn:
    """Import, say so, and fork for whoever asks, until nobody can ask any more."""
    asked = socket.socket(fileno=os.dup(0))
    _nothing_on(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an instructor's Ctrl-C is the grader's matter
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children need nobody to wait for them
    _import()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    gc.collect()
    gc.freeze()  # else a child's first collection writes to, and so copies, all there is
    asked.send(json.dumps({"threads": len(os.listdir("/proc/self/task"))}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, 65_536, 1)
        if not message:
            os._exit(0)
        teller = socket.socket(fileno=descriptors[0])
        try:
            _call("unshare", _NEWPID)
            child = os.fork()
            if child == 0:
                asked.close()
                _become_kernel(json.loads(message), teller)
            _call("setns", own, _NEWPID)
        except OSError as error:
            teller.send(str(error).encode())
        teller.close()


def _nothing_on(*descriptors: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in descriptors:
        os.dup2(nothing, each)
    os.close(nothing)


def _import() -> None:
    """Import what notebooks import; what isn't installed, a notebook would miss by itself."""
    # As a kernel does when it starts; what is imported before it would else choose another.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    del sys.path[0]  # this script's folder, which no cold kernel has
    for name in IMPORTS:
        with suppress(ImportError):
            importlib.import_module(name)


# -- the child -------------------------------------------------------------------------------


def _become_kernel(request: dict[str, Any], teller: socket.socket) -> NoReturn:
    """Close this process in, fork the kernel below it, and stay as its first process.

    As in any sandbox the first process takes in orphans and ends with the kernel; when it ends,
    everything in its namespace does.
    """
    try:
        _close_in(request, teller)
        _prctl(_DUMPABLE, 0)  # nothing below may look into this process
        socket.send_fds(teller, [b"forked"], [os.pidfd_open(os.getpid())])
        kernel = os.fork()
        if kernel == 0:
            _run(request["arguments"], teller)
    except BaseException as error:
        teller.send(f"{type(error).__name__}: {error}".encode()[:1000])
        os._exit(1)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    while True:
        with suppress(InterruptedError):
            ended, status = os.wait()
            if ended == kernel:
                os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _close_in(request: dict[str, Any], teller: socket.socket) -> None:
    """Everything that keeps this kernel to itself.

    Raises
    ------
    OSError
        If a part of it can't be had.
    RuntimeError
        If a part of it doesn't hold.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    _nothing_on(0, 1, 2)  # the grader reads what the zygote says, and nothing that a student does
    os.closerange(3, teller.fileno())
    os.closerange(teller.fileno() + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _call("unshare", _NEWNS | _NEWIPC | _NEWNET)
    _furnish(request)
    _loopback_up()
    os.chdir(os.environ["HOME"])
    if request["own_user"]:
        _drop_bounding()
        os.setgroups([])
        os.setresgid(*[request["user"]] * 3)
        os.setresuid(*[request["user"]] * 3)
    else:
        _nest(request["user"], request["group"])
        _drop_bounding()
    _drop_capabilities()
    _prctl(_NO_NEW_PRIVS, 1)
    _prctl(_PDEATHSIG, signal.SIGKILL)  # not before: a change of user takes it back
    for name, value in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    _check(request["user"])


def _furnish(request: dict[str, Any]) -> None:
    """Mounts of the kernel's own: processes, terminals, empty folders, and its room."""
    home, folder = os.environ["HOME"], Path(request["folder"])
    fonts = {path: path.read_bytes() for path in Path(home, "matplotlib").glob("*.json")}
    _mount("", "/", "", _REC | _PRIVATE)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    if request["own_user"]:  # in a user namespace these are nobody's to write
        for name in ("sys", "sysrq-trigger", "irq", "bus"):
            with suppress(FileNotFoundError):
                _bind(f"/proc/{name}", f"/proc/{name}", _NOSUID | _NODEV | _NOEXEC | _RDONLY)
    _mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC,
           "newinstance,ptmxmode=0666,mode=620")
    for place in ("/tmp", home, "/dev/shm"):
        _mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={request['scratch']}")
    for path, content in fonts.items():
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o1777)
        path.write_bytes(content)
    os.makedirs(folder.parent, mode=0o755, exist_ok=True)
    _mount("tmpfs", str(folder.parent), "tmpfs", _NOSUID | _NODEV, "mode=755,size=65536")
    folder.mkdir()
    (folder / "answer").touch()
    for name, flags in (("in", _RDONLY), ("s", 0), ("answer", 0)):
        if name != "answer":
            (folder / name).mkdir()
        _bind(f"{ROOMS}/{folder.name}/{name}", str(folder / name), flags | _NOSUID | _NODEV)
    _mount("", str(folder.parent), "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    _call("umount2", ROOMS.encode(), _DETACH)


def _bind(source: str, target: str, flags: int) -> None:
    _mount(source, target, "", _BIND)
    _mount("", target, "", _REMOUNT | _BIND | flags)


def _loopback_up() -> None:
    """Bring up the new network's own address: the kernel reads subprocesses' output through it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _nest(user: int, group: int) -> None:
    """Enter a user namespace below the one that the mounts belong to, as the grader's own user.

    So the mounts can't be undone from here, and the last line says that it is the innermost.
    """
    _call("unshare", _NEWUSER)
    with suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} 0 1")
    Path("/proc/self/gid_map").write_text(f"{group} 0 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def _drop_bounding() -> None:
    for number in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        _prctl(_CAPBSET_DROP, number)


def _drop_capabilities() -> None:
    with suppress(OSError):
        _call("prctl", _AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    _call("capset", header, bytes(24))


def _check(user: int) -> None:
    """Look whether it holds: what the system says about this process, not what was asked for."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().split("\n")
                  if ":\t" in line)
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
            if int(status[name], 16)]
    if held or status["NoNewPrivs"] != "1" or set(status["Uid"].split()) != {str(user)}:
        raise RuntimeError(f"privileges are left: {held}, user {status['Uid']}")
    if os.getpid() != 1 or os.listdir(ROOMS):
        raise RuntimeError("other processes or rooms are in sight")


# -- the kernel ------------------------------------------------------------------------------


def _run(arguments: list[str], teller: socket.socket) -> NoReturn:
    """Be an IPython kernel, as `python -m ipykernel_launcher` would be."""
    _prctl(_DUMPABLE, 1)  # as after a program's start; else its own /proc/self is closed to it
    _reseed()
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [str(importlib.import_module("ipykernel_launcher").__file__), *arguments]
    app = IPKernelApp.instance()
    app.initialize(arguments)
    teller.send(b"ready")
    teller.close()
    code = 0
    try:
        app.start()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    finally:
        os._exit(code)


def _reseed() -> None:
    """Random numbers of this kernel's own, where every fork would begin with the same."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)


if __name__ == "__main__":
    main()
