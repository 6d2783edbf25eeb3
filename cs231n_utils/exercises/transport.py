"""Probes and observations as bytes: numbers and text, nothing that could be code.

One frame for both directions: eight bytes of magic, the length of a JSON head, the head, and the
arrays' bytes one after the other. The head says each array's name, type and shape; where it lies
follows from those before it, and all of it must add up to the last byte. So a reader allocates
nothing that isn't there, and there is nothing to unpickle, unpack or follow.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_utils.exercises.observe import MAX_ELEMENTS, Observation, Raised, observe
from cs231n_utils.exercises.probes import NetworkSpec, Probe

MAGIC = b"CS231N\x01\n"
MAX_HEAD = 1_000_000
MAX_BYTES = 64_000_000
MAX_DIMENSIONS = 8
TYPES = ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")
NAMES = ("result", "inputs", "X_after")
_MAX_TEXT = {"kind": 100, "message": 300, "line": 200}


class MalformedError(ValueError):
    """Bytes that no honest writer of this frame gives; the message says what is wrong."""


@dataclass(frozen=True)
class Answer:
    """What came back: an observation for each probe, up to where an unwritten stub was found.

    Attributes:
        missing: whether there was no function to call.
    """

    observations: tuple[Observation, ...] = ()
    missing: bool = False


# -- the frame -------------------------------------------------------------------------------


def pack(head: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> bytes:
    """A head and arrays as one frame. Types that the frame doesn't know become float64."""
    plain = [_plain(array) for array in arrays]
    described = [{"type": array.dtype.str, "shape": list(array.shape)} for array in plain]
    text = json.dumps({**head, "arrays": described}).encode()
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *(a.tobytes() for a in plain)])


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    ordered = np.ascontiguousarray(array).reshape(array.shape)
    ordered = ordered.astype(ordered.dtype.newbyteorder("<"), copy=False)
    return ordered if ordered.dtype.str in TYPES else ordered.astype("<f8")


def unpack(raw: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """The head and the arrays of a frame; the arrays are read-only views of the bytes.

    Raises:
        MalformedError: it is none.
    """
    start = len(MAGIC) + 4
    if len(raw) > MAX_BYTES:
        raise MalformedError(f"it has more than {MAX_BYTES // 1_000_000} MB")
    if len(raw) < start or not raw.startswith(MAGIC):
        raise MalformedError("it does not begin as an answer does")
    (length,) = struct.unpack("<I", raw[len(MAGIC) : start])
    if length > MAX_HEAD or start + length > len(raw):
        raise MalformedError("its head is longer than it may be")
    try:
        head = json.loads(raw[start : start + length])
    except (ValueError, RecursionError) as error:
        raise MalformedError("its head is not JSON") from error
    described = head.pop("arrays", None) if isinstance(head, dict) else None
    if not isinstance(described, list):
        raise MalformedError("its head does not list its arrays")
    arrays, at = [], start + length
    for each in described:
        array, at = _take(raw, at, each)
        arrays.append(array)
    if at != len(raw):
        raise MalformedError("its arrays and its length don't agree")
    return head, arrays


def _take(raw: bytes, at: int, described: Any) -> tuple[NDArray[Any], int]:
    """The array that begins at a place, and where the next one does."""
    name = described.get("type") if isinstance(described, dict) else None
    shape = described.get("shape") if isinstance(described, dict) else None
    if name not in TYPES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise MalformedError("an array's type or shape is none")
    if not all(type(side) is int and 0 <= side <= MAX_BYTES for side in shape):
        raise MalformedError("an array's shape is none")
    count, kind = math.prod(shape), np.dtype(name)
    end = at + count * kind.itemsize
    if end > len(raw):
        raise MalformedError("an array is longer than what came")
    return np.frombuffer(raw, kind, count, at).reshape(shape), end


# -- probes ----------------------------------------------------------------------------------


def pack_probes(probes: Sequence[Probe]) -> bytes:
    """Probes as bytes, for `unpack_probes`."""
    items: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for probe in probes:
        items.append({**asdict(probe), "arrays": list(probe.arrays)})
        arrays += probe.arrays.values()
    return pack({"probes": items}, arrays)


def unpack_probes(raw: bytes) -> list[Probe]:
    """The probes in what `pack_probes` gave. Not for bytes that one doesn't trust."""
    head, arrays = unpack(raw)
    rest = iter(arrays)
    return [
        Probe(
            **{
                **item,
                "network": _network(item["network"]),
                "arrays": {name: next(rest) for name in item["arrays"]},
            }
        )
        for item in head["probes"]
    ]


def _network(item: dict[str, Any]) -> NetworkSpec:
    item["bias"] = tuple(tuple(pair) for pair in item["bias"])
    item["twin"] = tuple(item["twin"]) if item["twin"] is not None else None
    return NetworkSpec(**item)


# -- observations ----------------------------------------------------------------------------


def pack_answer(answer: Answer) -> bytes:
    """An answer as bytes, for `unpack_answer`."""
    items: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for seen in answer.observations:
        items.append({**asdict(seen), "arrays": list(seen.arrays)})
        arrays += seen.arrays.values()
    return pack({"missing": answer.missing, "observations": items}, arrays)


def unpack_answer(raw: bytes, probes: Sequence[Probe]) -> Answer:
    """The answer to these probes in bytes that one doesn't trust.

    Raises:
        MalformedError: it is not what an honest answer could look like.
    """
    head, arrays = unpack(raw)
    if head.get("missing") is True:
        return Answer(missing=True)
    items = head.get("observations")
    if not isinstance(items, list) or not 0 < len(items) <= len(probes):
        raise MalformedError("it does not answer as many probes as were sent")
    rest, seen = iter(arrays), []
    for item, probe in zip(items, probes, strict=False):
        seen.append(_observation(item, probe, rest.__next__))
    if next(rest, None) is not None:
        raise MalformedError("it holds arrays that nothing names")
    if len(seen) < len(probes) and not seen[-1].unwritten:
        raise MalformedError("it answers some of the probes only")
    return Answer(tuple(seen))


def _observation(item: Any, probe: Probe, take: Callable[[], NDArray[Any]]) -> Observation:
    if not isinstance(item, dict) or item.get("probe") != probe.name:
        raise MalformedError("it answers another probe than was sent")
    names = item.get("arrays")
    if not isinstance(names, list) or len(set(map(str, names))) < len(names):
        raise MalformedError("its arrays have no names")
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        if name not in NAMES:
            raise MalformedError("it holds an array of another name")
        try:
            arrays[name] = take()
        except StopIteration:
            raise MalformedError("it names more arrays than it holds") from None
    _look_at(arrays, probe)
    stopped = item.get("stopped")
    return Observation(
        probe=probe.name,
        arrays=arrays,
        result_type=_text(item.get("result_type"), 100),
        calls=_count(item.get("calls")),
        raised=_raised(item.get("raised")),
        unwritten=item.get("unwritten") is True,
        stopped=stopped if stopped in ("calls", "time") else "",
    )


def _look_at(arrays: Mapping[str, NDArray[Any]], probe: Probe) -> None:
    """What an observation's arrays always hold to, whatever the function did."""
    if any(array.size > MAX_ELEMENTS for name, array in arrays.items() if name == "result"):
        raise MalformedError("its result is larger than it may be")
    inputs, after = arrays.get("inputs"), arrays.get("X_after")
    if inputs is not None and (inputs.ndim != 4 or not 0 < len(inputs) <= probe.max_records):
        raise MalformedError("the network's inputs are none")
    if after is not None and "X" not in probe.arrays:
        raise MalformedError("the caller's X is none")


def _raised(item: Any) -> Raised | None:
    if not isinstance(item, dict):
        return None
    texts = {name: _text(item.get(name), limit) for name, limit in _MAX_TEXT.items()}
    return Raised(line_number=_count(item.get("line_number")), **texts)


def _text(value: Any, limit: int) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text[:limit])


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 10**9 else 0


# -- beside the student's code ---------------------------------------------------------------


def answer(function: Any, questions: str, target: str) -> None:
    """Call a function on the probes in a file, and write what it did into another."""
    Path(target).write_bytes(pack_answer(_ask(function, questions)))


def _ask(function: Any, questions: str) -> Answer:
    if not callable(function):
        return Answer(missing=True)
    seen: list[Observation] = []
    for probe in unpack_probes(Path(questions).read_bytes()):
        seen.append(observe(function, probe))
        if seen[-1].unwritten:
            break  # a stub says the same to every probe
    return Answer(tuple(seen))
