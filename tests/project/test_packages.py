"""What gets installed: pyproject.toml, environment.yml and requirements.lock say the same."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
WANTED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, Requirement]:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    return {canonical(pin.name): pin for pin in map(Requirement, lines)}


def conda() -> dict[str, Any]:
    environment: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    return environment


def test_environment_yml_asks_for_the_packages_of_pyproject_in_the_same_versions() -> None:
    (pip,) = (entry["pip"] for entry in conda()["dependencies"] if isinstance(entry, dict))
    options = [line for line in pip if line.startswith("-")]
    packages = [line for line in pip if not line.startswith("-")]
    assert options == ["-c requirements.lock", "-e ."]
    assert sorted(packages) == sorted(WANTED)


def test_environment_yml_asks_for_a_python_that_pyproject_allows() -> None:
    (python,) = (e for e in conda()["dependencies"] if str(e).startswith("python="))
    assert python.removeprefix("python=") in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("wanted", WANTED)
def test_the_lock_pins_a_version_that_pyproject_allows(wanted: str) -> None:
    requirement = Requirement(wanted)
    (pinned,) = pins()[canonical(requirement.name)].specifier
    assert pinned.operator == "=="
    assert pinned.version in requirement.specifier


def test_the_lock_pins_the_tested_pair_of_torch_and_torchvision() -> None:
    constraints = map(Requirement, PYPROJECT["tool"]["uv"]["constraint-dependencies"])
    tested = {constraint.name: str(constraint.specifier) for constraint in constraints}
    assert set(tested) == {"torch", "torchvision"}
    assert {name: str(pins()[name].specifier) for name in tested} == tested


def test_the_lock_says_how_it_is_made_and_names_no_place_to_fetch_from() -> None:
    assert "make lock" in LOCK.split("\n\n")[0][:200]
    assert "://" not in LOCK
    assert not re.search(r"^\s*-", LOCK, re.MULTILINE), "an option of pip's in the lock"


def test_what_is_installed_here_is_what_the_lock_pins() -> None:
    applicable = {n: p for n, p in pins().items() if p.marker is None or p.marker.evaluate()}
    found = {name: f"=={version(name)}" for name in applicable}
    found = {name: pin.split("+")[0] for name, pin in found.items()}  # a build such as +cpu
    assert found == {name: str(pin.specifier) for name, pin in applicable.items()}
