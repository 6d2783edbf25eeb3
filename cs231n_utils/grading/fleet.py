"""Tasks on a Dask cluster: one at a time on each worker, so that it is clear what kills one.

Dask would give a worker several tasks and, when it dies, blame all of them. Here each worker gets
one, by name; when a worker is gone its task is tried on others, and after three it is set aside.
Tasks are read as they are needed, so memory doesn't grow with the class.
"""

from __future__ import annotations

import logging
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster
from distributed.comm.core import CommClosedError
from distributed.security import Security

from cs231n_utils.grading.course import UserError
from cs231n_utils.grading.task import Job, OtherPackageError, Outcome, Task, execute, not_graded

MAX_DEATHS = 3
NO_WORKER_SECONDS = 120.0
"""How long there may be work and no worker: a cluster's queue needs time, a wrong one for ever."""

_LOOK_EVERY = 0.25
_LOST = (CommClosedError, OSError, TimeoutError)
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # we count
    "distributed.comm.timeouts.connect": "15s",
    "distributed.worker.profile.enabled": False,
    "distributed.version": 2,
}


@dataclass(frozen=True)
class Working:
    """What a worker does now, and since when (of `time.monotonic`)."""

    job: Job
    since: float


@contextmanager
def open_fleet(scheduler: str | None, workers: int, scratch: Path) -> Iterator[Fleet]:
    """A cluster at an address, or one of this machine's own with so many processes.

    Raises
    ------
    UserError
        If no scheduler answers at the address.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said here
    with dask.config.set({**_CONFIG, "temporary-directory": str(scratch)}):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout="15s", set_as_default=False)
            except (*_LOST, ValueError) as error:
                raise UserError(f"No Dask scheduler answers at {scheduler}.\nStart one with `dask "
                                "scheduler`, and workers with `dask worker ADDRESS`.") from error
            with client:
                yield Fleet(client)
            return
        with _temporary(scratch), LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True,
            host="127.0.0.1", dashboard_address="127.0.0.1:0", local_directory=str(scratch),
            memory_limit=0, silence_logs=logging.CRITICAL, security=Security.temporary(),
        ) as cluster, Client(cluster, set_as_default=False) as client:
            yield Fleet(client)


@contextmanager
def _temporary(scratch: Path) -> Iterator[None]:
    """Have workers put what is temporary where it is removed even after they were killed."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(scratch)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


@dataclass
class _Flight:
    task: Task
    future: Any
    since: float = field(default_factory=time.monotonic)


class Fleet:
    """Workers, and what each of them does."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.flying: dict[str, _Flight] = {}
        self.deaths: dict[Job, int] = {}
        self.landed: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def working(self) -> Mapping[str, Working]:
        """What each worker does now."""
        return {address: Working(flight.task.job, flight.since)
                for address, flight in self.flying.items()}

    def outcomes(
        self, tasks: Iterator[Task], look: Callable[[], None] = lambda: None
    ) -> Iterator[Outcome]:
        """Each task's outcome, in the order in which they end; ``look`` is called now and then.

        Raises
        ------
        UserError
            If the scheduler is lost, has no workers, or these have another version of the lab.
        """
        again: deque[Task] = deque()
        workers: set[str] = set()
        seen = looked = 0.0
        pending = next(tasks, None)
        try:
            while pending is not None or again or self.flying:
                if time.monotonic() - looked > _LOOK_EVERY:
                    workers = set(self.client.nthreads())
                    looked = time.monotonic()
                    seen = looked if workers or not seen else seen
                    if looked - seen > NO_WORKER_SECONDS:
                        raise UserError("The Dask scheduler has no workers. Start some with `dask "
                                        "worker ADDRESS`, and run this again.")
                    for address in self.flying.keys() - workers:
                        yield from self._died(address, again)
                    look()
                for address in workers - self.flying.keys():
                    task = again.popleft() if again else pending
                    if task is None:
                        break
                    if task is pending:
                        pending = next(tasks, None)
                    self._send(address, task)
                try:
                    address = self.landed.get(timeout=_LOOK_EVERY)
                except queue.Empty:
                    continue
                flight = self.flying.get(address)
                if flight is not None and flight.future.done():
                    yield from self._landed(address, again)
                    workers = workers if flight.future.status == "finished" else set()
        except _LOST as error:
            raise UserError("The connection to the Dask scheduler is lost. Run this again: it goes "
                            "on where it stood.") from error
        finally:
            for flight in self.flying.values():
                flight.future.release()
            self.flying.clear()

    def _send(self, address: str, task: Task) -> None:
        future = self.client.submit(
            execute, task, workers=[address], allow_other_workers=False, pure=False, retries=0)
        self.flying[address] = _Flight(task, future)
        future.add_done_callback(lambda _: self.landed.put(address))

    def _landed(self, address: str, again: deque[Task]) -> Iterator[Outcome]:
        flight = self.flying[address]
        status = flight.future.status
        if status == "finished":
            try:
                outcome: Outcome = flight.future.result(timeout=30)
            except (*_LOST, CancelledError, KilledWorker):  # it died with the result in its hands
                yield from self._died(address, again)
                return
            del self.flying[address]
            yield outcome
            return
        if status == "cancelled":
            raise CommClosedError("the scheduler forgot a task")
        error = flight.future.exception(timeout=60)
        if isinstance(error, OtherPackageError):
            raise UserError(f"The worker {address} has another version of this lab installed than "
                            "is here, and could mark differently. Install the same on all.")
        if isinstance(error, KilledWorker):
            yield from self._died(address, again)
            return
        del self.flying[address]
        yield not_graded(flight.task.job, f"a worker failed: {type(error).__name__}: {error}")

    def _died(self, address: str, again: deque[Task]) -> Iterator[Outcome]:
        """A worker is gone: its task is tried again, unless it did that to three."""
        flight = self.flying.pop(address)
        flight.future.cancel()
        job = flight.task.job
        self.deaths[job] = self.deaths.get(job, 0) + 1
        if self.deaths[job] < MAX_DEATHS:
            again.append(flight.task)
        else:
            yield not_graded(job, f"{MAX_DEATHS} workers died while they graded it, one after the "
                                  "other; set aside so that the others get their marks")
