"""What README and the other documents say is so: commands, files, names."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from cs231n_utils.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.split("\0")[:-1]
DOCUMENTS = [name for name in TRACKED if name.endswith(".md")]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def said(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def commands(first: str) -> list[tuple[str, str]]:
    """(document, command line) for each line of code that begins with this word."""
    found = []
    for document in DOCUMENTS:
        text = said(document)
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
        found += [
            (document, line.removeprefix("$ "))
            for line in lines
            if line.removeprefix("$ ").split(" ")[0] == first
        ]
    return sorted(set(found))


@pytest.mark.parametrize(("document", "line"), commands("make"))
def test_every_make_command_that_a_document_gives_exists(document: str, line: str) -> None:
    words = [word for word in shlex.split(line)[1:] if "=" not in word and word[0] != "-"]
    assert set(words) <= TARGETS


@pytest.mark.parametrize(("document", "line"), commands("cs231n"))
def test_every_cs231n_command_that_a_document_gives_exists(document: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands") and words[0][0] != "-":
        assert words[0] in command.commands, f"no such subcommand in {document}: {line}"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used <= options


def test_make_help_lists_every_command() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert set(re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE)) == TARGETS


def test_readme_tells_of_the_commands_that_a_reader_needs() -> None:
    given = {line for _, line in commands("make")}
    assert {"make demo", "make lab", "make test", "make bench", "make check"} <= given


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_links_to_exists(document: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", said(document))
    local = [a or b for a, b in targets if "://" not in (a or b)]
    here = (ROOT / document).parent
    missing = [target for target in local if not (here / target).exists()]
    assert not missing


def test_every_path_that_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", README))
    made = ("my_work/", "demo/", "submitted/", "autograded/", "feedback/", "training/", ".venv/")
    places = (ROOT, ROOT / "cs231n_utils")
    missing = [
        name
        for name in named
        if not name.startswith(made) and not any((place / name).exists() for place in places)
    ]
    assert not missing
