"""The saliency exercise: its probes, and what it makes of the answers.

A map is explained as one choice of objective, of how the channels come together, and of scale;
the right map is the first of them. So a map of the loss that takes the maximum rightly earns
the points for the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_utils.exercises.judges import common
from cs231n_utils.exercises.judges.common import agrees, blocked, found, shape_text, what_came
from cs231n_utils.exercises.judges.mistakes import CATALOGUE, OBJECTIVES, Objective
from cs231n_utils.exercises.judges.oracle import Array, Landscape
from cs231n_utils.exercises.judges.pretrained import NETWORK, as_image, picture
from cs231n_utils.exercises.observe import Observation
from cs231n_utils.exercises.probes import NetworkSpec, Probe, image_like
from cs231n_utils.exercises.verdict import Finding, Mistake, Picture, Verdict, settle

EXERCISE = "saliency_maps"

SCORE = "The gradient is that of the score of class y"
CHANNELS = "Each pixel holds the largest |gradient| over its three channels"
BATCHES = "The map has shape (N, H, W) and the same values for any number of images"
SINGLE = "A single image keeps its axis: (1, H, W)"
EVALUATION = "The network is in evaluation mode"
UNHARMED = "The caller's X keeps its values"

BATCH_PROBES = ("five", "two", "seven")
MODE_PROBES = ("batch norm", "dropout")
PICTURE, PICTURE_SIZE = "picture", 112


def make_probes(rng: np.random.Generator) -> list[Probe]:
    """Draw the probes: five networks of 3 to 1000 classes, 1 to 7 images, none of them square.

    y is never the predicted class, or "the top score" would be right.
    """

    def probe(name: str, num: int, side: tuple[int, int], **network: Any) -> Probe:
        spec = NetworkSpec(seed=int(rng.integers(2**31)), **network)
        X = image_like(rng, num, 3, *side)
        scores = Landscape(spec, X).scores
        y = (scores.argmax(1) + rng.integers(1, scores.shape[1], num)) % scores.shape[1]
        return Probe(EXERCISE, name, spec, {"X": X, "y": y}, seed=int(rng.integers(2**31)))

    probes = [
        # Five is the number of pictures in the notebook.
        probe("five", 5, (18, 26), num_classes=10, activation="silu"),
        probe("two", 2, (16, 11), num_classes=1000, activation="tanh"),
        probe("seven", 7, (9, 14), num_classes=3, activation="leaky"),
        probe("one", 1, (15, 12), num_classes=20, activation="softplus"),
        probe("batch norm", 5, (10, 13), num_classes=6, batch_norm=True, training=True),
        probe("dropout", 5, (10, 12), num_classes=8, dropout=0.5, training=True),
    ]
    old_grad = rng.normal(size=probes[1].arrays["X"].shape).astype(np.float32)
    again = replace(probes[1], name="old gradient")
    X, label = picture(rng, PICTURE_SIZE)
    return [
        *probes,
        replace(again, arrays={**again.arrays, "old_grad": old_grad}),
        # Only to be shown: a large network's rounding is no matter for a mark.
        Probe(EXERCISE, PICTURE, NETWORK, {"X": X, "y": np.array([label])}),
    ]


@dataclass(frozen=True)
class Reduction:
    """A way from a gradient (N, 3, H, W) to a map (N, H, W)."""

    name: str
    apply: Callable[[Array], Array]


REDUCTIONS: tuple[Reduction, ...] = (
    Reduction("", lambda g: np.abs(g).max(axis=1)),
    Reduction("no-abs", lambda g: g.max(axis=1)),
    Reduction("max-before-abs", lambda g: np.abs(g.max(axis=1))),
    Reduction("mean-over-channels", lambda g: np.abs(g).mean(axis=1)),
    Reduction("sum-over-channels", lambda g: np.abs(g).sum(axis=1)),
    Reduction("norm-over-channels", lambda g: np.sqrt((g**2).sum(axis=1))),
    Reduction("min-over-channels", lambda g: np.abs(g).min(axis=1)),
    Reduction("signed-mean", lambda g: g.mean(axis=1)),
    Reduction("signed-mean", lambda g: g.sum(axis=1)),
    Reduction("signed-mean", lambda g: np.abs(g.mean(axis=1))),
    Reduction("signed-mean", lambda g: np.abs(g.sum(axis=1))),
    Reduction("one-channel", lambda g: np.abs(g[:, 0])),
    Reduction("one-channel", lambda g: np.abs(g[:, 1])),
    Reduction("one-channel", lambda g: np.abs(g[:, 2])),
    Reduction("squared", lambda g: (g**2).max(axis=1)),
)


def _stretch(maps: Array, axis: tuple[int, ...] | None) -> Array:
    low = maps.min(axis=axis, keepdims=True)
    return np.asarray((maps - low) / (maps.max(axis=axis, keepdims=True) - low))


SCALES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("", lambda m: m),
    ("mean-over-batch", lambda m: m / len(m)),
    ("normalised", lambda m: m / m.max(axis=(1, 2), keepdims=True)),
    ("normalised", lambda m: m / m.max()),
    ("normalised", lambda m: _stretch(m, (1, 2))),
    ("normalised", lambda m: _stretch(m, None)),
    ("normalised", lambda m: m / np.sqrt((m**2).sum(axis=(1, 2), keepdims=True))),
)


@dataclass(frozen=True)
class Explanation:
    """One way to compute a map. The default is the right one."""

    objective: Objective = OBJECTIVES[0]
    sign: int = 1
    times_pixel: bool = False
    reduction: Reduction = REDUCTIONS[0]
    scale: tuple[str, Callable[[Array], Array]] = SCALES[0]

    @property
    def changes(self) -> int:
        """How many choices differ from the right ones."""
        return sum(
            (
                self.objective is not OBJECTIVES[0],
                self.sign < 0 and self.objective.name != "cross-entropy",
                self.times_pixel,
                self.reduction is not REDUCTIONS[0],
                # The mean loss is what torch's cross_entropy gives: one choice, not two.
                self.scale[0] != "" and not self._mean_loss,
            )
        )

    @property
    def _mean_loss(self) -> bool:
        return self.objective.name == "cross-entropy" and self.scale[0] == "mean-over-batch"

    def map(self, probe: Probe, training: bool = False) -> Array:
        """(N, H, W), as computed this way on a probe."""
        at = landscape(probe.name, probe.network, _Key(probe.arrays["X"]), training)
        gradient = self.sign * at.gradient(self.objective.weights(at, probe.arrays["y"]))
        if self.times_pixel:
            gradient = gradient * probe.arrays["X"]
        with np.errstate(all="ignore"):
            return self.scale[1](self.reduction.apply(gradient))

    @property
    def objective_mistake(self) -> Mistake | None:
        """What is wrong with what was differentiated."""
        name, averaged = self.objective.name, self.scale[0] == "mean-over-batch"
        if name == "cross-entropy":
            if averaged:
                return CATALOGUE["saliency/mean-cross-entropy"]
            signed = self.reduction.name in ("no-abs", "max-before-abs", "signed-mean")
            if signed and self.sign < 0:
                return CATALOGUE["saliency/log-probability"]
            return CATALOGUE["saliency/cross-entropy"]
        if name != "score":
            return CATALOGUE[f"saliency/{name}"]
        return CATALOGUE["saliency/mean-over-batch"] if averaged else None

    @property
    def channel_mistake(self) -> Mistake | None:
        """What is wrong with how the gradient became a map."""
        if self.times_pixel:
            return CATALOGUE["saliency/times-pixel"]
        if self.reduction.name:
            return CATALOGUE[f"saliency/{self.reduction.name}"]
        return CATALOGUE["saliency/normalised"] if self.scale[0] == "normalised" else None


RIGHT = Explanation()


class _Key:
    """An array as a key of a cache: two are equal when they are the same object."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.array is other.array

    def __hash__(self) -> int:
        return id(self.array)


@lru_cache(maxsize=64)
def landscape(name: str, spec: NetworkSpec, X: _Key, training: bool) -> Landscape:
    """The landscape of a probe, made once for all explanations and all submissions."""
    return Landscape(spec, X.array, training)


def explanations() -> Iterator[Explanation]:
    """All ways to be wrong that are searched, those with the fewest changes first."""
    space = [
        Explanation(objective, sign, times_pixel, reduction, scale)
        for objective in OBJECTIVES
        for reduction in REDUCTIONS
        for scale in SCALES
        for times_pixel in (False, True)
        for sign in (1, -1)
    ]
    return iter(sorted((e for e in space if 0 < e.changes <= 2), key=lambda e: e.changes))


def judge(probes: Sequence[Probe], observations: Mapping[str, Observation]) -> Verdict:
    """Judge what came back for each of the probes of `make_probes`."""
    by_name = {probe.name: probe for probe in probes}
    maps = {name: _map(by_name[name], observations[name]) for name in by_name}
    usable = {n: m for n in (*BATCH_PROBES, "one") if (m := maps[n]) is not None}
    how = explain(by_name, usable)
    if how is None:
        values = _unexplained(by_name, observations, usable)
        rest = [(BATCHES, 1), (SINGLE, 1), (EVALUATION, 1), (UNHARMED, 1)]
        findings = [*values, *(blocked(name, points, SCORE) for name, points in rest)]
    else:
        findings = [
            _finding_score(how),
            _finding_channels(how),
            _finding_batches(how, by_name, observations),
            _finding_single(how, by_name, observations),
            _finding_mode(how, by_name, maps),
            _finding_unharmed(by_name, observations),
        ]
    return settle(
        EXERCISE,
        findings,
        remarks=_remarks(by_name, maps),
        pictures=_pictures(by_name, maps, how),
    )


def _map(probe: Probe, seen: Observation) -> Array | None:
    """The map that came back, in the shape (N, H, W) if its number of values allows that."""
    result = seen.arrays.get("result")
    n, _, h, w = probe.arrays["X"].shape
    if result is None or result.size != n * h * w:
        return None
    return result.astype(np.float64).reshape(n, h, w)


def explain(probes: Mapping[str, Probe], maps: Mapping[str, Array]) -> Explanation | None:
    """The simplest way to compute all the maps; failing that, most of them; None if none does.

    Five images come first: that is what the notebook shows, and what some solutions are bound to.
    """
    if not maps:
        return None

    def fits(how: Explanation, name: str) -> bool:
        return agrees(maps[name], how.map(probes[name]))

    if all(fits(RIGHT, name) for name in maps):
        return RIGHT
    main = next(name for name in (*BATCH_PROBES, "one") if name in maps)
    partly: Explanation | None = None
    for how in (RIGHT, *explanations()):
        if fits(how, main):
            if all(fits(how, name) for name in maps):
                return how
            partly = partly or how
    return partly


def _finding_score(how: Explanation) -> Finding:
    mistake = how.objective_mistake
    return found(
        SCORE,
        mistake is None,
        3,
        expected="∂ s_y / ∂ pixel, s_y being the network's raw output for class y",
        got=mistake.what if mistake else "",
        mistake=mistake,
    )


def _finding_channels(how: Explanation) -> Finding:
    mistake = how.channel_mistake
    return found(
        CHANNELS,
        mistake is None,
        3,
        expected="the maximum over the channels of |gradient|, its values left as they are",
        got=mistake.what if mistake else "",
        mistake=mistake,
    )


def _unexplained(
    probes: Mapping[str, Probe],
    observations: Mapping[str, Observation],
    maps: Mapping[str, Array],
) -> list[Finding]:
    """The two findings about values, when they are wrong in no known way."""
    name = next((n for n in (*BATCH_PROBES, "one") if n in maps), "five")
    probe, seen = probes[name], observations[name]
    if name not in maps:
        expected = f"a map of shape {_shape(probe)} for {_images(probe)}"
        return [
            found(SCORE, False, 3, expected=expected, got=what_came(seen), advice=_advice(seen)),
            blocked(CHANNELS, 3, SCORE),
        ]
    yours, right = maps[name], RIGHT.map(probe)
    if not np.isfinite(yours).all():
        got = f"{np.mean(~np.isfinite(yours)):.0%} of the values are not finite numbers"
        advice = "Find the operation whose result first is nan or inf."
    elif not yours.any():
        got, advice = "zeros everywhere", "Check that a gradient reaches X, and that you return it."
    else:
        n, h, w = np.unravel_index(int(np.abs(yours - right).argmax()), yours.shape)
        got = (
            f"the largest difference is in image {n} at row {h}, column {w}: {yours[n, h, w]:.4g} "
            f"instead of {right[n, h, w]:.4g}"
        )
        advice = "Take one image and one pixel, and follow how its value comes about."
    expected = f"the reference within {common.TOLERANCE:.1%} of its largest value"
    return [
        found(SCORE, False, 3, expected=expected, got=got, advice=advice),
        blocked(CHANNELS, 3, SCORE),
    ]


def _holds(how: Explanation, probe: Probe, seen: Observation, training: bool = False) -> bool:
    """Whether the result has the right shape and the values that this explanation gives."""
    result = seen.arrays.get("result")
    if result is None or result.shape != _full_shape(probe):
        return False
    return agrees(result.astype(np.float64), how.map(probe, training))


def _finding_batches(
    how: Explanation, probes: Mapping[str, Probe], observations: Mapping[str, Observation]
) -> Finding:
    wrong = [n for n in BATCH_PROBES if not _holds(how, probes[n], observations[n])]
    if not wrong:
        return found(BATCHES, True, 1)
    probe, seen = probes[wrong[0]], observations[wrong[0]]
    mistake = _shape_mistake(probe, seen)
    if mistake is None and len(wrong) < len(BATCH_PROBES):
        mistake = CATALOGUE["saliency/batch-size"]
    return found(
        BATCHES,
        False,
        1,
        expected=f"{_shape(probe)} for {_images(probe)}",
        got=what_came(seen),
        mistake=mistake,
        advice=_advice(seen) if mistake is None else "",
    )


def _finding_single(
    how: Explanation, probes: Mapping[str, Probe], observations: Mapping[str, Observation]
) -> Finding:
    probe, seen = probes["one"], observations["one"]
    passed = _holds(how, probe, seen)
    lost = shape_text(_full_shape(probe)[1:])
    result = seen.arrays.get("result")
    mistake = _shape_mistake(probe, seen)
    if result is not None and result.shape == _full_shape(probe)[1:]:
        mistake = CATALOGUE["saliency/lost-axis"]
    elif seen.raised is not None and _only_single_raises(observations):
        mistake = CATALOGUE["saliency/lost-axis"] if _axis_error(seen) else None
    return found(
        SINGLE,
        passed,
        1,
        expected=f"a map of shape {_shape(probe)} for one image, not {lost}",
        got=what_came(seen),
        mistake=mistake,
        advice="Call your function on X[:1] and y[:1] and look at the shapes on the way.",
    )


def _only_single_raises(observations: Mapping[str, Observation]) -> bool:
    return all(observations[name].raised is None for name in BATCH_PROBES)


def _axis_error(seen: Observation) -> bool:
    """Whether an exception speaks of a missing axis, as it does after squeeze()."""
    text = str(seen.raised).lower()
    return any(word in text for word in ("dimension", "0-d", "scalar", "iterate", "shape"))


def _finding_mode(
    how: Explanation, probes: Mapping[str, Probe], maps: Mapping[str, Array | None]
) -> Finding:
    wrong = [n for n in MODE_PROBES if (m := maps[n]) is None or not agrees(m, how.map(probes[n]))]
    normed = maps["batch norm"]
    training = normed is not None and agrees(normed, how.map(probes["batch norm"], True))
    return found(
        EVALUATION,
        not wrong,
        1,
        expected="the map of the network in evaluation mode",
        got=f"another map from a network with {' and '.join(wrong)}",
        mistake=CATALOGUE["saliency/training-mode"] if training else None,
        advice="" if training else "Compare two calls on the same pictures.",
    )


def _finding_unharmed(
    probes: Mapping[str, Probe], observations: Mapping[str, Observation]
) -> Finding:
    changed = [
        probe
        for name, probe in probes.items()
        if not np.array_equal(observations[name].arrays["X_after"], probe.arrays["X"])
    ]
    return found(
        UNHARMED,
        not changed,
        1,
        expected="X as it was",
        got="other values in X after the call",
        mistake=CATALOGUE["saliency/changed-X"],
    )


def _remarks(probes: Mapping[str, Probe], maps: Mapping[str, Array | None]) -> list[Mistake]:
    """Say when an old gradient in X is added in. It costs nothing: the contract allows it."""
    probe, yours = probes["old gradient"], maps["old gradient"]
    if yours is None or agrees(yours, RIGHT.map(probe)):
        return []
    at = landscape(probe.name, probe.network, _Key(probe.arrays["X"]), False)
    added = at.score_gradient(probe.arrays["y"]) + probe.arrays["old_grad"]
    doubled = agrees(yours, RIGHT.reduction.apply(added))
    return [CATALOGUE["saliency/old-gradient"]] if doubled else []


def _pictures(
    probes: Mapping[str, Probe], maps: Mapping[str, Array | None], how: Explanation | None
) -> list[Picture]:
    """A real picture's map beside the reference, or a random one's if that did not work."""
    yours = maps[PICTURE]
    if yours is not None:
        right = RIGHT.map(probes[PICTURE])
        return [
            Picture(
                "Saliency of a picture in the menagerie's network",
                yours[0],
                right[0],
                original=as_image(probes[PICTURE].arrays["X"][0]),
                # Decided by the random probes; here only a rough look, for the picture's frame.
                passed=how == RIGHT and agrees(yours, right, 0.05),
            )
        ]
    for name in BATCH_PROBES:
        if (yours := maps[name]) is not None:
            right = RIGHT.map(probes[name])
            off = np.nan_to_num(np.abs(yours - right), nan=np.inf)
            worst = int(off.max(axis=(1, 2)).argmax())
            title = f"Saliency in a random network, image {worst} of {len(right)}"
            return [Picture(title, yours[worst], right[worst], passed=agrees(yours, right))]
    return []


def _shape_mistake(probe: Probe, seen: Observation) -> Mistake | None:
    result = seen.arrays.get("result")
    wrong = result is not None and result.shape != _full_shape(probe)
    return CATALOGUE["saliency/shape"] if wrong else None


def _full_shape(probe: Probe) -> tuple[int, ...]:
    n, _, h, w = probe.arrays["X"].shape
    return n, h, w


def _shape(probe: Probe) -> str:
    return shape_text(_full_shape(probe))


def _images(probe: Probe) -> str:
    n = len(probe.arrays["X"])
    return f"{n} image{'s' if n > 1 else ''} and a network of {probe.network.num_classes} classes"


def _advice(seen: Observation) -> str:
    if seen.raised is not None:
        return "Call your function on as many images yourself; the line above is where it stops."
    if seen.result_type == "NoneType":
        return "Check that your function returns its result."
    return "Print the shape of what you return."
