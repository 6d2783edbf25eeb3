"""Is this machine ready for the lab? One look at each thing that it needs."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Look:
    """What was looked at, whether it is fine, what was seen, and what to do where it isn't."""

    name: str
    fine: bool
    seen: str
    to_do: str = ""


def examine(folder: Path | None = None, start_kernel: bool = True) -> Iterator[Look]:
    """Look at everything, one after the other; no look raises.

    Parameters
    ----------
    folder : where notebooks are to be written, the current folder unless given.
    start_kernel : also start a Jupyter kernel, which takes some seconds.
    """
    looks: list[tuple[str, Callable[[], Look]]] = [
        ("Python", _python),
        ("packages", _packages),
        ("networks and pictures", _shipped),
        ("nbgrader in JupyterLab", _extension),
        ("writing notebooks", lambda: _writable("writing notebooks", folder or Path.cwd())),
        ("download cache", _cache),
    ]
    if start_kernel:
        looks.append(("Jupyter kernel", _kernel))
    for name, look in looks:
        try:
            yield look()
        except Exception as error:  # a look that breaks has found a problem, too
            said = str(error).strip().splitlines()
            yield Look(name, False, f"{type(error).__name__}: {said[0] if said else ''}",
                       "Install the lab again: make clean, then make lab.")


def _python() -> Look:
    version = ".".join(map(str, sys.version_info[:3]))
    return Look("Python", sys.version_info >= (3, 11), f"{version} at {sys.executable}",
                "The lab needs Python 3.11 or newer.")


def _packages() -> Look:
    missing, old, count = [], [], 0
    for line in importlib.metadata.requires("cs231n-utils") or []:
        if "extra ==" in line:
            continue
        found = re.match(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?", line)
        assert found is not None
        name, least = found.groups()
        count += 1
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if least and _numbers(version) < _numbers(least):
            old.append(f"{name} {version} (needs {least})")
    if missing or old:
        seen = "; ".join([*(f"{name} is missing" for name in missing), *old])
        return Look("packages", False, seen,
                    f"{sys.executable} -m pip install --upgrade cs231n-utils")
    return Look("packages", True, f"all {count} are there")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _shipped() -> Look:
    from cs231n_utils.downloads import sha256
    from cs231n_utils.shipped import shipped_bytes, shipped_json

    files = shipped_json("manifest.json").get("files", {})
    for file_name, known in files.items():
        if sha256(shipped_bytes(file_name)) != known["sha256"]:
            return Look("networks and pictures", False, f"{file_name} is damaged",
                        "Install the lab again, or restore the file from its git repository.")
    return Look("networks and pictures", bool(files), f"{len(files)} files, checksums right",
                "Install the lab again, or restore the files from its git repository.")


def _extension() -> Look:
    from jupyter_core.paths import jupyter_path

    places = [Path(place) / "labextensions" for place in jupyter_path()]
    found = [place / name for place in places
             for name in ("@jupyter/nbgrader", "nbgrader") if (place / name).is_dir()]
    return Look("nbgrader in JupyterLab", bool(found),
                f"version {importlib.metadata.version('nbgrader')}" if found
                else "its buttons (Validate, Formgrader) are not installed",
                f"{sys.executable} -m pip install --force-reinstall --no-deps nbgrader")


def _writable(name: str, folder: Path) -> Look:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".cs231n-"):
            pass
    except OSError as error:
        return Look(name, False, f"{folder}: {error.strerror}",
                    "Go to a folder of your own, or change its permissions.")
    return Look(name, True, f"{folder} can be written")


def _cache() -> Look:
    from cs231n_utils.downloads import cache_folder

    folder = cache_folder()
    above = folder
    while not above.exists():
        above = above.parent
    fine = os.access(above, os.W_OK)
    return Look("download cache", fine, f"{folder}" if fine else f"{above} can't be written",
                "Set CS231N_CACHE to a folder that you may write. Only ImageNet needs it.")


def _kernel() -> Look:
    import subprocess
    import time

    from jupyter_client.manager import start_new_kernel

    begin = time.monotonic()
    manager, client = start_new_kernel(startup_timeout=120, stderr=subprocess.DEVNULL)
    try:
        reply = client.execute_interactive("import cs231n_utils", timeout=120, store_history=False,
                                           output_hook=lambda message: None)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        error = reply["content"].get("evalue", "")
        return Look("Jupyter kernel", False, f"it can't import cs231n_utils: {error}",
                    f"{sys.executable} -m pip install --force-reinstall ipykernel, then try again.")
    return Look("Jupyter kernel", True, f"starts and imports the lab in "
                                        f"{time.monotonic() - begin:.1f} s")
