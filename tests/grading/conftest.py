"""Fixtures: a released fake course, shared and of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fake_course import make_course

from cs231n_utils.grading.course import Course, open_course


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Path:
    """The folder of a released fake course, to be copied and not written to."""
    root = tmp_path_factory.mktemp("released")
    make_course(root)
    return root


@pytest.fixture
def course(released, tmp_path) -> Course:
    """A released fake course of one's own, without submissions."""
    root = tmp_path / "course"
    shutil.copytree(released, root)
    return open_course(root)
