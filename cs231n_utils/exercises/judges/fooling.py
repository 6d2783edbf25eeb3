"""The fooling exercise: its probes, and what it makes of the answers.

The network of a probe records the pictures it is called with, so the steps of a loop can be
seen: each is compared with the reference step from the very same point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cs231n_utils.exercises.judges.common import blocked, found, shape_text, what_came
from cs231n_utils.exercises.judges.mistakes import ASCENTS, CATALOGUE, Objective
from cs231n_utils.exercises.judges.oracle import Array, Landscape
from cs231n_utils.exercises.judges.pretrained import NETWORK, as_image, picture
from cs231n_utils.exercises.observe import Observation
from cs231n_utils.exercises.probes import NetworkSpec, Probe, build_network, image_like
from cs231n_utils.exercises.verdict import Finding, Mistake, Picture, Verdict, settle

EXERCISE = "fooling_images"

DIRECTION = "Each step follows the gradient of the target's score, uphill"
LENGTH = "Each step has length 1: the learning rate times the gradient over its norm"
START = "The first step starts from X"
STOP = "The loop stops as soon as the network is fooled"
FOOLED = "The network sees the target in what comes back, and it is close to X"
UNHARMED = "The caller's X keeps its values"

STEP_PROBES = ("few classes", "many classes")
PICTURE, PICTURE_SIZE, MOST_STEPS = "picture", 96, 16
JUDGED_STEPS = 6
"""Steps compared on each probe: two show what accumulates, six show what comes late."""

TOLERANCE = 1e-3
"""Largest error of a step, relative to its length: float32 gives 1e-5, mistakes 1e-1."""

CLOSE = 1.5
"""How much further from X than the reference a fooling image may lie."""


def make_probes(rng: np.random.Generator) -> list[Probe]:
    """Draw the probes: two whose steps are judged, and two that can't be fooled."""
    # Scores below zero in one, above in the other: the logarithm of a score can't be right in both.
    few = _reachable(rng, "few classes", (14, 18), -1, num_classes=8, batch_norm=True)
    many = _reachable(rng, "many classes", (12, 9), 1, num_classes=100, activation="softplus")
    return [few, many, _pretrained(rng), *_hopeless(rng)]


def _reachable(
    rng: np.random.Generator, name: str, side: tuple[int, int], sign: int, **network: Any
) -> Probe:
    """A probe on which the reference needs 4 to 7 steps, with a clear margin before and after.

    Climbs a random target's score, then lowers that score by a constant such that the target
    overtakes all others exactly between two of the points. A constant changes no gradient, and
    one for all classes no probability: that brings all scores to one side of zero.
    """
    while True:
        spec = NetworkSpec(seed=int(rng.integers(2**31)), **network)
        X = image_like(rng, 1, 3, *side)
        target = int(rng.integers(spec.num_classes))
        steps = int(rng.integers(4, 8))
        margins, largest = [], 0.0
        for at in _climb(spec, X, target, steps):
            largest = max(largest, float(np.abs(at.scores).max()))
            others = np.delete(at.scores[0], target)
            margins.append(float(at.scores[0, target] - others.max()))
        rises = np.diff(margins)
        if (rises > 0.02 * spec.gain / 20).all():
            offset = np.full(spec.num_classes, sign * (2 * largest + 1))
            offset[target] -= (margins[-1] + margins[-2]) / 2
            return Probe(
                EXERCISE,
                name,
                replace(spec, bias=tuple(enumerate(offset.tolist()))),
                {"X": X},
                target=target,
                seed=int(rng.integers(2**31)),
            )


def _pretrained(rng: np.random.Generator) -> Probe:
    """A picture in the shipped network, with a target that the reference reaches soon."""
    for _ in range(40):
        X, _label = picture(rng, PICTURE_SIZE)
        runners_up = Landscape(NETWORK, X).scores[0].argsort()[-6:-1]
        target, steps = int(rng.choice(runners_up)), 0
        for at in _climb(NETWORK, X, target, MOST_STEPS):
            if at.scores[0].argmax() == target:
                break
            steps += 1
        if 2 <= steps <= MOST_STEPS:
            return Probe(EXERCISE, PICTURE, NETWORK, {"X": X}, target=target)
    raise RuntimeError(f"no target is reached within {MOST_STEPS} steps in the shipped network")


def _climb(spec: NetworkSpec, X: NDArray[Any], target: int, steps: int) -> Iterator[Landscape]:
    """The landscapes at the points of the reference's path: `steps` + 1 of them."""
    x = X.astype(np.float64)
    for _ in range(steps + 1):
        at = Landscape(spec, x)
        yield at
        g = at.score_gradient(target)
        x = x + g / np.linalg.norm(g)


def _hopeless(rng: np.random.Generator) -> list[Probe]:
    """Two probes for remarks only: a target that never catches up, and one with no gradient."""
    target, other = 2, 1
    seed, X = int(rng.integers(2**31)), image_like(rng, 1, 3, 8, 7)
    twin = NetworkSpec(4, seed, twin=(target, other), bias=((target, -2.0),))
    dead = NetworkSpec(4, seed, silent=target, bias=((target, -50.0),))
    return [
        Probe(EXERCISE, "out of reach", twin, {"X": X}, target=target),
        Probe(EXERCISE, "no gradient", dead, {"X": X}, target=target, max_calls=20),
    ]


@dataclass(frozen=True)
class Path:
    """The reference's path on a probe.

    Attributes:
        steps: how many it takes.
        result: (1, 3, H, W), where it ends.
    """

    steps: int
    result: Array


@lru_cache(maxsize=64)
def _reference(key: _ProbeKey) -> Path:
    probe = key.probe
    assert probe.target is not None
    x = probe.arrays["X"].astype(np.float64)
    for steps in range(100):
        at = Landscape(probe.network, x)
        if at.scores[0].argmax() == probe.target:
            return Path(steps, x)
        g = at.score_gradient(probe.target)
        x = x + g / np.linalg.norm(g)
    raise RuntimeError(f"the reference does not reach the target of probe {probe.name!r}")


class _ProbeKey:
    """A probe as a key of a cache: the same object is the same key."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ProbeKey) and self.probe is other.probe

    def __hash__(self) -> int:
        return id(self.probe)


class Trajectory:
    """The points that a function went through on a probe, and the landscape at each.

    Attributes:
        points: (T, 3, H, W) float64: the pictures that the network saw, then what came back
            unless that was one of them.
        result: what came back, (1, 3, H, W) and finite, or None.
    """

    def __init__(self, probe: Probe, seen: Observation) -> None:
        self.probe, self.seen = probe, seen
        X = probe.arrays["X"]
        points = seen.arrays.get("inputs", np.empty((0, *X.shape[1:])))
        if points.shape[1:] != X.shape[1:]:
            points = np.empty((0, *X.shape[1:]))
        points = points.astype(np.float64)
        result = seen.arrays.get("result")
        self.result: Array | None = None
        if result is not None and result.shape == X.shape and np.isfinite(result).all():
            self.result = result.astype(np.float64)
            if len(points) and not any(_close(self.result[0], point) for point in points):
                points = np.concatenate([points, self.result])
        self.points = points[np.isfinite(points).all(axis=(1, 2, 3))]
        self._landscapes: dict[tuple[int, bool], Landscape] = {}

    @cached_property
    def fooled_at(self) -> int | None:
        """The index of the first point that the checker's network takes for the target."""
        return next((t for t in range(len(self.points)) if self.is_fooled(t)), None)

    def at(self, t: int, training: bool = False) -> Landscape:
        """The landscape at a point, computed once."""
        key = (t, training)
        if key not in self._landscapes:
            self._landscapes[key] = Landscape(self.probe.network, self.points[t][None], training)
        return self._landscapes[key]

    def is_fooled(self, t: int) -> bool:
        """Whether the target has the highest score at a point."""
        return int(self.at(t).scores[0].argmax()) == self.probe.target

    @property
    def steps(self) -> Array:
        """(S, 3, H, W): the steps to be judged, those from points that did not fool yet."""
        last = len(self.points) - 1
        if self.fooled_at is not None:
            last = min(last, self.fooled_at)
        return np.asarray(np.diff(self.points[: min(last, JUDGED_STEPS) + 1], axis=0))


def _close(one: Array, other: Array) -> bool:
    return bool(np.abs(one - other).max() <= 1e-5 * max(1.0, float(np.abs(other).max())))


@dataclass(frozen=True)
class Explanation:
    """One way to take a step. The default is the right one.

    Attributes:
        objective: what is climbed.
        sign: -1 to go down.
        accumulated: whether the gradients of all iterations so far are added up.
        training: whether the network is in training mode.
        bend: "", "sign" or "per-channel": a change that is not along the gradient.
        length: "" for 1, or the mistake that explains it.
    """

    objective: Objective = ASCENTS[0]
    sign: int = 1
    accumulated: bool = False
    training: bool = False
    bend: str = ""
    length: str = ""

    @property
    def changes(self) -> int:
        """How many choices of direction differ from the right ones."""
        return sum(
            (
                self.objective is not ASCENTS[0],
                self.sign < 0,
                self.accumulated,
                self.training,
                bool(self.bend),
            )
        )

    def gradients(self, path: Trajectory) -> Array:
        """(S, 3, H, W): what is climbed at each judged point, before it is scaled."""
        target = np.array([path.probe.target])
        gradients = [
            at.gradient(self.objective.weights(at, target))[0]
            for at in (path.at(t, self.training) for t in range(len(path.steps)))
        ]
        stacked = self.sign * np.stack(gradients)
        return np.cumsum(stacked, axis=0) if self.accumulated else stacked

    def directions(self, path: Trajectory) -> Array:
        """(S, 3, H, W) of length 1."""
        g = self.gradients(path)
        if self.bend == "sign":
            g = np.sign(g)
        if self.bend == "per-channel":
            g = g / np.sqrt((g**2).sum(axis=(2, 3), keepdims=True))
        return _unit(g)

    @property
    def mistakes(self) -> list[Mistake]:
        """What is wrong with the direction; the gravest first."""
        ids = []
        if self.objective is not ASCENTS[0]:
            name = self.objective.name
            if name == "probability":
                name = "cross-entropy"  # one direction, one lesson
            ids.append(name)
        if self.sign < 0:
            ids.append("descent")
        ids += [self.bend] if self.bend else []
        ids += ["accumulated"] if self.accumulated else []
        ids += ["training-mode"] if self.training else []
        return [CATALOGUE[f"fooling/{name}"] for name in ids]


RIGHT = Explanation()

LENGTHS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("", lambda g: np.ones(len(g))),
    ("not-normalised", lambda g: _norms(g)),
    ("squared-norm", lambda g: 1 / _norms(g)),
    ("other-norm", lambda g: _norms(g) / np.abs(g).max(axis=(1, 2, 3))),
    ("other-norm", lambda g: _norms(g) / np.abs(g).sum(axis=(1, 2, 3))),
    ("other-norm", lambda g: _norms(g) / np.abs(g).mean(axis=(1, 2, 3))),
    ("other-norm", lambda g: _norms(g) / g.std(axis=(1, 2, 3), ddof=1)),
)


def _norms(g: Array) -> Array:
    return np.asarray(np.sqrt((g**2).sum(axis=(1, 2, 3))))


def _unit(g: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(g / _norms(g)[:, None, None, None])


def explanations() -> Iterator[Explanation]:
    """All directions that are searched, those with the fewest changes first."""
    space = [
        Explanation(objective, sign, accumulated, training, bend)
        for objective in ASCENTS
        for sign in (1, -1)
        for accumulated in (False, True)
        for training in (False, True)
        for bend in ("", "sign", "per-channel")
    ]
    return iter(sorted((e for e in space if e.changes <= 2), key=lambda e: e.changes))


def explain(paths: Sequence[Trajectory]) -> Explanation | None:
    """The simplest way to take all the judged steps, or None; its length is looked at too."""
    if not paths:
        return None
    best: Explanation | None = None
    for how in explanations():
        if best is not None and (best.length != "?" or how.changes > best.changes):
            break
        if all(_follows(how, path) for path in paths):
            how = replace(how, length=_length(how, paths))
            # Two objectives can have one direction; their lengths then tell them apart.
            best = how if best is None or how.length != "?" else best
    return best


def _follows(how: Explanation, path: Trajectory) -> bool:
    wanted, taken = how.directions(path), _unit(path.steps)
    return bool(_norms(wanted - taken).max() <= TOLERANCE)


def _length(how: Explanation, paths: Sequence[Trajectory]) -> str:
    """What the length of the steps is: "" for 1, or a mistake, or "?" for neither."""
    taken = [_norms(path.steps) for path in paths]
    for name, rule in LENGTHS:
        wanted = [rule(how.gradients(path)) for path in paths]
        if all(_alike(one, other) for one, other in zip(taken, wanted, strict=True)):
            return name
    natural = {"sign": np.prod(paths[0].points.shape[1:]) ** 0.5, "per-channel": 3**0.5}
    every = np.concatenate(taken)
    if how.bend and _alike(taken[0], np.full_like(taken[0], natural[how.bend])):
        return how.bend
    return "learning-rate" if _alike(every, np.full_like(every, every[0])) else "?"


def _alike(one: Array, other: Array) -> bool:
    return bool((np.abs(one - other) <= TOLERANCE * np.abs(other)).all())


def judge(probes: Sequence[Probe], observations: Mapping[str, Observation]) -> Verdict:
    """Judge what came back for each of the probes of `make_probes`."""
    by_name = {probe.name: probe for probe in probes}
    judged = [probe for probe in probes if probe.name in STEP_PROBES]
    paths = [Trajectory(probe, observations[probe.name]) for probe in judged]
    real = Trajectory(by_name[PICTURE], observations[PICTURE])
    moving = [path for path in paths if len(path.steps)]
    how = explain(moving)
    if moving:
        findings = [
            _finding_direction(how, moving),
            _finding_length(how, moving),
            _finding_start(moving),
            _finding_stop(paths, how),
            _finding_fooled([*paths, real]),
            _finding_unharmed([*judged, by_name[PICTURE]], observations),
        ]
    else:
        findings = _no_steps(paths)
    return settle(
        EXERCISE,
        findings,
        remarks=_remarks(by_name, observations),
        pictures=_pictures(real),
    )


def _no_steps(paths: Sequence[Trajectory]) -> list[Finding]:
    seen = paths[0].seen
    got = what_came(seen)
    if seen.raised is None and not seen.stopped:
        got = f"{got}; the network saw {len(paths[0].points)} picture(s) and no step between them"
    return [
        found(
            DIRECTION,
            False,
            3,
            expected="a loop that gives its picture to `model`, steps, and gives it to it again",
            got=got,
            advice="Print the target's score in every iteration, and see whether it changes.",
        ),
        *(
            blocked(name, points, DIRECTION)
            for name, points in ((LENGTH, 2), (START, 1), (STOP, 1), (FOOLED, 2), (UNHARMED, 1))
        ),
    ]


def _finding_direction(how: Explanation | None, paths: Sequence[Trajectory]) -> Finding:
    if how is None:
        got, advice = _first_departure(paths)
        return found(
            DIRECTION, False, 3, expected="steps along ∂ s_target / ∂ X", got=got, advice=advice
        )
    mistakes = how.mistakes
    got = " ".join(mistake.what for mistake in mistakes)
    return found(
        DIRECTION,
        not mistakes,
        3,
        expected="steps along ∂ s_target / ∂ X, the gradient at the point where each starts",
        got=got,
        mistake=mistakes[0] if mistakes else None,
    )


def _first_departure(paths: Sequence[Trajectory]) -> tuple[str, str]:
    """Where the steps first leave the reference, and what to look at; no cause is invented."""
    for path in paths:
        wanted, taken = RIGHT.directions(path), _unit(path.steps)
        for t, (w, s) in enumerate(zip(wanted, taken, strict=True)):
            if np.linalg.norm(w - s) > TOLERANCE:
                angle = np.degrees(np.arccos(np.clip((w * s).sum(), -1, 1)))
                first = "Your steps are right up to there." if t else "It is the very first step."
                return (
                    f"step {t + 1} is {angle:.3g} degrees off the gradient (90 would be no "
                    "climb at all)",
                    f"{first} Compare it with the gradient that you expect there.",
                )
    raise AssertionError("an unexplained path departs somewhere")


def _finding_length(how: Explanation | None, paths: Sequence[Trajectory]) -> Finding:
    lengths = np.concatenate([_norms(path.steps) for path in paths])
    passed = _alike(lengths, np.ones_like(lengths))
    name = how.length if how is not None else ""
    # A direction with a length of its own was named above, once is enough.
    bent = how is not None and name == how.bend
    mistake = CATALOGUE.get(f"fooling/{name}") if not passed and not bent else None
    shown = ", ".join(f"{length:.4g}" for length in lengths[:4])
    return found(
        LENGTH,
        passed,
        2,
        expected="steps of Euclidean length 1",
        got=f"steps of length {shown}{', …' if len(lengths) > 4 else ''}",
        mistake=mistake,
        advice="Compute the Euclidean length of the step you take.",
    )


def _finding_start(paths: Sequence[Trajectory]) -> Finding:
    off = [
        float(np.abs(path.points[0] - path.probe.arrays["X"][0]).max())
        for path in paths
        if not _close(path.points[0], path.probe.arrays["X"][0].astype(np.float64))
    ]
    return found(
        START,
        not off,
        1,
        expected="X itself as the first picture that the network sees",
        got=f"a picture that differs from X by up to {off[0]:.3g}" if off else "",
        mistake=CATALOGUE["fooling/other-start"],
    )


def _finding_stop(paths: Sequence[Trajectory], how: Explanation | None) -> Finding:
    wrong = next((path for path in paths if not _stopped_right(path)), None)
    if wrong is None:
        return found(STOP, True, 1)
    expected = "the first picture of the loop that the network takes for the target"
    seen, name = wrong.seen, ""
    more = " or more" if len(wrong.points) >= wrong.probe.max_records else ""
    if seen.raised is not None or (wrong.result is None and not seen.stopped):
        got = what_came(seen)
    elif wrong.fooled_at is None:
        got = f"after {len(wrong.points) - 1}{more} step(s) the network is not fooled"
        if seen.stopped:
            got += f"; the checker stopped it after {seen.calls - 1} passes"
        elif how is not None and not how.mistakes and len(wrong.points) - 1 < 30:
            name = "stops-early"
    else:
        past = len(wrong.points) - 1 - wrong.fooled_at
        got = f"{past}{more} step(s) past the first picture that fools the network"
        name = "one-step-past" if past == 1 and not seen.stopped else "never-stops"
        if past == 0:
            name, got = "", "another picture than the first that fools the network"
    return found(
        STOP,
        False,
        1,
        expected=expected,
        got=got,
        mistake=CATALOGUE.get(f"fooling/{name}"),
        advice="Compare the class that the network sees after each step with the target.",
    )


def _stopped_right(path: Trajectory) -> bool:
    """Whether what came back is the first point that fools, or one that is a tie with it."""
    if path.result is None or path.fooled_at is None:
        return False
    first = path.fooled_at
    candidates = [first]
    if first > 0 and _tied(path.at(first - 1), path.probe.target):
        candidates.append(first - 1)
    return any(_close(path.result[0], path.points[t]) for t in candidates)


def _tied(at: Landscape, target: int | None) -> bool:
    """Whether float32 could see the target on top where float64 does not quite."""
    assert target is not None
    scores = at.scores[0]
    return bool(scores.max() - scores[target] <= 1e-5 * np.abs(scores).max())


def _finding_fooled(paths: Sequence[Trajectory]) -> Finding:
    for path in paths:
        expected = f"a picture of shape {shape_text(path.probe.arrays['X'].shape)}"
        if path.result is None:
            got = what_came(path.seen)
            result = path.seen.arrays.get("result")
            if result is not None and not np.isfinite(result).all():
                got = "values that are not finite numbers"
            return found(FOOLED, False, 2, expected=expected, got=got, advice=_advice(path.seen))
        scores = _own_scores(path.probe, path.result)
        if scores.argmax() != path.probe.target:
            got = f"class {scores.argmax()} is seen, not the target {path.probe.target}"
            advice = "Look at the findings above first."
            return found(FOOLED, False, 2, expected="the target seen", got=got, advice=advice)
        reference = _reference(_ProbeKey(path.probe))
        X = path.probe.arrays["X"]
        far = float(np.linalg.norm(path.result - X))
        near = float(np.linalg.norm(reference.result - X))
        if far > CLOSE * near:
            return found(
                FOOLED,
                False,
                2,
                expected=f"a picture at a Euclidean distance of about {near:.3g} from X",
                got=f"a distance of {far:.3g}",
                advice="Look at the findings above first.",
            )
    return found(FOOLED, True, 2)


def _own_scores(probe: Probe, result: Array) -> Array:
    """The (K,) scores of the checker's own copy of the network, in float32 as students have it."""
    with torch.no_grad():
        network = build_network(replace(probe.network, training=False))
        scores = network(torch.from_numpy(result.astype(np.float32)))[0]
    return np.asarray(scores.numpy())


def _finding_unharmed(probes: Sequence[Probe], observations: Mapping[str, Observation]) -> Finding:
    same = all(
        np.array_equal(observations[probe.name].arrays["X_after"], probe.arrays["X"])
        for probe in probes
    )
    return found(
        UNHARMED,
        same,
        1,
        expected="X as it was",
        got="other values in X after the call",
        mistake=CATALOGUE["fooling/changed-X"],
    )


def _remarks(probes: Mapping[str, Probe], observations: Mapping[str, Observation]) -> list[Mistake]:
    """What a robust function would do better; the contract asks for none of it."""
    remarks = []
    if observations["out of reach"].stopped:
        remarks.append(CATALOGUE["fooling/unreachable"])
    dead = observations["no gradient"]
    values = [dead.arrays[name] for name in ("inputs", "result") if name in dead.arrays]
    if any(not np.isfinite(array).all() for array in values):
        remarks.append(CATALOGUE["fooling/dead-gradient"])
    return remarks


def _pictures(path: Trajectory) -> list[Picture]:
    """The change that was made to a real picture, beside the reference's."""
    if path.result is None:
        return []
    X = path.probe.arrays["X"]
    yours, reference = path.result - X, _reference(_ProbeKey(path.probe)).result - X
    same = float(np.abs(yours - reference).max()) <= 0.01 * float(np.abs(reference).max())
    return [
        Picture(
            "Change made to a picture for the menagerie's network, averaged over the channels",
            yours[0].mean(axis=0),
            reference[0].mean(axis=0),
            original=as_image(X[0]),
            passed=same,
            signed=True,
        )
    ]


def _advice(seen: Observation) -> str:
    if seen.raised is not None:
        return "The line above is where it stops; call your function yourself and look there."
    if seen.result_type == "NoneType":
        return "Check that your function returns its result."
    return "Look at the findings above first."
