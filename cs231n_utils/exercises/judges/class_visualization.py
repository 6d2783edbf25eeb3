"""The class visualization exercise: its probes, and what it makes of the answers.

The student's loop starts from noise and rolls the image by offsets that nobody is told. Still
every step can be judged: the network records the image of each iteration, and from one of them
to the next there is one step, a clamp, at times a blur, and a roll that is found by correlation.

A step is a combination of two known directions, `a` times the score's gradient plus `b` times
the image. Least squares give `a` and `b`; the contract says that b / a is -2 l2_reg and that a is
the learning rate. Every known mistake is another pair of numbers, or another gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from cs231n_utils.exercises.judges.common import blocked, found, shape_text, what_came
from cs231n_utils.exercises.judges.mistakes import ASCENTS, CATALOGUE, Objective
from cs231n_utils.exercises.judges.oracle import Array, Landscape
from cs231n_utils.exercises.observe import Observation
from cs231n_utils.exercises.probes import NetworkSpec, Probe, build_network
from cs231n_utils.exercises.verdict import Finding, Mistake, Picture, Verdict, settle

EXERCISE = "class_visualization"

CLIMB = "Each step climbs the score of the target class"
REGULARISER = "The regulariser pulls each pixel towards zero with 2 * l2_reg * pixel"
LENGTH = "The step is the learning rate times the gradient"
FRESH = "Each step uses the gradient of its own iteration only"
SCORE = "The picture scores higher for its class than the noise it began with would alone"
AROUND = "The loop around the step, and the picture that comes back, are as described"

SIDE = 224
"""Height and width of the image, which the function's frame sets."""

BLUR_EVERY, BLUR_SIGMA = 10, 0.5
STEP_PROBES = ("still", "jittered")

TOLERANCE = 1e-3
"""Largest part of a step that may stay unexplained, and largest relative error of its two
numbers: right solutions in float32 stay below 1e-5, mistakes are off by more than 1e-2."""

# ImageNet's mean and standard deviation per channel, of pixels in 0..1 (torchvision's docs).
_MEAN = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1)
_STD = np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
LOWEST, HIGHEST = -_MEAN / _STD, (1 - _MEAN) / _STD


def make_probes(rng: np.random.Generator) -> list[Probe]:
    """Draw the probes: one without jitter, where the whole loop is known, and one with it."""
    return [
        _probe(
            rng,
            "still",
            12.0,
            shift=-40.0,
            classes=7,
            num_iterations=4,
            max_jitter=0,
            batch_norm=True,
        ),
        # Small steps, so that even a wildly wrong one stays inside the clamp and can be named.
        _probe(rng, "jittered", 0.5, shift=40.0, classes=12, num_iterations=3, max_jitter=16),
    ]


def _probe(
    rng: np.random.Generator,
    name: str,
    length: float,
    *,
    shift: float,
    classes: int,
    num_iterations: int,
    max_jitter: int,
    batch_norm: bool = False,
) -> Probe:
    """A probe whose step is about `length` long, half of it the score's, half the regulariser's.

    The gradient's norm is set far from 1, so that dividing by it shows, and low enough that the
    softmax of the scores does not saturate. The learning rate that follows is never the default.
    """
    target, top = (int(c) for c in rng.permutation(min(classes, 10))[:2])
    seed = int(rng.integers(2**31))
    spec = NetworkSpec(classes, seed, stride=8, batch_norm=batch_norm, likeness=0.6)
    at = Landscape(spec, rng.normal(size=(1, 3, SIDE, SIDE)))
    norm = float(rng.uniform(0.15, 0.35))
    gain = spec.gain * norm / float(np.linalg.norm(at.score_gradient(target)))
    return Probe(
        EXERCISE,
        name,
        # Another class leads, so that "the top score" is not the target's; and all scores are
        # on one side of zero, so that the logarithm of one can't be right in both probes.
        replace(spec, gain=gain, bias=tuple((k, shift + 6.0 * (k == top)) for k in range(classes))),
        target=target,
        options={
            # The norm of blurred noise is about 300, that of its square's gradient twice as much.
            "l2_reg": norm / 600,
            "learning_rate": length / norm,
            "num_iterations": num_iterations,
            "blur_every": BLUR_EVERY,
            "max_jitter": max_jitter,
            "show_every": 1000,
        },
        seed=int(rng.integers(2**31)),
        max_calls=60,
        max_records=num_iterations + 4,
    )


class Steps:
    """The iterations of a function's loop on a probe, and the steps between them.

    Attributes:
        images: (T, 3, H, W) float64, what the network saw in each iteration.
        visible: the iterations whose step can be seen whole: no blur follows it.
        steps: iteration -> (3, H, W), how far the pixels went, in that iteration's own place.
        inside: iteration -> (3, H, W) bool, the pixels that were not clamped.
    """

    def __init__(self, probe: Probe, seen: Observation) -> None:
        self.probe, self.seen = probe, seen
        images = seen.arrays.get("inputs", np.empty((0, 3, SIDE, SIDE)))
        images = images.astype(np.float64)[: int(probe.options["num_iterations"])]
        usable = images.ndim == 4 and images.shape[1] == 3 and np.isfinite(images).all()
        self.images = images if usable else np.empty((0, 3, SIDE, SIDE))
        self._landscapes: dict[tuple[int, bool], Landscape] = {}
        last = len(self.images) - 1
        self.visible = [t for t in range(last) if t % BLUR_EVERY]
        self.steps: dict[int, Array] = {}
        self.inside: dict[int, NDArray[np.bool_]] = {}
        for t in self.visible:
            after = self.images[t + 1]
            if probe.options["max_jitter"]:
                assert probe.target is not None
                gradient = self.at(t).score_gradient(probe.target)[0]
                after = _rolled_back(after, [self.images[t], gradient])
            self.steps[t] = after - self.images[t]
            self.inside[t] = (after > LOWEST + 1e-6) & (after < HIGHEST - 1e-6)

    @property
    def l2_reg(self) -> float:
        return self.probe.options["l2_reg"]

    @property
    def learning_rate(self) -> float:
        return self.probe.options["learning_rate"]

    def at(self, t: int, training: bool = False) -> Landscape:
        """The landscape at an iteration's image, computed once."""
        key = (t, training)
        if key not in self._landscapes:
            self._landscapes[key] = Landscape(self.probe.network, self.images[t][None], training)
        return self._landscapes[key]


def _rolled_back(image: Array, parts: Sequence[Array]) -> Array:
    """Roll an image (3, H, W) to where it correlates best, or worst, with one of its parts.

    A step can be so large that only the gradient is left to be recognised, or can turn the image
    into its negative.
    """
    best, roll = -1.0, (0, 0)
    seen = np.fft.rfft2(image - image.mean(axis=(1, 2), keepdims=True))
    for part in parts:
        centred = part - part.mean(axis=(1, 2), keepdims=True)
        spectrum = (np.fft.rfft2(centred) * seen.conj()).sum(axis=0)
        match = np.abs(np.fft.irfft2(spectrum, s=image.shape[1:]))
        peak = float(match.max()) / (_norm(centred) or 1.0)
        if peak > best:
            down, right = np.unravel_index(int(match.argmax()), match.shape)
            best, roll = peak, (int(down), int(right))
    return np.roll(image, roll, axis=(1, 2))


@dataclass(frozen=True)
class Context:
    """What the two numbers of a step may depend on: the directions g and I, and r = b / a."""

    steps: Steps
    g: Array
    image: Array
    r: float

    @property
    def whole(self) -> Array:
        return self.g + self.r * self.image


Rule = Callable[[Context], float]


@dataclass(frozen=True)
class Explanation:
    """One way to take a step: a * gradient + b * image. The default is the right one.

    Attributes:
        objective: what is climbed, beside the regulariser.
        accumulated: whether gradients of all iterations so far are added up.
        training: whether the network is in training mode.
        descends: whether `a` is negative.
        regulariser: "" for b / a = -2 l2_reg, or the mistake that explains it, or "?".
        length: "" for a = learning rate, "normalised", or a mistake, or "?".
        ratio, rate: the rules that gave these names: b / a, and |a|.
    """

    objective: Objective = ASCENTS[0]
    accumulated: bool = False
    training: bool = False
    descends: bool = False
    regulariser: str = ""
    length: str = ""
    ratio: Rule = lambda c: -2 * c.steps.l2_reg
    rate: Rule = lambda c: c.steps.learning_rate

    @property
    def known(self) -> bool:
        """Whether both numbers are explained."""
        return "?" not in (self.regulariser, self.length)

    @property
    def changes(self) -> int:
        """How many choices differ from the right ones."""
        return sum(
            (
                self.objective is not ASCENTS[0],
                self.accumulated,
                self.training,
                self.descends,
                self.regulariser != "",
                self.length not in ("", "normalised", "shrunk"),
            )
        )

    @property
    def cost(self) -> tuple[bool, int]:
        """By this the simplest explanation is found: known before unknown, then few changes."""
        return not self.known, self.changes

    def directions(self, steps: Steps, t: int) -> tuple[Array, Array]:
        """(3, H, W) twice: the objective's gradient and the image, as iteration t uses them."""
        target = np.array([steps.probe.target])
        gradient, image = np.zeros((2, 3, SIDE, SIDE))
        for i in range(0 if self.accumulated else t, t + 1):
            at = steps.at(i, self.training)
            gradient = gradient + at.gradient(self.objective.weights(at, target))[0]
            image = image + steps.images[i]
        return gradient, image

    def step(self, steps: Steps, t: int) -> Array:
        """(3, H, W): the step of iteration t, as this explanation takes it."""
        g, image = self.directions(steps, t)
        sign = -1 if self.descends else 1
        r = self.ratio(Context(steps, g, image, 0.0))
        a = sign * self.rate(Context(steps, g, image, r))
        return np.asarray(a * (g + r * image))


def _after_step(share: Callable[[Steps], float]) -> Rule:
    """b / a when pixels are multiplied by 1 - share after the step."""
    return lambda c: -share(c.steps) / (c.steps.learning_rate * (1 - share(c.steps)))


REGULARISERS: tuple[tuple[str, Rule], ...] = (
    ("", lambda c: -2 * c.steps.l2_reg),
    ("regulariser-missing", lambda c: 0.0),
    ("regulariser-sign", lambda c: 2 * c.steps.l2_reg),
    ("regulariser-halved", lambda c: -c.steps.l2_reg),
    ("regulariser-unsquared", lambda c: -c.steps.l2_reg / _norm(c.image)),
    ("regulariser-averaged", lambda c: -2 * c.steps.l2_reg / c.image.size),
    ("regulariser-unweighted", lambda c: -2.0),
    ("regulariser-after-step", _after_step(lambda s: 2 * s.learning_rate * s.l2_reg)),
    ("regulariser-after-step", _after_step(lambda s: s.learning_rate * s.l2_reg)),
    ("regulariser-after-step", _after_step(lambda s: 2 * s.l2_reg)),
    ("regulariser-after-step", _after_step(lambda s: s.l2_reg)),
    ("regulariser-rate", lambda c: -2 * c.steps.l2_reg / c.steps.learning_rate),
)
"""What b / a may be. Two more follow from the sign: see `COMBINED`."""

COMBINED: tuple[tuple[tuple[str, str], Rule], ...] = (
    (("regulariser-sign", "regulariser-halved"), lambda c: c.steps.l2_reg),
    (("regulariser-sign", "regulariser-unsquared"), lambda c: c.steps.l2_reg / _norm(c.image)),
    (("regulariser-sign", "regulariser-unweighted"), lambda c: 2.0),
)

LENGTHS: tuple[tuple[str, Rule], ...] = (
    ("", lambda c: c.steps.learning_rate),
    ("normalised", lambda c: c.steps.learning_rate / _norm(c.whole)),
    ("no-learning-rate", lambda c: 1.0),
    ("no-learning-rate", lambda c: 1 / _norm(c.whole)),
    ("fixed-rate", lambda c: 25.0),
    ("fixed-rate", lambda c: 25 / _norm(c.whole)),
    ("squared-norm", lambda c: c.steps.learning_rate / _norm(c.whole) ** 2),
    ("other-norm", lambda c: c.steps.learning_rate / float(np.abs(c.whole).max())),
    ("other-norm", lambda c: c.steps.learning_rate / float(np.abs(c.whole).mean())),
    ("other-norm", lambda c: c.steps.learning_rate / float(np.abs(c.whole).sum())),
    ("other-norm", lambda c: c.steps.learning_rate / float(c.whole.std())),
    ("other-norm", lambda c: c.steps.learning_rate / _norm(c.g)),
    # Pixels shrunk after the step shorten the step as well.
    ("shrunk", lambda c: c.steps.learning_rate / (1 - c.r * c.steps.learning_rate)),
)
"""What |a| may be."""


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))


@dataclass(frozen=True)
class Fit:
    """The two numbers of one step, and what they leave unexplained, relative to the step."""

    a: float
    b: float
    rest: float
    context: Context


def enough(steps: Steps, t: int) -> bool:
    """Whether most pixels escaped the clamp, so that the step can be seen."""
    return bool(steps.inside[t].mean() > 0.05)


def fit(how: Explanation, steps: Steps, t: int) -> Fit:
    """Least squares of a step in the two directions, over the pixels that were not clamped."""
    g, image = how.directions(steps, t)
    inside = steps.inside[t]
    x, y, z = g[inside], image[inside], steps.steps[t][inside]
    if not x.any() and y.any() and z.any():
        # An objective that is flat here, as a margin is once it is won: only `b` can be seen.
        b = float(y @ z) / float(y @ y)
        return Fit(float("nan"), b, _norm(z - b * y) / _norm(z), Context(steps, g, image, 0.0))
    normal = np.array([[x @ x, x @ y], [x @ y, y @ y]])
    context = Context(steps, g, image, 0.0)
    if np.linalg.matrix_rank(normal) < 2 or not z.any():
        return Fit(0.0, 0.0, float("inf"), context)
    a, b = np.linalg.solve(normal, np.array([x @ z, y @ z]))
    rest = _norm(z - a * x - b * y) / _norm(z)
    return Fit(float(a), float(b), rest, replace(context, r=float(b / a) if a else 0.0))


def explain(loops: Sequence[Steps]) -> Explanation | None:
    """The simplest way to take all the visible steps; None if there is none."""
    where = [(steps, t) for steps in loops for t in steps.visible]
    best: Explanation | None = None
    for way in _directions():
        if best is not None and best.known and best.changes <= way.changes:
            break  # nothing simpler can follow
        how = _measured(way, [fit(way, steps, t) for steps, t in where if enough(steps, t)])
        if how is not None and (best is None or how.cost < best.cost):
            best = how
    return best


def _measured(way: Explanation, fits: Sequence[Fit]) -> Explanation | None:
    """A direction with its two numbers explained; None if the steps are not along it."""
    if not fits or max(f.rest for f in fits) > TOLERANCE:
        return None
    fits = [f for f in fits if not np.isnan(f.a)]
    signs = {np.sign(f.a) for f in fits}
    if len(signs) != 1 or 0 in signs:
        return None
    (regulariser, ratio), (length, rate) = _ratio(fits), _length(fits)
    return replace(
        way,
        descends=signs == {-1},
        regulariser=regulariser,
        length=length,
        ratio=ratio,
        rate=rate,
    )


def _directions() -> list[Explanation]:
    """The gradients that are searched, those with the fewest changes first."""
    space = [
        Explanation(objective, accumulated, training)
        for accumulated in (False, True)
        for training in (False, True)
        for objective in ASCENTS
    ]
    return sorted(space, key=lambda e: (e.objective is not ASCENTS[0]) + e.accumulated + e.training)


def _ratio(fits: Sequence[Fit]) -> tuple[str, Rule]:
    """What explains b / a in all the fits: "" if it is right, "?" if nothing does."""

    def error(rule: Rule) -> float:
        unit = [2 * f.context.steps.l2_reg for f in fits]
        wanted = [rule(f.context) for f in fits]
        return max(
            abs(f.context.r - w) / max(u, abs(w))
            for f, w, u in zip(fits, wanted, unit, strict=True)
        )

    if error(REGULARISERS[0][1]) <= TOLERANCE:
        return REGULARISERS[0]
    rules = [*REGULARISERS, *(("+".join(names), rule) for names, rule in COMBINED)]
    name, rule = min(rules, key=lambda entry: error(entry[1]))
    return (name, rule) if error(rule) <= TOLERANCE else ("?", rule)


def _length(fits: Sequence[Fit]) -> tuple[str, Rule]:
    """What explains |a| in all the fits: "" or "normalised" if it is right."""
    for name, rule in LENGTHS:
        wanted = [rule(f.context) for f in fits]
        if all(abs(abs(f.a) - w) <= TOLERANCE * w for f, w in zip(fits, wanted, strict=True)):
            return name, rule
    return "?", LENGTHS[0][1]


def judge(probes: Sequence[Probe], observations: Mapping[str, Observation]) -> Verdict:
    """Judge what came back for each of the probes of `make_probes`."""
    loops = [Steps(probe, observations[probe.name]) for probe in probes]
    moving = [steps for steps in loops if steps.visible]
    how = explain(moving)
    if how is None:
        findings = _unexplained(loops)
        return settle(EXERCISE, findings, pictures=_pictures(loops[0], None))
    findings = [
        _finding_climb(how),
        _finding_regulariser(how),
        _finding_length(how, moving),
        _finding_fresh(how),
        _finding_around(how, loops),
    ]
    # The picture of a right loop is right, also where the regulariser happened to cost it more
    # than its steps won.
    right = all(finding.passed for finding in findings)
    findings.append(found(SCORE, True, 1) if right else _finding_score(loops[0]))
    return settle(
        EXERCISE,
        findings,
        remarks=[CATALOGUE["visualization/normalised"]] if how.length == "normalised" else [],
        pictures=_pictures(loops[0], how),
    )


def _named(name: str) -> Mistake | None:
    return CATALOGUE.get(f"visualization/{name}")


def _finding_climb(how: Explanation) -> Finding:
    name = ""
    if how.objective is not ASCENTS[0]:
        name = how.objective.name
        name = "cross-entropy" if name == "probability" else name
    elif how.descends:
        name = "descent"
    elif how.training:
        name = "training-mode"
    mistake = _named(name)
    return found(
        CLIMB,
        mistake is None,
        3,
        expected="steps that follow the gradient of the target's raw score, uphill",
        got=mistake.what if mistake else "",
        mistake=mistake,
    )


def _finding_regulariser(how: Explanation) -> Finding:
    name = how.regulariser.split("+")[0]
    return found(
        REGULARISER,
        how.regulariser == "",
        2,
        expected="the gradient of l2_reg times the squared norm, taken off the score's gradient",
        got="a pull of another strength" if name == "?" else "",
        mistake=_named(name),
        advice="Differentiate the regulariser by hand for one pixel, and compare.",
    )


def _finding_length(how: Explanation, loops: Sequence[Steps]) -> Finding:
    passed = how.length in ("", "normalised")
    passed |= how.length == "shrunk" and how.regulariser == "regulariser-after-step"
    steps = loops[0]
    t = steps.visible[0]
    return found(
        LENGTH,
        passed,
        2,
        expected=f"with a learning rate of {steps.learning_rate:.4g}, that times the gradient",
        got=f"a step of length {_norm(steps.steps[t]):.4g}, which is another factor",
        mistake=None if passed else _named(how.length),
        advice="Compare the length of your step with the gradient's norm.",
    )


def _finding_fresh(how: Explanation) -> Finding:
    return found(
        FRESH,
        not how.accumulated,
        1,
        expected="one gradient for each step",
        mistake=_named("accumulated"),
    )


def _unexplained(loops: Sequence[Steps]) -> list[Finding]:
    """The findings when the steps are not there, or not of any known kind."""
    rest = [(REGULARISER, 2.0), (LENGTH, 2.0), (FRESH, 1.0), (AROUND, 1.0), (SCORE, 1.0)]
    first = next((steps for steps in loops if steps.visible), loops[0])
    seen = first.seen
    if not first.visible:
        expected = "a loop that gives its image to `model` once in every iteration"
        got = what_came(seen, "a picture")
        if seen.raised is None and not seen.stopped:
            got += f"; the network saw {len(first.images)} different image(s)"
        advice = "Check that your lines change `img` in every iteration."
    else:
        expected = "steps that follow the gradient of the target's raw score, uphill"
        got, advice = _departure(first)
    return [
        found(CLIMB, False, 3, expected=expected, got=got, advice=advice),
        *(blocked(name, points, CLIMB) for name, points in rest),
    ]


def _departure(steps: Steps) -> tuple[str, str]:
    """How the first visible step differs from the right one, without inventing a cause."""
    t = steps.visible[0]
    right, taken = Explanation().step(steps, t), steps.steps[t]
    if not taken.any():
        return "images that do not change", "Check that your step reaches the pixels of `img`."
    cosine = float((right * taken).sum() / (_norm(right) * _norm(taken)))
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return (
        f"step {t + 1} is {angle:.3g} degrees off the right one (90 would be no climb at all), "
        f"and {_norm(taken) / _norm(right):.3g} times as long",
        "Write the gradient of both terms down by hand, and compare it with your step.",
    )


def _finding_around(how: Explanation, loops: Sequence[Steps]) -> Finding:
    """The first step with its blur, the clamp, and the picture, where all of that is known."""
    steps = loops[0]
    seen = steps.seen
    expected = "jitter, step, jitter back, clamp, blur when its turn has come; then the picture"
    result = seen.arrays.get("result")
    if result is None:
        got = what_came(seen, "a picture")
        advice = "Check that your function returns the deprocessed image."
        return found(AROUND, False, 1, expected=expected, got=got, advice=advice)
    if not how.known:
        return blocked(AROUND, 1, LENGTH if how.regulariser == "" else REGULARISER)
    departs = _departs_around(how, steps)
    if departs:
        advice = "Bring the lines around yours back to what they were."
        return found(AROUND, False, 1, expected=expected, got=departs, advice=advice)
    after = _following(how, steps, len(steps.images) - 1)
    if any(_same_picture(result, picture) for picture in _deprocessed(after)):
        return found(AROUND, True, 1)
    raw = result.size == after.size and bool(
        np.abs(result.reshape(after.shape).astype(np.float64) - after).max() < 1e-2
    )
    return found(
        AROUND,
        False,
        1,
        expected="the image of the last iteration, deprocessed",
        got=f"another picture, as {seen.result_type} of shape {shape_text(result.shape)}",
        mistake=CATALOGUE["visualization/raw-image"] if raw else None,
        advice="Leave the last line of the function as it was.",
    )


def _finding_score(steps: Steps) -> Finding:
    """Whether the checker's own network likes what came back better than the loop without steps."""
    seen, network = steps.seen, build_network(steps.probe.network)
    expected = "a higher score than that of the noise, clamped and blurred, without any step"
    advice = "Print the score in every iteration, and see whether it rises."
    result = seen.arrays.get("result")
    levels = None if result is None else _levels(result)
    if levels is None:
        return found(
            SCORE, False, 1, expected=expected, got=what_came(seen, "a picture"), advice=advice
        )
    # The noise becomes a picture in the way that yours did, stretched or not.
    off = [np.abs(levels - picture).mean() for picture in _deprocessed(steps.images[-1])]
    noise = _deprocessed(_finished(steps.images[0], 0))[int(np.argmin(off))]
    both = np.stack([(p.transpose(2, 0, 1) / 255 - _MEAN) / _STD for p in (noise, levels)])
    with torch.no_grad():
        scores = network(torch.from_numpy(both.astype(np.float32)))[:, steps.probe.target]
    before, after = scores.tolist()
    got = f"a score of {after:.4g}, where the noise alone has {before:.4g}"
    return found(SCORE, after > before, 1, expected=expected, got=got, advice=advice)


def _following(how: Explanation, steps: Steps, t: int) -> Array:
    """(3, H, W): what an iteration without jitter makes of its image."""
    return _finished(steps.images[t] + how.step(steps, t), t)


def _finished(image: Array, t: int) -> Array:
    """(3, H, W): an image after the clamp, and the blur, of iteration t."""
    after: Array = np.clip(image, LOWEST, HIGHEST)
    if t % BLUR_EVERY == 0:
        for axis in (1, 2):
            after = ndimage.gaussian_filter1d(after, BLUR_SIGMA, axis=axis)
    return after


def _departs_around(how: Explanation, steps: Steps) -> str:
    """Where the loop first leaves its path although the steps are as explained; "" if nowhere."""
    wanted = int(steps.probe.options["num_iterations"])
    if len(steps.images) < wanted:
        return f"{len(steps.images)} different images in {wanted} iterations"
    for t in range(wanted - 1):
        after = _following(how, steps, t)
        off = float(np.abs(after - steps.images[t + 1]).max())
        if off > 1e-2:
            return f"from iteration {t + 1} to the next, a pixel differs by {off:.3g}"
    return ""


def _deprocessed(image: Array) -> list[Array]:
    """(H, W, 3) in 0..255: the picture, as it is, and stretched to the full range."""
    picture: Array = image * _STD + _MEAN
    low, high = picture.min(), picture.max()
    stretched = (picture - low) / ((high - low) or 1.0)
    return [np.asarray(255 * p.transpose(1, 2, 0)) for p in (np.clip(picture, 0, 1), stretched)]


def _levels(result: NDArray[Any]) -> Array | None:
    """(H, W, 3) in 0..255 of a picture as levels or in 0..1, channels first or last, or None."""
    values = result.astype(np.float64)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    if values.shape == (3, SIDE, SIDE):
        values = values.transpose(1, 2, 0)
    if values.shape != (SIDE, SIDE, 3) or not np.isfinite(values).all():
        return None
    return values * 255 if result.dtype.kind == "f" and values.max() <= 1.001 else values


def _same_picture(result: NDArray[Any], picture: Array) -> bool:
    """Whether what came back is the picture, within two levels."""
    levels = _levels(result)
    return levels is not None and bool(np.abs(levels - picture).max() <= 2.0)


def _pictures(steps: Steps, how: Explanation | None) -> list[Picture]:
    """The first visible step beside the right one, in the middle of the image."""
    if not steps.visible:
        return []
    t = steps.visible[0]
    right = Explanation()
    if how is not None and how.length == "normalised":
        right = replace(right, rate=how.rate)
    window = slice(SIDE // 2 - 24, SIDE // 2 + 24)
    yours, expected = (
        step[:, window, window].mean(axis=0) for step in (steps.steps[t], right.step(steps, t))
    )
    same = float(np.abs(yours - expected).max()) <= 0.01 * float(np.abs(expected).max())
    title = f"Step {t + 1} in a random network, averaged over the channels, around the centre"
    return [Picture(title, yours, expected, passed=same, signed=True)]
