"""Warm kernels: forked in milliseconds from a process that has imported what notebooks import.

`zygote` is that process's side. Here is who starts it, one for each grader, and asks it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from cs231n_utils.grading import zygote
from cs231n_utils.grading.sandbox import (
    Room,
    bubblewrap_zygote,
    covered,
    remove_rooms_folder,
    rlimits,
    rooms_folder,
)

START_SECONDS, FORK_SECONDS = 120.0, 60.0
"""How long a zygote may take to import everything, and a forked kernel to be ready."""


class NoWarmKernelError(Exception):
    """A kernel can't be had this way on this machine; the message says why."""


class ForkedProcess:
    """A process that is no child of this one, with as much of `subprocess.Popen` as it takes.

    It is known by a descriptor, so a signal can't reach another that got its number.
    """

    stdin = stdout = stderr = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.pid = _number(descriptor)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it runs, -9 when it has ended: how, only its parent learns."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and with it the end of all that it started.

        Raises
        ------
        subprocess.TimeoutExpired
            If it still runs after ``timeout`` seconds.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return code

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            look = select.poll()
            look.register(self._descriptor, select.POLLIN)
            if look.poll(None if seconds is None else 1_000 * seconds):
                self.returncode = -signal.SIGKILL
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it, and with it all processes in its namespace."""
        self.send_signal(signal.SIGKILL)

    terminate = kill

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def _number(descriptor: int) -> int:
    """A process's number as this process sees it."""
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pid:")).split()[1])


class Zygote:
    """The process that kernels are forked from, as its grader sees it."""

    def __init__(self, rooms: Path, hidden: tuple[Path, ...]) -> None:
        self.rooms, self.hidden = rooms, hidden
        self._asked, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process: subprocess.Popen[bytes] | None = None
        self.problem = ""
        self._ready = threading.Event()
        # It is killed when the thread that started it ends, so that is one which stays.
        self._keeper = threading.Thread(target=self._keep, name="zygote", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        """Start the process, see that it is ready, and stay until it ends."""
        script = Path(zygote.__file__)
        command = bubblewrap_zygote(self.rooms, [sys.executable, f"/{script.name}"], script,
                                    self.hidden)
        try:
            self.process = subprocess.Popen(
                command, stdin=self._theirs.fileno(), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"]}, cwd="/",
            )
            self._theirs.close()
            self._asked.settimeout(START_SECONDS)
            first = self._asked.recv(1_000)
            threads = json.loads(first)["threads"] if first else 0
            if threads > 1:
                self.problem = f"it has {threads} threads after its imports"
            elif not first:
                self.problem = self._last_words()
        except (OSError, ValueError) as error:
            self.problem = f"{type(error).__name__}: {error}"
        self._asked.settimeout(FORK_SECONDS)
        if self.problem:
            self.close()
        self._ready.set()
        if self.process is not None:
            self._last_words()
            self.process.wait()

    def _last_words(self) -> str:
        """What it said on its error stream, when it has ended."""
        assert self.process is not None
        assert self.process.stderr is not None
        if self.process.stderr.closed:
            return ""
        with self.process.stderr as stream:
            said = stream.read().decode("utf-8", "replace").strip().splitlines()
        return said[-1][:300] if said else "it ended without a word"

    @property
    def lives(self) -> bool:
        """Can it be asked?"""
        self._ready.wait(START_SECONDS)
        return not self.problem and self.process is not None and self.process.poll() is None

    def fork(self, room: Room, arguments: list[str]) -> ForkedProcess:
        """Fork a kernel in a room; it is there to be connected to when this returns.

        Raises
        ------
        NoWarmKernelError
            If none came of it.
        """
        request = {
            "arguments": arguments,
            "folder": str(room.folder),
            "own_user": room.user is not None,
            "user": room.user if room.user is not None else os.geteuid(),
            "group": room.user if room.user is not None else os.getegid(),
            "limits": rlimits(room.limits, room.user),
            "scratch": room.limits.scratch,
        }
        told, teller = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told.settimeout(FORK_SECONDS)
        process = None
        try:
            with told:
                with teller:
                    socket.send_fds(self._asked, [json.dumps(request).encode()],
                                    [teller.fileno()])
                said, descriptors, _, _ = socket.recv_fds(told, 1_000, 1)
                if said == b"forked":
                    process = ForkedProcess(descriptors[0])
                    said = told.recv(1_000)
        except OSError as error:
            said = f"{type(error).__name__}: {error}".encode()
        if process is not None and said == b"ready":
            return process
        if process is not None:
            process.kill()
        if not said and self.process is not None:  # it died, or is about to be seen dead
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        raise NoWarmKernelError(said.decode("utf-8", "replace") or "it ended without a word")

    def close(self) -> None:
        """End it, and all kernels that were forked from it."""
        with contextlib.suppress(OSError):
            self._asked.shutdown(socket.SHUT_RDWR)
        if self.process is not None:
            self.process.kill()
            self.process.wait()


# -- one for each grader ---------------------------------------------------------------------

MAX_FAILURES = 3
"""How many zygotes may die before they were ready; then this process asks for no more."""

_zygotes: dict[tuple[int, Path, tuple[Path, ...]], Zygote] = {}
_failures: list[str] = []
_lock = threading.Lock()


def zygote_for(hidden: tuple[Path, ...]) -> Zygote:
    """This process's zygote, started or replaced if need be.

    Raises
    ------
    NoWarmKernelError
        If none can be had.
    """
    with _lock:
        key = os.getpid(), rooms_folder(), covered(hidden)
        found = _zygotes.get(key)
        if found is not None and found.lives:
            return found
        if len(_failures) >= MAX_FAILURES:
            raise NoWarmKernelError(_failures[-1])
        if not _zygotes:
            atexit.register(close, os.getpid())
        found = _zygotes[key] = Zygote(rooms_folder(), key[2])
        if not found.lives:
            _failures.append(found.problem or "it ended at once")
            raise NoWarmKernelError(_failures[-1])
        return found


def fork(room: Room, arguments: list[str], hidden: tuple[Path, ...]) -> ForkedProcess:
    """Fork a kernel in a room, ready to be connected to; with a new zygote where one has died.

    Raises
    ------
    NoWarmKernelError
        If none came of it.
    """
    for _ in range(3):
        asked = zygote_for(hidden)
        try:
            return asked.fork(room, arguments)
        except NoWarmKernelError as error:
            if asked.lives:
                raise
            last = error
    raise last


def close(owner: int | None = None) -> None:
    """End all zygotes of this process, and remove their rooms' folder."""
    if owner is not None and owner != os.getpid():
        return
    with _lock:
        for (pid, rooms, _), each in list(_zygotes.items()):
            if pid == os.getpid():
                each.close()
                remove_rooms_folder(rooms, pid)
        _zygotes.clear()
