"""Random choices that come out the same on every machine.

Only ``Generator.random`` of PCG64 is used: one double per choice, no rejection
loops, no distributions whose algorithm a NumPy release may change.
"""

from collections.abc import Sequence
from typing import TypeVar

from numpy.random import PCG64, Generator, SeedSequence

T = TypeVar("T")


class Dice:
    """A stream of choices named by a tuple of non-negative integers."""

    def __init__(self, *name: int) -> None:
        self._generator = Generator(PCG64(SeedSequence(list(name))))

    def between(self, low: float, high: float) -> float:
        """A real number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the other."""
        return options[int(self._generator.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self._generator.random() < probability)
