"""Saliency maps, right in unusual ways and wrong in known ones."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  its own name in the field


def own_scores(model, X, y):
    return model(X).gather(1, y.view(-1, 1))[:, 0]


def backward_on_callers_tensor(X, y, model):
    model.eval()
    X.requires_grad_()
    own_scores(model, X, y).sum().backward()
    return X.grad.abs().max(dim=1)[0]


def autograd_grad_on_copy(X, y, model):
    model.eval()
    X = X.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(own_scores(model, X, y).sum(), X)
    return g.abs().amax(1)


def indexed_with_arange(X, y, model):
    model.eval()
    X = X.detach().clone().requires_grad_()
    s = model.forward(X)[torch.arange(len(y)), y]
    s.backward(torch.ones_like(s))
    return X.grad.data.abs().max(1).values


def loop_over_images(X, y, model):
    model.eval()
    maps = []
    for n in range(len(X)):
        x = X[n : n + 1].clone().requires_grad_()
        model(x)[0, y[n]].backward()
        maps.append(x.grad[0].abs().max(dim=0).values)
    return torch.stack(maps)


def list_of_maps(X, y, model):
    return list(loop_over_images(X, y, model))


def loop_over_one_graph(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    scores = model(X)
    maps = torch.zeros(len(X), *X.shape[2:])
    for n, label in enumerate(y.tolist()):
        (g,) = torch.autograd.grad(scores[n, label], X, retain_graph=True)
        maps[n] = torch.maximum(g[n].max(dim=0).values, (-g[n]).max(dim=0).values)
    return maps


def caught_by_a_hook(X, y, model):
    model.eval()
    caught = []
    X = X.clone().requires_grad_()
    X.register_hook(caught.append)
    own_scores(model, X, y).sum().backward()
    return caught[0].abs().max(dim=1)[0]


def one_hot_as_gradient(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    scores = model(X)
    scores.backward(F.one_hot(y, scores.shape[1]).to(scores.dtype))
    return X.grad.abs().max(dim=1)[0]


def descending_the_negative(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    F.nll_loss(model(X), y, reduction="sum").backward()
    return X.grad.abs().max(dim=1)[0]


def double_precision(X, y, model):
    model = copy.deepcopy(model).double().eval()
    X = X.double().requires_grad_()
    (g,) = torch.autograd.grad(own_scores(model, X, y).sum(), X)
    return g.abs().amax(dim=1)


def numpy_result(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    own_scores(model, X, y).sum().backward()
    return np.abs(X.grad.numpy()).max(axis=1)


def result_requires_grad(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    (g,) = torch.autograd.grad(own_scores(model, X, y).sum(), X, create_graph=True)
    return g.abs().max(dim=1)[0]


def func_vmap_grad(X, y, model):
    model.eval()

    def score(x, label):
        return model(x[None])[0].gather(0, label[None])[0]

    return torch.func.vmap(torch.func.grad(score))(X, y).abs().amax(dim=1)


def func_vjp(X, y, model):
    model.eval()
    scores, pull = torch.func.vjp(model, X)
    (g,) = pull(F.one_hot(y, scores.shape[1]).float())
    return g.abs().amax(dim=1)


def gradients_left_on_parameters(X, y, model):
    for parameter in model.eval().parameters():
        parameter.requires_grad_(True)
    X.requires_grad_(True)
    own_scores(model, X, y).sum().backward()
    return X.grad.abs().max(dim=1, keepdim=True).values.squeeze(1)


RIGHT = {
    f.__name__: f
    for f in (
        backward_on_callers_tensor,
        autograd_grad_on_copy,
        indexed_with_arange,
        loop_over_images,
        list_of_maps,
        loop_over_one_graph,
        caught_by_a_hook,
        one_hot_as_gradient,
        descending_the_negative,
        double_precision,
        numpy_result,
        result_requires_grad,
        func_vmap_grad,
        func_vjp,
        gradients_left_on_parameters,
    )
}


def score(s, y):
    return s.gather(1, y.view(-1, 1)).sum()


def strongest(g):
    return g.abs().max(dim=1)[0]


def made(objective=score, reduce=strongest, mode="eval", scale=lambda m: m):
    """A function with one choice or two of its own."""

    def compute_saliency_maps(X, y, model):
        if mode == "eval":
            model.eval()
        elif mode == "train":
            model.train()
        X = X.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(objective(model(X), y), X)
        return scale(reduce(g))

    return compute_saliency_maps


def five_written_in(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    own_scores(model, X, y).backward(torch.tensor([1.0] * 5))
    return strongest(X.grad)


def five_images_looped(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    s = own_scores(model, X, y)
    sum(s[n] for n in range(5)).backward()
    return strongest(X.grad)


def seven_at_most(X, y, model):
    if len(X) < 5:
        raise ValueError("too few")
    return autograd_grad_on_copy(X, y, model)


def squeezed_result(X, y, model):
    return autograd_grad_on_copy(X, y, model).squeeze()


def squeezed_scores(X, y, model):
    model.eval()
    X = X.clone().requires_grad_()
    s = model(X).gather(1, y.view(-1, 1)).squeeze()
    s.backward(torch.ones(len(X)))
    return strongest(X.grad)


def extra_axis(X, y, model):
    return autograd_grad_on_copy(X, y, model)[:, None]


def callers_x_scaled(X, y, model):
    maps = autograd_grad_on_copy(X, y, model)
    X.mul_(2)
    return maps


def callers_x_zeroed(X, y, model):
    maps = backward_on_callers_tensor(X, y, model)
    X.data.zero_()
    return maps


def callers_x_clamped(X, y, model):
    maps = autograd_grad_on_copy(X, y, model)
    X.data.clamp_(-0.5, 0.5)
    return maps


def per_image(f):
    return lambda m: torch.stack([f(one) for one in m])


WRONG = {
    "cross-entropy, summed": (
        made(lambda s, y: F.cross_entropy(s, y, reduction="sum")),
        "saliency/cross-entropy",
    ),
    "cross-entropy, mean": (made(F.cross_entropy), "saliency/mean-cross-entropy"),
    "log-probability": (
        made(lambda s, y: score(s.log_softmax(1), y)),
        "saliency/cross-entropy",
    ),
    "probability": (made(lambda s, y: score(s.softmax(1), y)), "saliency/probability"),
    "log of the score": (
        made(lambda s, y: s.gather(1, y.view(-1, 1)).abs().log().sum()),
        "saliency/log-score",
    ),
    "all scores": (made(lambda s, y: s.sum()), "saliency/all-scores"),
    "top score": (made(lambda s, y: s.max(dim=1)[0].sum()), "saliency/top-score"),
    "all labels": (made(lambda s, y: s[:, y].sum()), "saliency/all-labels"),
    "next label": (made(lambda s, y: score(s, (y + 1) % s.shape[1])), "saliency/shifted-label"),
    "mean over the batch": (
        made(lambda s, y: s.gather(1, y.view(-1, 1)).mean()),
        "saliency/mean-over-batch",
    ),
    "no abs": (made(reduce=lambda g: g.max(dim=1)[0]), "saliency/no-abs"),
    "max before abs": (made(reduce=lambda g: g.max(dim=1)[0].abs()), "saliency/max-before-abs"),
    "mean": (made(reduce=lambda g: g.abs().mean(1)), "saliency/mean-over-channels"),
    "sum": (made(reduce=lambda g: g.abs().sum(1)), "saliency/sum-over-channels"),
    "norm": (made(reduce=lambda g: g.norm(dim=1)), "saliency/norm-over-channels"),
    "min": (made(reduce=lambda g: g.abs().min(dim=1)[0]), "saliency/min-over-channels"),
    "signed mean": (made(reduce=lambda g: g.mean(1)), "saliency/signed-mean"),
    "abs of signed sum": (made(reduce=lambda g: g.sum(1).abs()), "saliency/signed-mean"),
    "first channel": (made(reduce=lambda g: g.abs()[:, 0]), "saliency/one-channel"),
    "squared": (made(reduce=lambda g: (g**2).max(dim=1)[0]), "saliency/squared"),
    "stretched": (
        made(scale=per_image(lambda m: (m - m.min()) / (m.max() - m.min()))),
        "saliency/normalised",
    ),
    "over its maximum": (made(scale=lambda m: m / m.max()), "saliency/normalised"),
    "loss and no abs": (
        made(F.cross_entropy, lambda g: g.max(dim=1)[0]),
        "saliency/mean-cross-entropy",
    ),
    "top score and mean": (
        made(lambda s, y: s.max(dim=1)[0].sum(), lambda g: g.abs().mean(1)),
        "saliency/top-score",
    ),
    "five written in": (five_written_in, "saliency/batch-size"),
    "five images looped": (five_images_looped, "saliency/batch-size"),
    "five or more": (seven_at_most, "saliency/batch-size"),
    "squeezed result": (squeezed_result, "saliency/lost-axis"),
    "squeezed scores": (squeezed_scores, "saliency/lost-axis"),
    "extra axis": (extra_axis, "saliency/shape"),
    "mode left alone": (made(mode=""), "saliency/training-mode"),
    "training mode": (made(mode="train"), "saliency/training-mode"),
    "training mode and no abs": (
        made(mode="train", reduce=lambda g: g.max(dim=1)[0]),
        "saliency/training-mode",
    ),
    "X scaled": (callers_x_scaled, "saliency/changed-X"),
    "X zeroed": (callers_x_zeroed, "saliency/changed-X"),
    "X clamped": (callers_x_clamped, "saliency/changed-X"),
    # In no catalogue: nothing may be named.
    "square root": (made(scale=lambda m: m.sqrt()), None),
    "rolled": (made(scale=lambda m: m.roll(1, 2)), None),
    "zeros": (lambda X, y, model: torch.zeros(len(X), *X.shape[2:]), None),
    "nan": (lambda X, y, model: torch.full((len(X), *X.shape[2:]), float("nan")), None),
    "ones": (lambda X, y, model: torch.ones(len(X), *X.shape[2:]), None),
    "X itself": (lambda X, y, model: X.abs().max(dim=1)[0], None),
    "None": (lambda X, y, model: None, None),
    "text": (lambda X, y, model: "saliency", None),
    "raises": (lambda X, y, model: X.no_such_thing, None),
}
