"""Kernels and graders that end at any moment leave nothing; `python -m bench.kernel_kills 500`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cs231n_utils.grading.sandbox import problem

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(bool(problem()), reason=problem())
def test_twenty_kernels_and_two_graders_killed_leave_nothing():
    done = subprocess.run([sys.executable, "-m", "bench.kernel_kills", "20", "--graders", "2"],
                          cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
