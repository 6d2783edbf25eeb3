"""A Jupyter kernel in the sandbox: a provisioner, which is jupyter_client's place for it.

The kernel talks through sockets in its room's folder, so that it needs no network, and is watched
from outside: what no limit inside can hold (memory of all its processes together, files made in the
shared folder, the notebook's whole time) ends it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from zmq.asyncio import Context

from cs231n_utils.grading.results import Status
from cs231n_utils.grading.sandbox import (
    Kind,
    Room,
    Usage,
    bubblewrap,
    environment,
    launcher,
    unexpected,
    usage,
)

MAX_MESSAGE, MAX_WAITING = 32_000_000, 50
"""Bytes of one message from a kernel, and how many of them may wait to be read."""

_LOOK_EVERY = 0.2


class SandboxProvisioner(LocalProvisioner):
    """Starts a kernel in a room, without this process's environment, and watches it."""

    room: Room
    kind: Kind
    hidden: tuple[Path, ...] = ()
    seconds: float = 600.0
    watch: Watch | None = None

    async def launch_kernel(self, cmd: list[str], **settings: Any) -> Any:
        """Start the command in the sandbox."""
        assert self.parent is not None
        if self.room.user is not None:
            os.chown(self.parent.connection_file, self.room.user, self.room.user)
        home = self.room.folder / "home"
        if self.kind is Kind.BUBBLEWRAP:
            command = bubblewrap(self.room, cmd, self.hidden)
        else:
            home.mkdir(exist_ok=True)
            command = [*launcher(self.room.limits, None), *cmd]
        settings |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        settings["env"] = environment(str(home))
        settings["cwd"] = str(home if self.kind is Kind.NONE else self.room.folder)
        info = await super().launch_kernel(command, **settings)
        self.watch = Watch(self, self.seconds)
        self.watch.start()
        return info

    async def cleanup(self, restart: bool = False) -> None:
        """Look no longer."""
        if self.watch is not None:
            self.watch.stop()
        await super().cleanup(restart=restart)


@dataclass(frozen=True)
class Ended:
    """Why the watch ended a kernel."""

    status: Status
    reason: str


class Watch(threading.Thread):
    """Looks at a kernel from outside, several times a second, and ends it where it goes too far."""

    def __init__(self, provisioner: SandboxProvisioner, seconds: float) -> None:
        super().__init__(name="watch", daemon=True)
        assert provisioner.process is not None
        self.process: subprocess.Popen[bytes] = provisioner.process
        self.pid = self.process.pid
        self.room = provisioner.room
        self.own_folder = provisioner.kind is Kind.BUBBLEWRAP
        self.seconds = seconds
        self.ended: Ended | None = None
        self.below: set[int] = set()
        self.done = threading.Event()

    def run(self) -> None:
        """Look until the kernel has ended or may go on no longer."""
        end = time.monotonic() + self.seconds
        while not self.done.wait(_LOOK_EVERY):
            self.ended = self._look(time.monotonic() > end)
            if self.ended is not None:
                self.process.kill()
                return

    def _look(self, late: bool) -> Ended | None:
        if late:
            return Ended(Status.TIMED_OUT, f"no end within {self.seconds:g} seconds in all")
        used = self.note()
        if used.resident > self.room.limits.resident:
            size = self.room.limits.resident / 1e9
            return Ended(Status.OUT_OF_MEMORY, f"it needs more than {size:g} GB of memory")
        if self.own_folder and unexpected(self.room):
            return Ended(Status.CRASHED, "it writes files where the kernel keeps its sockets")
        return None

    def note(self) -> Usage:
        """Note which processes there are, to know whether they are gone in the end."""
        used = usage(self.pid)
        self.below.update(used.processes)
        return used

    def stop(self) -> None:
        """Look no longer."""
        self.done.set()


def make_manager(
    room: Room, kind: Kind, seconds: float, hidden: tuple[Path, ...] = ()
) -> AsyncKernelManager:
    """A manager, not yet started, of an IPython kernel in a room.

    Which kernel that is, is no matter of the notebook's metadata, which a student could edit.
    ``seconds`` is how long it may run in all.
    """
    context = Context()  # it hands its options on to its sockets
    context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
    context.setsockopt(zmq.RCVHWM, MAX_WAITING)
    context.setsockopt(zmq.LINGER, 0)
    manager = AsyncKernelManager(
        transport="ipc",
        ip=str(room.sockets / "k"),
        connection_file=str(room.inbox / "connection.json"),
        kernel_name="python3",
        context=context,
    )
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="sandbox",
        language="python",
        interrupt_mode="message",  # a signal would reach bubblewrap, not the kernel
    )
    provisioner = SandboxProvisioner(kernel_id="sandbox", kernel_spec=manager._kernel_spec,
                                     parent=manager)
    provisioner.room, provisioner.kind = room, kind
    provisioner.hidden, provisioner.seconds = hidden, seconds
    manager.provisioner = provisioner
    return manager


def _provisioner(manager: AsyncKernelManager) -> SandboxProvisioner:
    assert isinstance(manager.provisioner, SandboxProvisioner)
    return manager.provisioner


def watch_of(manager: AsyncKernelManager) -> Watch:
    """Who watches a started kernel."""
    watch = _provisioner(manager).watch
    assert watch is not None
    return watch


def settle_in(manager: AsyncKernelManager) -> None:
    """Close the sockets' folder for the room's user, once the kernel has its sockets in it."""
    room = _provisioner(manager).room
    if room.user is not None:
        os.chown(room.sockets, 0, 0)


@contextmanager
def ended_with_all(manager: AsyncKernelManager) -> Iterator[None]:
    """Make sure that nothing which a kernel started is left when this ends."""
    try:
        yield
    finally:
        provisioner = _provisioner(manager)
        if provisioner.watch is not None:
            provisioner.watch.stop()
        end_all(provisioner.watch)
        manager.context.destroy(linger=0)


def end_all(watch: Watch | None, patience: float = 5.0) -> None:
    """Kill a kernel and all below it; return when they are gone."""
    if watch is None:
        return
    watch.note()
    watch.process.kill()
    watch.process.wait()
    for pid in watch.below - {watch.pid}:
        if not watch.own_folder:  # without a sandbox nobody else ends them
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + patience
    while time.monotonic() < end and any(os.path.exists(f"/proc/{pid}") for pid in watch.below):
        time.sleep(0.005)
