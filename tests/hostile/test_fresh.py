"""What a right function did keeps its worth on its way out of the sandbox."""

from __future__ import annotations

import secrets

import pytest

from bench.fresh import mark, ways
from cs231n_utils import exercises
from cs231n_utils.grading.examine import Examiner

RIGHT = [way for way in ways() if way.right]


@pytest.fixture(scope="module")
def examiner():
    seed = secrets.randbits(128)
    return Examiner(lambda _: seed, "a run", exercises)


@pytest.mark.parametrize("way", RIGHT, ids=lambda way: f"{way.exercise}: {way.name}")
def test_a_right_function_has_full_marks_after_its_answer_was_bytes(way, examiner):
    assert mark(way, examiner) == 10
