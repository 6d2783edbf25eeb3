"""What is sent and what is read back, without a kernel."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest

from cs231n_utils.exercises import EXERCISES, Observation, make_probes
from cs231n_utils.exercises.transport import (
    MAGIC,
    Answer,
    MalformedError,
    pack,
    pack_answer,
    pack_probes,
    unpack,
    unpack_answer,
    unpack_probes,
)
from cs231n_utils.grading import sandbox
from cs231n_utils.grading.examine import UnreadableAnswerError, read_file, read_secret, seed_of
from cs231n_utils.grading.sandbox import Kind, SandboxMissingError, chosen, require


@pytest.mark.parametrize("exercise", EXERCISES)
def test_probes_arrive_as_they_were_sent(exercise):
    probes = make_probes(exercise, 2**100)
    for sent, came in zip(probes, unpack_probes(pack_probes(probes)), strict=True):
        assert (sent.network, sent.options, sent.target) == (came.network, came.options,
                                                             came.target)
        for name, array in sent.arrays.items():
            np.testing.assert_array_equal(array, came.arrays[name], strict=True)


def frame(head, rest=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return MAGIC + struct.pack("<I", len(text)) + text + rest


@pytest.mark.parametrize("raw", [
    b"", b"pickle", MAGIC, MAGIC + b"\xff\xff\xff\xff", frame(b"["), frame(b"[" * 100_000),
    frame([]), frame({}), frame({"arrays": [5]}),
    frame({"arrays": [{"type": "|O", "shape": [1]}]}, b"12345678"),
    frame({"arrays": [{"type": "<f8", "shape": [10**6, 10**6]}]}),
    frame({"arrays": [{"type": "<f8", "shape": [-1]}]}),
    frame({"arrays": [{"type": "<f8", "shape": [1.0]}]}, bytes(8)),
    frame({"arrays": [{"type": "<f8", "shape": [True]}]}, bytes(8)),
    frame({"arrays": [{"type": "|u1", "shape": [3]}]}, bytes(4)),
    frame({"arrays": [{"type": "|u1", "shape": [1] * 40}]}, bytes(1)),
], ids=range(16))
def test_a_frame_that_is_none_is_refused(raw):
    with pytest.raises(MalformedError):
        unpack(raw)


def seen(probe, **arrays):
    return Observation(probe.name, arrays, "Tensor", 1)


def test_an_answer_has_to_fit_its_questions():
    probes = make_probes("saliency_maps", 1)
    right = [seen(probe, result=np.zeros(3)) for probe in probes]
    assert len(unpack_answer(pack_answer(Answer(tuple(right))), probes).observations) == len(right)
    for wrong in ((), right[:1], right[::-1], [*right, right[0]],
                  [seen(probes[0], points=np.ones(1)), *right[1:]],
                  [seen(probes[0], inputs=np.ones(1)), *right[1:]]):
        with pytest.raises(MalformedError):
            unpack_answer(pack_answer(Answer(tuple(wrong))), probes)
    with pytest.raises(MalformedError):
        unpack_answer(pack({"observations": [{"probe": probes[0].name, "arrays": ["result"]}]}, []),
                      probes)


def test_the_answer_has_to_be_a_plain_file_of_some_size(tmp_path):
    (tmp_path / "plain").write_bytes(b"ten bytes!")
    assert read_file(tmp_path / "plain", 10) == b"ten bytes!"
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, limit in (("link", 10), ("pipe", 10), ("folder", 10), ("plain", 9), ("none", 10)):
        with pytest.raises(UnreadableAnswerError):
            read_file(tmp_path / name, limit)


def test_questions_follow_from_the_secret_and_the_run(tmp_path):
    secret = read_secret(tmp_path / "private" / "secret")
    assert read_secret(tmp_path / "private" / "secret") == secret
    assert (tmp_path / "private" / "secret").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "private") == ["secret"]
    seeds = {seed_of(s, run, exercise) for s in (secret, bytes(32)) for run in ("a", "b")
             for exercise in EXERCISES}
    assert len(seeds) == 12
    assert seed_of(secret, "a", "saliency_maps") in seeds


def test_without_a_sandbox_grading_refuses_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sandbox, "problem", lambda: "The command bwrap is not installed.")
    with pytest.raises(SandboxMissingError, match="apt install bubblewrap"):
        require(Kind.BUBBLEWRAP)
    require(Kind.NONE)


def test_the_sandbox_is_chosen_by_the_course_or_the_environment(monkeypatch):
    monkeypatch.delenv("CS231N_SANDBOX", raising=False)
    assert chosen("") is Kind.BUBBLEWRAP
    monkeypatch.setenv("CS231N_SANDBOX", "none")
    assert chosen(None) is Kind.NONE
    assert chosen("bubblewrap") is Kind.BUBBLEWRAP
    with pytest.raises(sandbox.UserError, match="docker"):
        chosen("docker")
