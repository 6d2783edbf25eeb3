"""Preloaded into Dask workers: a notebook's cells are not run, the fake exercises' answer is 42."""

from __future__ import annotations

from typing import Any

import numpy as np

from cs231n_utils.exercises.observe import Observation
from cs231n_utils.exercises.transport import Answer, pack_answer, unpack_probes
from cs231n_utils.grading.client import Client


def _run(self: Client, nb: Any, order: list[int], ask: int | None, function: str,
         questions: bytes) -> bytes:
    self.dead, self.reason, self.late = None, "", []
    seen = tuple(
        Observation(probe.name, arrays={"result": np.array(42.0)}, result_type="ndarray")
        for probe in unpack_probes(questions)
    )
    return pack_answer(Answer(seen))


Client.run = _run  # type: ignore[method-assign]
