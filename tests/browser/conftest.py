"""A real JupyterLab on a student's copy of the assignment, and a real browser in front of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A page of a local server needs none of what a browser fetches by itself.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120
TOKEN = secrets.token_hex(16)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page go: $CS231N_SCREENSHOTS, or a temporary folder."""
    named = os.environ.get("CS231N_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def student_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the student works; `cs231n lab` copies the assignment there."""
    return tmp_path_factory.mktemp("student") / "my work"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's chromium; where there is none: a skip, in CI a failure."""
    if CHROMIUM is None and os.environ.get("CI"):
        pytest.fail("CI must run the browser test, and no chromium is installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian and Ubuntu: apt install chromium)")
    return CHROMIUM


@pytest.fixture(scope="module")
def lab(
    chromium: str, student_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a JupyterLab that serves the student's folder, on loopback only."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (home / "lab.log").open("w")
    command = [sys.executable, "-m", "cs231n_utils.cli", "lab", str(student_folder)]
    server = subprocess.Popen(
        [*command, "--no-browser", "--port", str(port)],
        cwd=ROOT,
        env=first_time_environment(home),
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api", server, home / "lab.log")
        yield f"{address}/lab?token={TOKEN}"
    finally:
        stop(server)
        log.close()


def first_time_environment(home: Path) -> dict[str, str]:
    """The environment of someone who opens JupyterLab for the first time."""
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    return {
        **os.environ,
        **{name: str(home / name.lower()) for name in own},
        "HOME": str(home),
        "JUPYTER_TOKEN": TOKEN,
        "CS231N_NETWORK": "menagerie",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels: the whole process group that was started for them."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=15)
            return


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server answers; raise with its log if it ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def page(chromium: str, lab: str) -> Iterator[object]:
    """One window of Chromium, 1400 pixels wide, with JupyterLab open in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        window = browser.new_page(viewport={"width": 1400, "height": 1000})
        window.set_default_timeout(120_000)
        yield window
        browser.close()
