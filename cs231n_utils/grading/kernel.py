"""A Jupyter kernel in the sandbox: a provisioner, which is jupyter_client's place for it.

The kernel talks through sockets in its room's folder, so that it needs no network, and is watched
from outside: what no limit inside can hold (memory of all its processes together, files made in the
shared folder, the notebook's whole time) ends it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
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
from cs231n_utils.grading.warm import NoWarmKernelError, fork

_log = logging.getLogger(__name__)

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
        self.begin_watch()
        return info

    def begin_watch(self) -> None:
        """Watch the process from now on."""
        self.watch = Watch(self, self.seconds)
        self.watch.start()

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and see it ended; the manager would look a tenth of a second later."""
        await super().kill(restart=restart)
        end = time.monotonic() + 5.0
        while self.process is not None and self.process.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.001)

    async def cleanup(self, restart: bool = False) -> None:
        """Look no longer."""
        if self.watch is not None:
            self.watch.stop()
        await super().cleanup(restart=restart)


@cache
def _say_once(message: str) -> None:
    _log.warning(message)


class WarmProvisioner(SandboxProvisioner):
    """Starts a kernel that has its imports behind it; a cold one where there is none."""

    async def launch_kernel(self, cmd: list[str], **settings: Any) -> Any:
        """Fork a kernel in the sandbox; ``cmd`` is what would start a cold one."""
        assert self.parent is not None
        if self.room.user is not None:
            os.chown(self.parent.connection_file, self.room.user, self.room.user)
        try:
            process = fork(self.room, cmd[3:], self.hidden)
        except NoWarmKernelError as error:
            _say_once(f"No warm kernel, so cold ones, which take seconds to start: {error}")
            return await super().launch_kernel(cmd, **settings)
        self.process = process  # type: ignore[assignment]  # it has what is needed of Popen
        self.pid, self.pgid = process.pid, None
        self.begin_watch()
        return self.connection_info


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


class PromptClient(AsyncKernelClient):
    """Knows at once when a kernel is ready, where the original waits fifths of a second.

    It asks for no heartbeat and no input: the process itself is watched, and nobody types.
    """

    def start_channels(self, shell: bool = True, iopub: bool = True, stdin: bool = False,
                       hb: bool = False, control: bool = True) -> None:
        """Connect."""
        super().start_channels(shell, iopub, stdin, hb, control)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Return when the kernel has answered a question and its messages come through.

        Raises
        ------
        RuntimeError
            If it has died, or hasn't within ``timeout`` seconds.
        """
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while time.monotonic() < end:
            if await self._answers(self.kernel_info()):
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it was ready")
        raise RuntimeError(f"the kernel was not ready within {timeout:g} seconds")

    async def _answers(self, question: str) -> bool:
        """Have the answer to a question and the end of its handling been heard?"""
        try:
            reply = await _about(question, self.get_shell_msg, 1.0)
            status = await _about(question, self.get_iopub_msg, 0.1)
            while status["content"].get("execution_state") != "idle":
                status = await _about(question, self.get_iopub_msg, 0.1)
        except Empty:
            return False
        self._handle_kernel_info_reply(reply)
        return True


async def _about(question: str, get: Callable[..., Any], patience: float) -> Any:
    """The next message about a question; `Empty` where none comes."""
    while True:
        message = await get(timeout=patience)
        if message["parent_header"].get("msg_id") == question:
            return message


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
        client_factory=PromptClient,
    )
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="sandbox",
        language="python",
        interrupt_mode="message",  # a signal would reach bubblewrap, not the kernel
    )
    make = WarmProvisioner if kind is Kind.BUBBLEWRAP else SandboxProvisioner
    provisioner = make(kernel_id="sandbox", kernel_spec=manager._kernel_spec,
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
