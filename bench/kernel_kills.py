"""Kernels started and killed at random moments, graders killed too: what is left of them?

`python -m bench.kernel_kills 500` starts 500 kernels one after the other and ends each at a moment
of its own: while it starts, while it computes, by any of the ways there are. Then it kills some
graders in the middle of that. Nothing may be left: no process, socket, mount, open file or
temporary file; the files of a killed grader at the latest when the next one starts. Exits with 1
if anything is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cs231n_utils.grading.kernel import ended_with_all, make_manager
from cs231n_utils.grading.sandbox import Kind, open_room, require, usage

LONGEST = 4.0
"""Seconds within which a kernel is ended; a cold one is ready after about 3."""

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans become this process's children, and are seen
_BUSY = "import threading, subprocess, torch; subprocess.Popen(['sleep', '1000']); torch.rand(9)"


async def start_and_kill(moment: float, way: str) -> None:
    """Start one kernel and end it after so many seconds."""
    with open_room(Kind.BUBBLEWRAP) as room:
        manager = make_manager(room, Kind.BUBBLEWRAP, 60.0)
        with ended_with_all(manager):
            starting = asyncio.ensure_future(manager.start_kernel())
            if way == "while it starts":
                await asyncio.sleep(moment / 100)
                starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
                client = manager.client()
                client.start_channels()
                client.execute(_BUSY)
                await asyncio.sleep(moment)
                if way == "shut down":
                    await manager.shutdown_kernel(now=True)
                elif way == "killed" and manager.provisioner is not None:
                    await manager.provisioner.kill()
                client.stop_channels()


def work(kernels: int, seed: int) -> None:
    """Kernels one after the other, in this process."""
    choose = random.Random(seed)
    opened = []
    for _ in range(kernels):
        way = choose.choice(("left", "shut down", "killed", "while it starts"))
        asyncio.run(start_and_kill(choose.uniform(0, LONGEST), way))
        gc.collect()  # closed sockets and loops are in cycles
        opened.append(len(os.listdir("/proc/self/fd")))
    if opened[-1] > max(opened[:5]) + 2:
        sys.exit(f"open files: {opened[0]} after the first kernel, {opened[-1]} in the end")


def below() -> list[str]:
    """The processes that are left below this one."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return [_described(pid) for pid in usage(os.getpid()).processes if pid != os.getpid()]


def _described(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        status = Path(f"/proc/{pid}/status").read_text()
        return f"process {pid} {status.split('State:')[1].split()[0]} {words[:60]}"
    except (OSError, IndexError):
        return f"process {pid}"


def left(folder: Path, mounts: str, files: bool = True) -> list[str]:
    """What is left: processes, after a moment's grace, sockets, mounts and files."""
    end = time.monotonic() + 10
    while below() and time.monotonic() < end:
        time.sleep(0.05)
    found = below()
    if files:
        found += [str(path) for path in folder.rglob("*")]
    found += [line for line in Path("/proc/net/unix").read_text().splitlines()
              if str(folder) in line]
    if Path("/proc/self/mountinfo").read_text() != mounts:
        found.append("other mounts than before")
    return found


def worker(kernels: int, seed: int, folder: Path) -> subprocess.Popen[bytes]:
    """A grader's process with its temporary files in a folder."""
    command = [sys.executable, "-m", __spec__.name, str(kernels), "--work", str(seed)]
    return subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)})


def main() -> int:
    """Start, kill, look."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernel_kills", description=__doc__)
    parser.add_argument("kernels", nargs="?", type=int, default=500)
    parser.add_argument("--graders", type=int, default=0, help="to kill; a tenth, unless given")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work is not None:
        work(asked.kernels, asked.work)
        return 0
    require(Kind.BUBBLEWRAP)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    seed, mounts = random.SystemRandom().randrange(2**31), Path("/proc/self/mountinfo").read_text()
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        begin = time.monotonic()
        code = worker(asked.kernels, seed, folder).wait()
        found = left(folder, mounts)
        print(f"{asked.kernels} kernels in {time.monotonic() - begin:.0f} s; left: "
              f"{', '.join(found) or 'nothing'}", flush=True)
        bad = bool(found) or code != 0
        graders, choose = asked.graders or max(1, asked.kernels // 10), random.Random(seed)
        found = []
        for number in range(graders):
            grader = worker(1_000, seed + number, folder)
            time.sleep(choose.uniform(1.0, 2 + LONGEST))
            grader.send_signal(signal.SIGKILL)
            grader.wait()
            found += left(folder, mounts, files=False)
        code = worker(1, seed, folder).wait()
        found += left(folder, mounts)
        print(f"{graders} graders killed, then one kernel more; left: "
              f"{', '.join(found) or 'nothing'}")
    return 1 if bad or found or code else 0


if __name__ == "__main__":
    sys.exit(main())
