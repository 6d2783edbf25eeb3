"""Call a student's function on a probe, and record what it did as arrays.

The only file that runs beside student code. It knows nothing of right and wrong.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import random
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch
from IPython.utils.capture import capture_output
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

from cs231n_utils.exercises.probes import Probe, build_network

Function = Callable[..., Any]

MAX_ELEMENTS = 4_000_000
"""Larger results are not kept: the largest right one has 3 * 224 * 224 values."""


@dataclass(frozen=True)
class Raised:
    """An exception that came out of the student's function.

    Attributes:
        kind: its class's name.
        message: its first line, at most 300 characters.
        line: the student's own line that led to it, or "".
        line_number: where that stands in its cell or file, or 0.
    """

    kind: str
    message: str
    line: str = ""
    line_number: int = 0

    def __str__(self) -> str:
        where = f" (line {self.line_number}: `{self.line}`)" if self.line else ""
        return f"{self.kind}: {self.message}{where}" if self.message else f"{self.kind}{where}"


@dataclass(frozen=True)
class Observation:
    """What a function did on one probe.

    Attributes:
        probe: the probe's name.
        arrays: `result` if it is an array of numbers; `inputs` (T, 3, H, W), the different
            images that the network saw, in order; `X_after`, the caller's X after the call.
        result_type: the type of what came back, such as "Tensor" or "NoneType".
        calls: how often the network was called.
        raised: the exception, if one came out.
        unwritten: whether that was the stub's NotImplementedError.
        stopped: "calls" or "time" if it had to be stopped.
    """

    probe: str
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    result_type: str = ""
    calls: int = 0
    raised: Raised | None = None
    unwritten: bool = False
    stopped: str = ""


class StopObserving(BaseException):
    """Ends a call that would not end. Not an Exception, so that `except Exception` lets it by."""


class Tape:
    """What a recorded network saw. Copies of the network write on the same tape."""

    def __init__(self, max_calls: int, max_records: int) -> None:
        self.max_calls, self.max_records = max_calls, max_records
        self.calls = 0
        self.images: list[NDArray[Any]] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Tape:
        return self

    def note(self, x: object) -> None:
        """Count a call; keep its images unless they were seen before."""
        self.calls += 1
        if self.calls > self.max_calls:
            raise StopObserving("calls")
        if isinstance(x, Tensor) and x.ndim == 4:
            images = _plain(x)  # under vmap with one axis more
            for image in images.reshape(-1, *images.shape[-3:]):
                full = len(self.images) >= self.max_records
                if not full and not any(_same(image, seen) for seen in self.images):
                    self.images.append(image)

    def stack(self) -> NDArray[Any] | None:
        """The recorded images (T, 3, H, W): those that have the first one's shape."""
        alike = [image for image in self.images if image.shape == self.images[0].shape]
        return np.stack(alike) if alike else None


class RecordedNetwork(nn.Module):
    """A network that notes in `forward` itself what it is called with: hooks can be passed by."""

    def __init__(self, network: nn.Module, tape: Tape) -> None:
        super().__init__()
        self.features = getattr(network, "features", nn.Identity())
        self.classifier = getattr(network, "classifier", nn.Identity())
        self.network = network
        self.tape = tape

    def forward(self, x: Tensor) -> Tensor:
        self.tape.note(x)
        scores: Tensor = self.network(x)
        return scores


def observe(function: Function, probe: Probe) -> Observation:
    """Call the function on fresh copies of the probe's inputs and record what it did.

    Whatever the function raises is recorded, except KeyboardInterrupt. Global random numbers,
    torch's settings and open figures are as before when this returns; printing is swallowed.
    """
    tape = Tape(probe.max_calls, probe.max_records)
    model = RecordedNetwork(build_network(probe.network), tape).train(probe.network.training)
    X = _input(probe)
    result: Any = None
    raised: Raised | None = None
    unwritten, stopped = False, ""
    with _tidy(probe.seed):
        try:
            with _time_limit(probe.max_seconds):
                result = _call(function, probe, model, X)
        except StopObserving as stop:
            stopped = str(stop)
        except NotImplementedError as error:
            raised = describe(error, function)
            unwritten = _is_stub(raised)
        except (Exception, SystemExit) as error:
            raised = describe(error, function)
    arrays = {"result": as_array(result), "inputs": tape.stack()}
    if X is not None:
        arrays["X_after"] = X.detach().cpu().numpy()
    return Observation(
        probe=probe.name,
        arrays={name: array for name, array in arrays.items() if array is not None},
        result_type=type(result).__name__,
        calls=tape.calls,
        raised=raised,
        unwritten=unwritten,
        stopped=stopped,
    )


def _input(probe: Probe) -> Tensor | None:
    if "X" not in probe.arrays:
        return None
    X = torch.from_numpy(probe.arrays["X"].copy())
    if "old_grad" in probe.arrays:
        X.requires_grad_()
        X.grad = torch.from_numpy(probe.arrays["old_grad"].copy())
    return X


def _call(function: Function, probe: Probe, model: nn.Module, X: Tensor | None) -> Any:
    """Call the function as its exercise says."""
    if probe.exercise == "saliency_maps":
        return function(X, torch.from_numpy(probe.arrays["y"].copy()), model)
    if probe.exercise == "fooling_images":
        return function(X, probe.target, model)
    return function(probe.target, model, torch.float32, **probe.options)


def as_array(value: object) -> NDArray[Any] | None:
    """A number array of whatever a function may return: tensor, array, PIL image, list of those.

    None if it is none, or larger than any right answer.
    """
    try:
        if isinstance(value, list | tuple) and value and isinstance(value[0], Tensor):
            value = torch.stack([part.detach().cpu() for part in value])
        if isinstance(value, Tensor):
            if value.numel() > MAX_ELEMENTS:
                return None
            value = _plain(value)
        array = np.array(value)
    except Exception:
        return None  # ragged lists, exotic tensors: no array
    return array if array.dtype.kind in "fiub" and array.size <= MAX_ELEMENTS else None


def _plain(x: Tensor) -> NDArray[Any]:
    """A copy of a tensor's values, also from inside `torch.func` transforms."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(x):
        x = functorch.get_unwrapped(x)
    with temporarily_clear_interpreter_stack():  # else the transform wraps it again
        x = x.detach().cpu()
        x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        return np.array(x.numpy())


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def describe(error: BaseException, function: Function) -> Raised:
    """What a student needs of an exception: its message, and their own last line."""
    own_file = getattr(getattr(function, "__code__", None), "co_filename", None)
    line, number = "", 0
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == own_file:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            number = frame.lineno or 0
    message = next(iter(str(error).strip().splitlines()), "")
    return Raised(type(error).__name__, message[:300], line[:200], number)


def _is_stub(raised: Raised) -> bool:
    """Whether a NotImplementedError is the stub's own; torch raises some too."""
    return not raised.line or "raise NotImplementedError" in raised.line


@contextlib.contextmanager
def _tidy(seed: int) -> Iterator[None]:
    """Seed all global random numbers, swallow printing and figures, put everything back.

    One thread: on small networks more of them only wait for each other, on a busy machine up to
    fifty times as long as the arithmetic takes.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    settings = torch.is_grad_enabled(), torch.get_default_dtype()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),  # stock nbgrader: a line there costs all
            capture_output(stdout=False, stderr=False, display=True),  # in a notebook
            _no_figures(),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        torch.set_grad_enabled(settings[0])
        torch.set_default_dtype(settings[1])
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _no_figures() -> Iterator[None]:
    """Let nobody see, or wait for, the figures that a function draws on its way."""
    import matplotlib.pyplot as plt

    before, show = set(plt.get_fignums()), plt.show
    plt.show = lambda *args, **kwargs: None
    try:
        yield
    finally:
        plt.show = show
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Stop what runs inside after so much processor time, where signals allow it."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise StopObserving("time")

    before = signal.signal(signal.SIGPROF, stop)
    # Repeats, so that a bare `except:` inside an endless loop can't swallow the only one.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
