"""What is asked for marks, and what is made of the answers: in this process, never the student's.

The questions follow from a secret of the course and the run's name, so that nobody can know them
before, and the same run asks the same.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from cs231n_utils.grading.course import Course

RUN_SETTING = "CS231N_RUN"
_SECRET_BYTES = 32


class GraderFaultError(Exception):
    """The grader could not decide: no mark is recorded, and a person has to look."""


class UnreadableAnswerError(Exception):
    """There is no answer, or none that can be read; the message says what is wrong with it."""

    def __init__(self, message: str, forged: bool = False) -> None:
        super().__init__(message)
        self.forged = forged


@lru_cache(maxsize=1)
def this_run() -> str:
    """The name of this process's grading run, from the environment or else a new one."""
    named = os.environ.get(RUN_SETTING, "").strip()
    return named or time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)


def course_secret(course: Course) -> bytes:
    """The course's secret, made when first asked for: outside git, for its owner's eyes."""
    return read_secret(course.private / "secret")


def read_secret(path: Path) -> bytes:
    """The secret in a file, written there first unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_SECRET_BYTES))
        try:
            os.link(fresh, path)  # whole or not at all, and the first one wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    value = bytes.fromhex(path.read_text(encoding="ascii").strip())
    if len(value) < _SECRET_BYTES:
        raise GraderFaultError(f"{path} holds no secret; remove it, and a new one is made")
    return value


def seed_of(secret: bytes, run: str, exercise: str) -> int:
    """The seed of an exercise's probes in a run: 128 bits that can't be had without the secret."""
    message = "\0".join(["probes", run, exercise]).encode()
    return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:16], "big")


class Examiner:
    """Asks an exercise's questions and judges the answers, for one run.

    ``seeds`` gives each exercise's seed, so that whoever asks and judges needn't know the secret.
    One thread only: torch's random numbers and its number of threads belong to the whole process,
    and both probes and judges set them.
    """

    def __init__(self, seeds: Callable[[str], int], run: str, exercises: Any) -> None:
        self._exercises = exercises
        self._seeds, self.run = seeds, run

    def probes(self, exercise: str) -> Any:
        """The probes; the same objects for everyone in this run, as judges' caches go by them."""
        return _probes(self._exercises, exercise, self._seeds(exercise))

    def questions(self, exercise: str) -> bytes:
        """The probes as they are sent."""
        return _questions(self._exercises, exercise, self._seeds(exercise))

    def read(self, exercise: str, raw: bytes) -> Any:
        """The answer in what came back.

        Raises
        ------
        UnreadableAnswerError
            If it is none.
        """
        from cs231n_utils.exercises.transport import MalformedError, unpack_answer

        if not raw:
            raise UnreadableAnswerError("nothing came back")
        try:
            return unpack_answer(raw, self.probes(exercise))
        except MalformedError as error:
            raise UnreadableAnswerError(str(error), forged=True) from error

    def judge(self, exercise: str, answer: Any) -> Any:
        """The verdict on an answer.

        Raises
        ------
        GraderFaultError
            If the judge itself broke.
        """
        from cs231n_utils.exercises import CheckerFault

        probes = self.probes(exercise)
        try:
            return self._exercises.judge(exercise, probes, answer.observations)
        except CheckerFault as error:
            raise GraderFaultError(str(error)) from error


@lru_cache(maxsize=8)
def _probes(exercises: Any, exercise: str, seed: int) -> Any:
    return exercises.make_probes(exercise, seed)


@lru_cache(maxsize=8)
def _questions(exercises: Any, exercise: str, seed: int) -> bytes:
    from cs231n_utils.exercises.transport import pack_probes

    return pack_probes(_probes(exercises, exercise, seed))


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a file that a student's code could write to.

    Raises
    ------
    UnreadableAnswerError
        If it is no plain file, or too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise UnreadableAnswerError(f"the answer can't be opened: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise UnreadableAnswerError("the answer is no plain file", forged=True)
        if found.st_size > limit:
            raise UnreadableAnswerError("the answer is larger than it may be", forged=True)
        parts, left = [], limit
        while left > 0 and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
