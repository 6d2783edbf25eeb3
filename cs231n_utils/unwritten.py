"""once_written: what a notebook shows below an exercise that isn't solved yet."""

import functools
import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, TracebackType
from typing import Any

from IPython.display import display


@contextmanager
def once_written(function: Callable[..., Any]) -> Iterator[None]:
    """Run a cell's body, or say what to do first while `function` is still a stub.

    ::

        with once_written(compute_saliency_maps):
            maps = compute_saliency_maps(X, y, model)
            ...

    Only the NotImplementedError that `function` itself raises is taken for "not written yet"; any
    other error, and that error from anywhere else, goes through.

    Args:
        function: the exercise's function.

    Raises:
        TypeError: function isn't a Python function.
    """
    code = _code(function)
    try:
        yield
    except NotImplementedError as error:
        if _raised_in(error.__traceback__) is not code:
            raise
        display(NotWritten(getattr(function, "__name__", "the function"), str(error)))


class NotWritten:
    """The note for an unwritten function, as text and as HTML.

    Attributes:
        function: its name.
        message: what its stub says.
    """

    def __init__(self, function: str, message: str = "") -> None:
        self.function = function
        self.message = message

    def __repr__(self) -> str:
        return (
            f"{self.function} isn't written yet. Fill in the part between START OF YOUR CODE and "
            "END OF YOUR CODE, run that cell, then run this one again."
        )

    def _repr_html_(self) -> str:
        return (
            '<div style="border-left: 4px solid #d98a00; background: #fff7e6; color: #3b2f14; '
            'padding: 0.6em 1em; border-radius: 3px; max-width: 44em">'
            f"<b><code>{html.escape(self.function)}</code> isn't written yet.</b> Fill in the part "
            "between <i>START OF YOUR CODE</i> and <i>END OF YOUR CODE</i>, run that cell, then "
            "run this one again.</div>"
        )


def _code(function: Any) -> CodeType:
    """The code that `function` runs, seen through functools.partial and decorators."""
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        partial = isinstance(function, functools.partial)
        function = function.func if partial else function.__wrapped__
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        raise TypeError(
            f"once_written expected the exercise's function, got {type(function).__name__}; "
            "write its name without parentheses"
        )
    return code


def _raised_in(traceback: TracebackType | None) -> CodeType | None:
    """The code of the frame that raised."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code if traceback else None
