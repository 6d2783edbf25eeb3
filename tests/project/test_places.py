"""The project runs anywhere: no file names a place of the machine that it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve()
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.split("\0")[:-1]
LARGEST = 8_000_000


def texts() -> list[tuple[str, str]]:
    found = []
    for name in TRACKED:
        path = ROOT / name
        if path == THIS or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            found.append((name, data.decode("utf-8")))
    return found


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(
            r"(?<![\w.$}~-])/(?:(?:home|Users)/(?!ada|student)\w|(?:root|work)/\w)",
            id="a home or work folder",
        ),
        pytest.param(re.escape(str(ROOT)), id="this checkout's own folder"),
        pytest.param(r"--(?:extra-)?index-url|--find-links", id="where to fetch packages"),
        pytest.param("python" + r"hosted|//pypi\.|npm" + "js", id="a package registry's host"),
    ],
)
def test_no_file_names(pattern: str) -> None:
    found = [
        f"{name}: {match.group()}" for name, text in texts() for match in re.finditer(pattern, text)
    ]
    assert not found


def test_what_the_package_ships_stays_small() -> None:
    shipped = [ROOT / name for name in TRACKED if "/menagerie/shipped/" in name]
    assert sum(path.stat().st_size for path in shipped) <= LARGEST


def test_nothing_in_the_repository_is_a_pickle() -> None:
    pickles = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
    assert not [name for name in TRACKED if name.endswith(pickles)]
