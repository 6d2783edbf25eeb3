"""Files from the internet: fetched once, checked, kept in a cache folder.

Only the ImageNet way of the lab needs them; the menagerie is part of the package. What can go wrong
with a file of the lab, and what a caller can do about it:

    LabFileError            the message says which file, what is wrong, and the next step
    ├── MissingFileError    a file that belongs to the package isn't there: reinstall
    ├── DamagedFileError    a file is there, or came, and isn't what it should be
    └── DownloadError       a file isn't there and could not be fetched: put it there by hand

Environment:
    CS231N_CACHE    the cache folder
    CS231N_MIRROR   a base URL to fetch every file from instead of its publisher, such as a server
                    in the classroom; files are checked all the same
"""

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_CHUNK = 1 << 16
_TIMEOUT_S = 20  # for a connection that says nothing, not for the whole file


class LabFileError(Exception):
    """A file that the lab needs can't be used; the message says which, why and what to do."""


class MissingFileError(LabFileError):
    """A file that belongs to the package isn't there."""


class DamagedFileError(LabFileError):
    """A file is there, or came, and isn't what it should be."""


class DownloadError(LabFileError):
    """A file isn't in the cache folder and could not be fetched."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the internet and what is known about it beforehand.

    Attributes:
        url: where its publisher keeps it; the last part is its name in the cache folder.
        max_bytes: more than this is not that file, and is never stored.
        min_bytes: less than this is not that file either.
        sha256_prefix: leading hexadecimal digits of its SHA-256; None where none is published.
    """

    url: str
    max_bytes: int
    min_bytes: int = 1
    sha256_prefix: str | None = None

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return Path(urllib.parse.urlsplit(self.url).path).name

    @property
    def source(self) -> str:
        """The URL to fetch it from: the publisher's, or that of CS231N_MIRROR."""
        mirror = os.environ.get("CS231N_MIRROR", "").strip()
        return f"{mirror.rstrip('/')}/{self.name}" if mirror else self.url

    @property
    def path(self) -> Path:
        """Where it lies, or will lie, on this machine."""
        return cache_folder() / self.name


def cache_folder() -> Path:
    """The folder that downloaded files are kept in; it need not exist yet.

    CS231N_CACHE where set, else ``cs231n-lab`` in the user's cache folder of the platform.
    """
    chosen = os.environ.get("CS231N_CACHE", "").strip()
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cs231n-lab"


def fetch(file: RemoteFile) -> Path:
    """The file's path on this machine; downloaded if it isn't there yet, checked in any case.

    A copy in the cache folder that fails its check is replaced. A download appears under its name
    only when it is complete and checked: when interrupted it leaves nothing.

    Raises:
        DownloadError: it isn't in the cache folder and can't be fetched.
        DamagedFileError: what came is not the file.
    """
    problem = None
    if file.path.exists():
        problem = _problem(file, file.path)
        if problem is None:
            return file.path
    try:
        _download(file)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(_by_hand(file, _reason(error), problem)) from error
    return file.path


def discarded(file: RemoteFile, problem: str) -> DamagedFileError:
    """Remove a cached file whose content turned out wrong; the error to raise for it."""
    file.path.unlink(missing_ok=True)
    return DamagedFileError(
        f"{file.name} is not the file that the lab expects: {problem}. It was removed from "
        f"{file.path.parent}.\nTry again; if it happens again, {file.source} serves another file."
    )


def _download(file: RemoteFile) -> None:
    source = file.source
    if urllib.parse.urlsplit(source).scheme not in ("http", "https"):
        raise ValueError(f"{source} is not an http or https address; see CS231N_MIRROR")
    file.path.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(source, headers={"User-Agent": "cs231n-lab"})
    with (
        urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response,
        _scratch(file.path) as (stream, scratch),
    ):
        length = response.headers.get("Content-Length", "")
        announced = int(length) if length.isdecimal() else None
        received = _copy(file, response, stream, announced)
        stream.close()
        problem = _problem(file, scratch)
        if problem is None and announced is not None and received != announced:
            problem = f"{received:,} of {announced:,} bytes came"
        if problem is not None:
            raise DamagedFileError(
                f"{file.name} from {source} is not the file that the lab expects: {problem}.\n"
                "Nothing was stored. Try again; if it happens again, tell whoever runs that server."
            )
        os.replace(scratch, file.path)


@contextmanager
def _scratch(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A temporary file beside `path`, gone at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, scratch
    finally:  # also at Ctrl-C
        scratch.unlink(missing_ok=True)


def _copy(
    file: RemoteFile, source: http.client.HTTPResponse, target: IO[bytes], announced: int | None
) -> int:
    """Copy with a progress bar; stops one chunk after the size that the file may have."""
    received = 0
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(file.name, total=announced)
        while received <= file.max_bytes and (chunk := source.read(_CHUNK)):
            target.write(chunk)
            received += len(chunk)
            progress.update(task, completed=received)
    return received


def _problem(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with the copy at `path`, or None."""
    size = path.stat().st_size
    if size > file.max_bytes:
        return f"expected at most {file.max_bytes:,} bytes, got {size:,} or more"
    if size < file.min_bytes:
        return f"expected at least {file.min_bytes:,} bytes, got {size:,}"
    if file.sha256_prefix:
        digest = sha256(path.read_bytes())
        if not digest.startswith(file.sha256_prefix):
            return (
                f"expected a SHA-256 that starts with {file.sha256_prefix}, "
                f"got {digest[: len(file.sha256_prefix)]}"
            )
    return None


def sha256(content: bytes) -> str:
    """The SHA-256 of `content` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return f"{error or type(error).__name__}"


def _by_hand(file: RemoteFile, reason: str, problem: str | None) -> str:
    state = (
        "is not on this machine" if problem is None else f"on this machine is damaged: {problem}"
    )
    return (
        f"{file.name} {state}, and could not be downloaded: {reason}.\n"
        f"  from:    {file.source}\n"
        f"  by hand: download it on any machine and put it at {file.path}\n"
        '  without: the embedded network needs no download: load_model("menagerie")'
    )
