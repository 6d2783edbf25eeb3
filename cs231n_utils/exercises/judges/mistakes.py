"""The catalogue of known mistakes, and the objectives that students differentiate by mistake.

A mistake is named only when what came back is reconstructed by it, tightly and on every probe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cs231n_utils.exercises.judges.oracle import Array, Landscape, one_hot
from cs231n_utils.exercises.verdict import Mistake

_ENTRIES = [
    # Saliency maps: what was differentiated.
    Mistake(
        "saliency/cross-entropy",
        "Your map is the gradient of the cross-entropy loss (minus the log-probability), not of "
        "the class score.",
        "The loss mixes in the gradients of all other classes, weighted by their probabilities, "
        "and vanishes where the network is sure.",
        "Look at what you call backward on, or differentiate: it should be built from the score "
        "of class y alone, before any softmax.",
    ),
    Mistake(
        "saliency/mean-cross-entropy",
        "Your map is the gradient of the mean cross-entropy loss, not of the class score.",
        "The loss mixes in all other classes, and its mean divides every map by the number of "
        "images in the batch.",
        "Look at what you differentiate: it should be built from the score of class y alone, "
        "and added up over the images.",
    ),
    Mistake(
        "saliency/probability",
        "Your map is the gradient of the softmax probability of class y.",
        "A probability also rises when other scores fall, so the map shows other classes too.",
        "Take the network's raw output; leave the softmax out.",
    ),
    Mistake(
        "saliency/log-probability",
        "Your map is the gradient of the log-probability of class y.",
        "A probability also rises when other scores fall, so the map shows other classes too.",
        "Take the network's raw output; leave the softmax out.",
    ),
    Mistake(
        "saliency/log-score",
        "Your map is the gradient of the logarithm of the score.",
        "That divides each map by its score, so maps of different images can't be compared, and "
        "a negative score has no logarithm.",
        "Differentiate the score itself.",
    ),
    Mistake(
        "saliency/all-scores",
        "Your map is the gradient of all scores added up.",
        "It answers which pixels matter to any class, not to the class that was asked about.",
        "Pick one score for each image before you differentiate.",
    ),
    Mistake(
        "saliency/top-score",
        "Your map is the gradient of the highest score, not of the score of class y.",
        "The two are the same only while the network is right; asked about another class, the "
        "map must change.",
        "Check that y takes part in what you differentiate.",
    ),
    Mistake(
        "saliency/all-labels",
        "Each of your maps is the gradient of the scores of all labels in the batch.",
        "Indexing with [:, y] picks every label for every image, so images share their labels.",
        "Print the shape of the scores you picked: there should be N of them, one for each image.",
    ),
    Mistake(
        "saliency/shifted-label",
        "Your map is the gradient of the score of the class next to y.",
        "Classes are counted from 0, and y already is an index.",
        "Compare the class you index with the y you were given.",
    ),
    Mistake(
        "saliency/mean-over-batch",
        "Your map is right but for a factor of one over the number of images.",
        "A mean over the batch makes the map of a picture depend on how many others it came with.",
        "Look at how you bring the N scores together into one number.",
    ),
    # Saliency maps: how the channels were brought together.
    Mistake(
        "saliency/no-abs",
        "Your map is the largest gradient over the channels, without its absolute value.",
        "A pixel that lowers the score when it gets brighter matters as much as one that raises "
        "it; its negative gradient got lost.",
        "Look for what the contract says of the sign before the maximum is taken.",
    ),
    Mistake(
        "saliency/max-before-abs",
        "Your map is the absolute value of the largest gradient.",
        "A large negative gradient loses against a small positive one when the maximum is taken "
        "first.",
        "Think about which of the two operations has to come first.",
    ),
    Mistake(
        "saliency/mean-over-channels",
        "Your map is |gradient| averaged over the channels.",
        "A pixel that matters in one colour only is weakened to a third.",
        "Bring the channels together as the contract says.",
    ),
    Mistake(
        "saliency/sum-over-channels",
        "Your map is |gradient| added up over the channels.",
        "The contract asks for the strongest channel, so that the map has the gradient's scale.",
        "Bring the channels together as the contract says.",
    ),
    Mistake(
        "saliency/norm-over-channels",
        "Your map is the Euclidean norm of the gradient over the channels.",
        "It looks much alike, but the contract asks for the strongest channel.",
        "Bring the channels together as the contract says.",
    ),
    Mistake(
        "saliency/min-over-channels",
        "Your map is the smallest |gradient| over the channels.",
        "A pixel counts here only when all its colours matter.",
        "Bring the channels together as the contract says.",
    ),
    Mistake(
        "saliency/signed-mean",
        "Your map is the mean or sum of the signed gradient over the channels.",
        "Channels that pull in opposite directions cancel, and a pixel that matters looks dead.",
        "Take absolute values before the channels meet, then bring them together as the contract "
        "says.",
    ),
    Mistake(
        "saliency/one-channel",
        "Your map is |gradient| in one colour channel only.",
        "The other two channels never took part.",
        "Check the axis and the index with which you bring the channels together.",
    ),
    Mistake(
        "saliency/squared",
        "Your map is the square of the largest |gradient|.",
        "Squaring makes strong pixels stronger and weak ones vanish.",
        "Use the absolute value where you square.",
    ),
    Mistake(
        "saliency/normalised",
        "Your map is the right one, rescaled to its own range.",
        "Once each map is stretched for itself, strong and weak saliency can't be told apart.",
        "Leave the values as they are; rescale only for showing.",
    ),
    Mistake(
        "saliency/times-pixel",
        "Your map is the gradient times the pixel.",
        "That is another method, gradient times input, and shows dark pixels as unimportant.",
        "Leave the pixel values out of the map.",
    ),
    # Saliency maps: the rest of the contract.
    Mistake(
        "saliency/shape",
        "The values come in another shape than (N, H, W).",
        "Whoever uses the map counts on one (H, W) map for each image.",
        "Print the shape of what you return for 1, 2 and 5 images.",
    ),
    Mistake(
        "saliency/lost-axis",
        "For a single image your map loses its first axis.",
        "`squeeze()` without an axis drops every axis of length 1, the batch's too.",
        "Say which axis goes, or pick values in a way that needs no squeezing.",
    ),
    Mistake(
        "saliency/batch-size",
        "Your function works only for one number of images.",
        "A number that belongs to one batch is written into the code.",
        "Search your lines for a number, and ask where it could come from instead.",
    ),
    Mistake(
        "saliency/training-mode",
        "The network was in training mode.",
        "Dropout and batch statistics then change the scores from call to call and from batch to "
        "batch.",
        "Put the network into evaluation mode before you call it, and leave it there.",
    ),
    Mistake(
        "saliency/changed-X",
        "The caller's X has other values after the call.",
        "The caller still needs the pictures.",
        "Look for operations that work in place (their names end in _), and for `.data`.",
    ),
    Mistake(
        "saliency/old-gradient",
        "Called with an X that already carries a gradient, your map has the old one added in.",
        "backward() adds to `.grad`; a second call on the same tensor gives a doubled map.",
        "Nothing is lost here, but a function that clears or never uses `X.grad` is safer.",
    ),
]

CATALOGUE: dict[str, Mistake] = {entry.id: entry for entry in _ENTRIES}
"""Every known mistake by its id."""


@dataclass(frozen=True)
class Objective:
    """Something made of the scores that a student may have differentiated.

    Attributes:
        name: "score" is the right one.
        weights: how the score gradients add up: (landscape, y (N,)) -> (N, K).
    """

    name: str
    weights: Callable[[Landscape, np.ndarray], Array]


def _loss(at: Landscape, y: np.ndarray) -> Array:
    return at.probabilities - one_hot(y, at.scores)


def _probability(at: Landscape, y: np.ndarray) -> Array:
    own = np.take_along_axis(at.probabilities, y[:, None], axis=1)
    return np.asarray(-own * _loss(at, y))


def _log_score(at: Landscape, y: np.ndarray) -> Array:
    own = np.take_along_axis(at.scores, y[:, None], axis=1)
    return np.asarray(one_hot(y, at.scores) / own)


def _shifted(by: int) -> Callable[[Landscape, np.ndarray], Array]:
    return lambda at, y: one_hot((y + by) % at.scores.shape[1], at.scores)


OBJECTIVES: tuple[Objective, ...] = (
    Objective("score", lambda at, y: one_hot(y, at.scores)),
    Objective("cross-entropy", _loss),
    Objective("probability", _probability),
    Objective("log-score", _log_score),
    Objective("all-scores", lambda at, y: np.ones_like(at.scores)),
    Objective("top-score", lambda at, y: one_hot(at.scores.argmax(axis=1), at.scores)),
    Objective(
        "all-labels",
        lambda at, y: np.broadcast_to(
            one_hot(y, at.scores).sum(axis=0, keepdims=True), at.scores.shape
        ).copy(),
    ),
    Objective("shifted-label", _shifted(1)),
    Objective("shifted-label", _shifted(-1)),
)
