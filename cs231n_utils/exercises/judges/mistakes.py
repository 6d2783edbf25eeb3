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
    # Fooling images: the direction of the steps.
    Mistake(
        "fooling/descent",
        "Your steps go down the target's score, not up.",
        "Every step takes the picture further from the class it should be mistaken for.",
        "Print the target's score after every step, and see which way it goes.",
    ),
    Mistake(
        "fooling/cross-entropy",
        "Your steps follow the gradient of the target's probability, or of the cross-entropy "
        "made of it, not that of its score.",
        "That also pushes all other classes down, and is another direction.",
        "Look at what you differentiate: the target's raw score alone, before any softmax.",
    ),
    Mistake(
        "fooling/log-score",
        "Your steps follow the gradient of the logarithm of the target's score.",
        "A negative score has no logarithm, and its gradient points the wrong way there.",
        "Differentiate the score itself.",
    ),
    Mistake(
        "fooling/all-scores",
        "Your steps follow the gradient of all scores added up.",
        "They lift every class, not the target.",
        "Pick one score before you differentiate.",
    ),
    Mistake(
        "fooling/top-score",
        "Your steps climb the score of the class that the network sees already.",
        "The target class takes no part in them.",
        "Check which class you index the scores with.",
    ),
    Mistake(
        "fooling/away",
        "Your steps push down the class that the network sees, and don't lift the target.",
        "Some class will win in the end, but not by your choice.",
        "Climb the target's score.",
    ),
    Mistake(
        "fooling/margin",
        "Your steps climb the target's score minus the highest other one.",
        "That fools well, but it is another direction than the exercise asks for.",
        "Climb the target's score alone.",
    ),
    Mistake(
        "fooling/shifted-label",
        "Your steps climb the score of the class next to the target.",
        "Classes are counted from 0, and target_y already is an index.",
        "Compare the class you index with the target_y you were given.",
    ),
    Mistake(
        "fooling/sign",
        "Your steps follow the sign of the gradient, pixel by pixel.",
        "That is another attack (the fast gradient sign method); its direction is not the "
        "gradient's.",
        "Use the gradient with its values.",
    ),
    Mistake(
        "fooling/per-channel",
        "Your gradient is normalised in each colour channel by itself.",
        "The channels lose their relation to each other, so the step is no longer along the "
        "gradient.",
        "Take one norm over all of the picture's values.",
    ),
    Mistake(
        "fooling/accumulated",
        "Your steps follow the gradients of all iterations so far, added up.",
        "backward() adds to `.grad`; unless it is cleared, old steps are taken again and again.",
        "Find where the gradient of the last iteration is thrown away.",
    ),
    Mistake(
        "fooling/training-mode",
        "Your steps follow the gradient of the network in training mode.",
        "Dropout and batch statistics make it another network than the one to be fooled.",
        "Leave the network in the mode in which you got it.",
    ),
    # Fooling images: their length.
    Mistake(
        "fooling/not-normalised",
        "Your steps are as long as the gradient itself.",
        "Where the gradient is small the picture hardly moves, where it is large the steps jump.",
        "Bring every step to the same length before you take it.",
    ),
    Mistake(
        "fooling/squared-norm",
        "Your gradient is divided by the square of its norm.",
        "Then the steps are longest where the gradient is weakest.",
        "Compute the length of the step you take: it should be the learning rate.",
    ),
    Mistake(
        "fooling/other-norm",
        "Your gradient is divided by another norm than the Euclidean one.",
        "The length of the step then depends on the picture's size and content.",
        "Compute the Euclidean length of the step you take: it should be the learning rate.",
    ),
    Mistake(
        "fooling/learning-rate",
        "Your steps all have the same length, but not length 1.",
        "The learning rate of this exercise is 1.",
        "Compare your learning rate with the one in the exercise, and look for factors.",
    ),
    # Fooling images: where it begins and where it ends.
    Mistake(
        "fooling/other-start",
        "You do not start from X.",
        "A fooling image is the picture itself with a small change.",
        "Look at the first picture that your loop gives to the network.",
    ),
    Mistake(
        "fooling/one-step-past",
        "You take one more step after the network is fooled.",
        "The step belongs to a gradient that was no longer needed, and moves the picture away "
        "from X for nothing.",
        "Look at the order in which you test and step.",
    ),
    Mistake(
        "fooling/never-stops",
        "You go on after the network is fooled.",
        "Every further step moves the picture away from X for nothing.",
        "End the loop as soon as the network sees the target.",
    ),
    Mistake(
        "fooling/stops-early",
        "You stop before the network is fooled.",
        "The picture that comes back still is what it was.",
        "Check the condition on which the loop ends, and how often it may run.",
    ),
    Mistake(
        "fooling/changed-X",
        "The caller's X has other values after the call.",
        "The caller still needs the picture, to see how little has changed.",
        "Look at how X_fooling comes from X: assignment gives a second name, not a copy.",
    ),
    Mistake(
        "fooling/unreachable",
        "On a target that can't be reached your loop was still going when the checker stopped it.",
        "Sometimes another class rises as fast as the target, for ever.",
        "A bound on the number of iterations makes a loop like this safe.",
    ),
    Mistake(
        "fooling/dead-gradient",
        "On a target whose score has no gradient, your picture turns into nan.",
        "Zero divided by its norm of zero is not a number.",
        "A look at the norm before dividing makes the function safe.",
    ),
    # Class visualization: what the step climbs.
    Mistake(
        "visualization/descent",
        "Your steps go down the objective, not up.",
        "The image becomes what the class score likes least.",
        "Print the target's score in every iteration, and see which way it goes.",
    ),
    Mistake(
        "visualization/cross-entropy",
        "Your steps follow the gradient of the target's probability, or of the cross-entropy "
        "made of it, not that of its score.",
        "A probability also rises when the other classes fall, so the image shows what they "
        "dislike as well.",
        "Look at what you differentiate: the target's raw score, before any softmax.",
    ),
    Mistake(
        "visualization/log-score",
        "Your steps follow the gradient of the logarithm of the target's score.",
        "A negative score has no logarithm, and its gradient points the wrong way there.",
        "Differentiate the score itself.",
    ),
    Mistake(
        "visualization/all-scores",
        "Your steps follow the gradient of all scores added up.",
        "The image then pleases every class a little and none in particular.",
        "Pick one score before you differentiate.",
    ),
    Mistake(
        "visualization/top-score",
        "Your steps climb the score of the class that the network sees already.",
        "The target class takes no part in them.",
        "Check which class you index the scores with.",
    ),
    Mistake(
        "visualization/away",
        "Your steps push down the class that the network sees, and don't lift the target.",
        "Some other class will win, but not by your choice.",
        "Climb the target's score.",
    ),
    Mistake(
        "visualization/margin",
        "Your steps climb the target's score minus the highest other one.",
        "That is another objective than the exercise asks for.",
        "Climb the target's score alone.",
    ),
    Mistake(
        "visualization/shifted-label",
        "Your steps climb the score of the class next to the target.",
        "Classes are counted from 0, and target_y already is an index.",
        "Compare the class you index with the target_y you were given.",
    ),
    Mistake(
        "visualization/accumulated",
        "Your steps follow the gradients of all iterations so far, added up.",
        "backward() adds to `.grad`; unless it is cleared, old steps are taken again and again.",
        "Find where the gradient of the last iteration is thrown away.",
    ),
    Mistake(
        "visualization/training-mode",
        "Your steps follow the gradient of the network in training mode.",
        "Dropout and batch statistics make it another network than the one to be visualised.",
        "Leave the network in the mode in which you got it.",
    ),
    # Class visualization: the regulariser.
    Mistake(
        "visualization/regulariser-sign",
        "Your regulariser has the wrong sign: it makes pixels larger.",
        "It is there to keep the image calm; like this it rewards extreme pixels.",
        "Ask for each of the two terms whether the step should make it larger or smaller.",
    ),
    Mistake(
        "visualization/regulariser-missing",
        "Your regulariser has no effect on the step.",
        "It is left out, or no gradient flows through it (`.data`, `.detach()` or `.item()` cut "
        "it off).",
        "Follow the regulariser from the pixels to the step.",
    ),
    Mistake(
        "visualization/regulariser-unsquared",
        "Your regulariser is the norm of the image, not its square.",
        "The gradient of the norm is a vector of length 1, several hundred times weaker here.",
        "Compare your regulariser with the formula, exponent by exponent.",
    ),
    Mistake(
        "visualization/regulariser-halved",
        "Your regulariser pulls with l2_reg times the image: half as strongly as its gradient.",
        "The derivative of a square brings down a factor.",
        "Differentiate l2_reg times the square of one pixel by hand.",
    ),
    Mistake(
        "visualization/regulariser-averaged",
        "Your regulariser is the mean of the squared pixels, not their sum.",
        "It then is weaker by the number of values in the image, and next to nothing.",
        "Compare your regulariser with the formula: how do the pixels come together?",
    ),
    Mistake(
        "visualization/regulariser-unweighted",
        "Your regulariser is not multiplied by l2_reg.",
        "At full weight it drowns the score and turns the image grey.",
        "Look where l2_reg enters your step.",
    ),
    Mistake(
        "visualization/regulariser-after-step",
        "You shrink the pixels after the step, not through the gradient at the point before it.",
        "The pull then acts on another image than the score's gradient.",
        "Make both terms part of one objective, and differentiate that.",
    ),
    Mistake(
        "visualization/regulariser-rate",
        "The regulariser's part of your step is not multiplied by the learning rate.",
        "The balance of the two terms then depends on the learning rate.",
        "Make both terms part of one objective, and scale its gradient once.",
    ),
    # Class visualization: the length of the step, and what comes back.
    Mistake(
        "visualization/no-learning-rate",
        "Your step does not use the learning rate.",
        "The caller can no longer say how far a step goes.",
        "Look where learning_rate enters your step.",
    ),
    Mistake(
        "visualization/fixed-rate",
        "Your step uses a learning rate of 25, whatever the caller asks for.",
        "25 is only the default.",
        "Search your lines for a number, and ask where it could come from instead.",
    ),
    Mistake(
        "visualization/squared-norm",
        "Your gradient is divided by the square of its norm.",
        "Then the steps are longest where the gradient is weakest.",
        "Compare the length of your step with the learning rate.",
    ),
    Mistake(
        "visualization/other-norm",
        "Your gradient is divided by another norm than the Euclidean one.",
        "The length of the step then depends on the picture's size and content.",
        "Take the gradient as it is, times the learning rate.",
    ),
    Mistake(
        "visualization/raw-image",
        "What comes back is the image as the network sees it, not the picture made of it.",
        "Its values are centred and scaled; whoever shows it sees wrong colours.",
        "Leave the last line of the function as it was.",
    ),
    Mistake(
        "visualization/normalised",
        "You divide the gradient by its norm before the step.",
        "The exercise's formula doesn't, but half of all published solutions do, and it works as "
        "well: full marks.",
        "Compare how both look after 100 iterations.",
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


def _top(at: Landscape, y: np.ndarray) -> Array:
    return one_hot(at.scores.argmax(axis=1), at.scores)


OBJECTIVES: tuple[Objective, ...] = (
    Objective("score", lambda at, y: one_hot(y, at.scores)),
    Objective("cross-entropy", _loss),
    Objective("probability", _probability),
    Objective("log-score", _log_score),
    Objective("all-scores", lambda at, y: np.ones_like(at.scores)),
    Objective("top-score", _top),
    Objective(
        "all-labels",
        lambda at, y: np.broadcast_to(
            one_hot(y, at.scores).sum(axis=0, keepdims=True), at.scores.shape
        ).copy(),
    ),
    Objective("shifted-label", _shifted(1)),
    Objective("shifted-label", _shifted(-1)),
)

ASCENTS: tuple[Objective, ...] = (
    OBJECTIVES[0],
    Objective("cross-entropy", lambda at, y: -_loss(at, y)),
    Objective("probability", _probability),
    Objective("log-score", _log_score),
    Objective("all-scores", lambda at, y: np.ones_like(at.scores)),
    Objective("top-score", _top),
    Objective("away", lambda at, y: -_top(at, y)),
    Objective("margin", lambda at, y: one_hot(y, at.scores) - _top(at, y)),
    Objective("shifted-label", _shifted(1)),
    Objective("shifted-label", _shifted(-1)),
)
"""The same for the two exercises that climb; each is something that gets larger."""
