"""Bring submissions into nbgrader's layout: ``submitted/<student>/<assignment>/<exercise>.ipynb``.

Taken are folders and zip archives as learning platforms hand them out, and plain folders:

=============  =============================================================================
Moodle         ``Ada Lovelace_123456_assignsubmission_file_/saliency_maps.ipynb``
Canvas         ``lovelaceada_4711_815_saliency_maps-1.ipynb``, with ``LATE_`` where it was late
Gradescope     ``submission_4711/...`` with ``submission_metadata.yml`` beside them
nbgrader       ``<student>/network_visualization/saliency_maps.ipynb``
by student     ``<student>/saliency_maps.ipynb``, or ``<student>.zip`` with notebooks in it
flat           ``lovelace_saliency_maps.ipynb``
=============  =============================================================================

Archives are read as data. Names in them choose nothing but a student's name and an exercise; what
is written is made of those two alone, so no path in an archive can lead out of the course.
"""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cs231n_utils.grading.course import FUNCTIONS, Course, UserError
from cs231n_utils.grading.submission import (
    MAX_BYTES,
    UnreadableNotebookError,
    cells_in_order,
    defines,
    grade_id,
    parse_notebook,
)

_MAX_ENTRIES = 100_000
_MAX_TOTAL_BYTES = 20_000_000_000
_MAX_DEPTH = 2  # a zip in a zip: Moodle's archive of students' archives; no deeper
_MOODLE = re.compile(r"^(?P<name>.+?)_\d+_assignsubmission_(?:file|onlinetext)_?$")
_CANVAS = re.compile(r"^(?P<name>[^_]+)_(?:LATE_)?\d+_\d+_(?P<file>.+)$", re.IGNORECASE)
_GRADESCOPE = re.compile(r"^submission_\d+$")
_EXERCISE = re.compile("|".join(map(re.escape, FUNCTIONS)))


@dataclass(frozen=True)
class Taken:
    """A notebook that was taken: whose, which, from where."""

    student: str
    exercise: str
    origin: str
    readable: bool = True
    replaced: bool = False


@dataclass(frozen=True)
class Left:
    """A file that was not taken, and why."""

    origin: str
    why: str


@dataclass
class Collection:
    """What a collection took, and what it left."""

    taken: list[Taken] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    @property
    def students(self) -> list[str]:
        """All of whom something was taken."""
        return sorted({taken.student for taken in self.taken})


@dataclass(frozen=True)
class _File:
    """A file somewhere, in a folder or in an archive, not yet read."""

    path: PurePosixPath
    origin: str
    read: Callable[[], bytes]
    size: int
    archive: PurePosixPath | None = None  # a student's own archive, in which it lies


def collect(course: Course, sources: list[Path], force: bool = False) -> Collection:
    """Take all notebooks of the assignment from archives and folders.

    Parameters
    ----------
    force : replace what was collected before; otherwise a different notebook that is there already
        is left alone and listed.

    Raises
    ------
    UserError
        If a source doesn't exist, is no archive, or exceeds all bounds.
    """
    collection = Collection()
    for source in sources:
        budget = _Budget()
        for file in _files(source, budget, collection):
            _take(course, file, force, collection)
    return collection


@dataclass
class _Budget:
    """How much one source may still cost: entries and unpacked bytes."""

    entries: int = _MAX_ENTRIES
    size: int = _MAX_TOTAL_BYTES

    def spend(self, size: int, where: str) -> None:
        self.entries -= 1
        self.size -= size
        if self.entries < 0 or self.size < 0:
            raise UserError(f"{where} is too large: more than {_MAX_ENTRIES:,} files or "
                            f"{_MAX_TOTAL_BYTES // 10**9} GB unpacked. Nothing more was taken.")


# -- where files come from -------------------------------------------------------------------


def _files(source: Path, budget: _Budget, collection: Collection) -> Iterator[_File]:
    if not source.exists():
        raise UserError(f"There is no {source}.")
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            budget.spend(size, str(source))
            inner = PurePosixPath(path.relative_to(source).as_posix())
            yield from _open(_File(inner, str(path), path.read_bytes, size), budget, collection, 1)
        return
    if not zipfile.is_zipfile(source):
        raise UserError(f"{source} is neither a folder nor a zip archive.")
    with zipfile.ZipFile(source) as archive:
        yield from _unpack(archive, None, source.name, budget, collection, 1)


def _unpack(
    archive: zipfile.ZipFile,
    own: PurePosixPath | None,
    origin: str,
    budget: _Budget,
    collection: Collection,
    depth: int,
) -> Iterator[_File]:
    for entry in archive.infolist():
        where = f"{origin}: {entry.filename}"
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if entry.is_dir():
            continue
        if path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", entry.filename):
            collection.left.append(Left(where, "its path leads out of the archive"))
        elif stat.S_ISLNK(entry.external_attr >> 16):
            collection.left.append(Left(where, "a symbolic link"))
        elif entry.flag_bits & 1:
            collection.left.append(Left(where, "encrypted"))
        else:
            budget.spend(entry.file_size, origin)
            file = _File(path, where, _reader(archive, entry), entry.file_size, own)
            yield from _open(file, budget, collection, depth)


def _reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        with archive.open(entry) as stream:  # at most what is allowed, whatever the header claims
            return stream.read(MAX_BYTES + 1)

    return read


def _open(
    file: _File, budget: _Budget, collection: Collection, depth: int
) -> Iterator[_File]:
    """The file itself, or what is in it if it is an archive."""
    if _is_litter(file.path):
        return
    if file.path.suffix.lower() != ".zip" or file.size > MAX_BYTES:
        yield file
        return
    if depth > _MAX_DEPTH:
        collection.left.append(Left(file.origin, "an archive in an archive in an archive"))
        return
    try:
        with zipfile.ZipFile(io.BytesIO(file.read())) as inner:
            own = file.archive or file.path
            yield from _unpack(inner, own, file.origin, budget, collection, depth + 1)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        collection.left.append(Left(file.origin, f"not a readable archive ({error})"))


def _is_litter(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return hidden or path.name in ("submission_metadata.yml", "timestamp.txt", "Thumbs.db")


# -- whose and which -------------------------------------------------------------------------


def _take(course: Course, file: _File, force: bool, collection: Collection) -> None:
    if file.path.suffix.lower() != ".ipynb":
        collection.left.append(Left(file.origin, "not a notebook"))
        return
    if file.size > MAX_BYTES:
        collection.left.append(Left(file.origin, f"larger than {MAX_BYTES // 10**6} MB"))
        return
    try:
        raw = file.read()
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        collection.left.append(Left(file.origin, f"can't be read ({error})"))
        return
    exercise, readable = _which(file.path, raw)
    student = (_whose(file.archive, course) if file.archive else "") or _whose(file.path, course)
    if exercise is None:
        collection.left.append(Left(file.origin, "answers none of the exercises"))
    elif not student:
        collection.left.append(Left(file.origin, "no student's name in its path"))
    else:
        _write(course, Taken(student, exercise, file.origin, readable), raw, force, collection)


def _write(course: Course, taken: Taken, raw: bytes, force: bool, collection: Collection) -> None:
    earlier = next((t for t in collection.taken
                    if (t.student, t.exercise) == (taken.student, taken.exercise)), None)
    target = course.submission(taken.student, taken.exercise)
    there = target.is_file()
    if earlier is not None:
        collection.left.append(Left(taken.origin, f"{taken.student} already has a "
                                                  f"{taken.exercise} from {earlier.origin}"))
    elif there and target.read_bytes() != raw and not force:
        collection.left.append(Left(taken.origin, f"{taken.student} has another {taken.exercise} "
                                                  "already; --force replaces it"))
    else:
        if not there or target.read_bytes() != raw:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        collection.taken.append(Taken(taken.student, taken.exercise, taken.origin,
                                      taken.readable, replaced=there))


def _which(path: PurePosixPath, raw: bytes) -> tuple[str | None, bool]:
    """The exercise that a notebook answers, by its name or its content; and is it readable?"""
    named = _EXERCISE.search(_plain(path.stem))
    try:
        notebook = parse_notebook(raw, path.name)
    except UnreadableNotebookError:
        return (named.group() if named else None), False
    if named:
        return named.group(), True
    for exercise, function in FUNCTIONS.items():
        for cell in cells_in_order(notebook):
            if grade_id(cell) == exercise or defines(cell, function):
                return exercise, True
    return None, True


def _whose(path: PurePosixPath, course: Course) -> str:
    """The student whom a path names, as a safe folder name; "" where it names none."""
    folders = [part for part in path.parts[:-1] if part not in ("submitted", course.assignment)]
    for folder in folders:
        moodle = _MOODLE.match(folder)
        if moodle:
            return safe_name(moodle.group("name"))
        if _GRADESCOPE.match(folder):
            return safe_name(folder)
    canvas = _CANVAS.match(path.name) or _CANVAS.match(folders[-1] if folders else "")
    if canvas:
        return safe_name(canvas.group("name"))
    if folders:
        return safe_name(folders[-1])
    named = _EXERCISE.search(_plain(path.stem))
    if named is None:
        return safe_name(path.stem) if path.suffix.lower() == ".zip" else ""
    return safe_name(path.stem[: named.start()])


def _plain(stem: str) -> str:
    """A file's stem as exercises are spelled; as long as it was, so that places stay the same."""
    return stem.lower().replace("-", "_").replace(" ", "_")


def safe_name(name: str) -> str:
    """A student's name as a folder name: letters of any script, digits, ``_``, ``-``, ``.``.

    nbgrader doesn't take ``+`` in it, and shells and globs no brackets.
    """
    text = unicodedata.normalize("NFC", name).strip()
    text = re.sub(r"[^\w.\-]+", "_", text).strip("._-")
    return text[:100]
