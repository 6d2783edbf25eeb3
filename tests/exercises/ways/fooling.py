"""Fooling images, right in unusual ways and wrong in known ones."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  its own name in the field

MOST = 100


def autograd_grad(X, target_y, model):
    X = X.detach().clone().requires_grad_()
    for _ in range(MOST):
        s = model(X)
        if s.argmax(1).item() == target_y:
            break
        (g,) = torch.autograd.grad(s[0, target_y], X)
        if g.norm() == 0:
            break
        with torch.no_grad():
            X += g / g.norm()
    return X.detach()


def backward_and_clear(X, target_y, model):
    X_fooling = X.clone().requires_grad_()
    learning_rate = 1
    for _ in range(MOST):
        scores = model(X_fooling)
        if scores.data.max(1)[1][0] == target_y:
            break
        scores[:, target_y].backward()
        X_fooling.data += learning_rate * X_fooling.grad / torch.norm(X_fooling.grad)
        X_fooling.grad.zero_()
    return X_fooling


def new_tensor_each_time(X, target_y, model):
    x = X
    for _ in range(MOST):
        x = x.detach().requires_grad_()
        s = model.forward(x)
        if int(s.argmax()) == target_y:
            return x
        (g,) = torch.autograd.grad(s[0, target_y], x)
        x = x + g / g.pow(2).sum().sqrt()
    return x


def looks_after_the_step(X, target_y, model):
    x = X.detach().clone().requires_grad_()
    steps = 0
    while model(x).argmax() != target_y and steps < MOST:
        x.grad = None
        model(x)[0, target_y].backward()
        x.data.add_(F.normalize(x.grad.flatten(), dim=0).view_as(x))
        steps += 1
    return x


def func_grad(X, target_y, model):
    climb = torch.func.grad(lambda x: model(x)[0, target_y])
    x = X.clone()
    for _ in range(MOST):
        with torch.no_grad():
            fooled = model(x).argmax() == target_y
        if fooled:
            break
        g = climb(x)
        x = x + g / g.norm()
    return x


def optimiser_object(X, target_y, model):
    x = torch.nn.Parameter(X.detach().clone())
    sgd = torch.optim.SGD([x], lr=1.0)
    for _ in range(MOST):
        s = model(x)
        if s.argmax() == target_y:
            break
        sgd.zero_grad()
        (-s[0, target_y]).backward()
        x.grad /= x.grad.norm()
        sgd.step()
    return x


def double_precision(X, target_y, model):
    return autograd_grad(X.double(), target_y, copy.deepcopy(model).double())


def arithmetic_in_numpy(X, target_y, model):
    x = X.detach().numpy().copy()
    for _ in range(MOST):
        t = torch.from_numpy(x).requires_grad_()
        s = model(t)
        if s.argmax() == target_y:
            break
        s[0, target_y].backward()
        g = t.grad.numpy()
        x = x + g / np.sqrt((g**2).sum())
    return x


def caught_by_a_hook(X, target_y, model):
    caught = {}
    x = X.clone().requires_grad_()
    x.register_hook(lambda g: caught.update(g=g))
    for _ in range(MOST):
        s = model(x)
        if s.argmax() == target_y:
            break
        s[0, target_y].backward()
        x.data += caught["g"] / caught["g"].norm()
    return x


def looks_at_the_original_too(X, target_y, model):
    x = X.clone()
    for _ in range(MOST):
        model(X)
        x = x.detach().requires_grad_()
        s = model(x)
        if s.argmax() == target_y:
            break
        s.backward(F.one_hot(torch.tensor([target_y]), s.shape[1]).float())
        x = x + x.grad / (x.grad.norm() + 1e-10)
    return x


RIGHT = {
    f.__name__: f
    for f in (
        autograd_grad,
        backward_and_clear,
        new_tensor_each_time,
        looks_after_the_step,
        func_grad,
        optimiser_object,
        double_precision,
        arithmetic_in_numpy,
        caught_by_a_hook,
        looks_at_the_original_too,
    )
}


def score(s, t):
    return s[0, t]


def unit(g):
    return g / g.norm()


def made(
    objective=score,
    scale=unit,
    *,
    sign=1,
    accumulate=False,
    in_place=False,
    start=lambda x: x,
    after="stop",
    most=MOST,
    train=False,
):
    """A function with one choice or two of its own; `after` fooling: stop, one more, go on."""

    def make_fooling_image(X, target_y, model):
        if train:
            model.train()
        x = start(X) if in_place else start(X).clone()
        total = 0
        done = False
        steps = 0
        while not done and steps < most:
            leaf = x.detach().clone().requires_grad_()
            s = model(leaf)
            fooled = bool(s.argmax() == target_y)
            if fooled and after == "stop":
                break
            done = fooled and after == "one more"
            (g,) = torch.autograd.grad(objective(s, target_y), leaf)
            total = total + g if accumulate else g
            x += sign * scale(total)
            steps += 1
        return x

    return make_fooling_image


def loss(s, t):
    return -F.cross_entropy(s, torch.tensor([t]))


def cached_scores(X, target_y, model):
    """Loops for ever without calling the network."""
    while model(X).argmax() != target_y:
        pass
    return X


def result_is_the_original(X, target_y, model):
    autograd_grad(X, target_y, model)
    return X.clone()


def x_overwritten_at_the_end(X, target_y, model):
    x = autograd_grad(X, target_y, model)
    X.copy_(x)
    return x


def x_clamped(X, target_y, model):
    x = autograd_grad(X, target_y, model)
    X.data.clamp_(-1, 1)
    return x


WRONG = {
    "descent": (made(sign=-1), "fooling/descent"),
    "cross-entropy": (made(loss), "fooling/cross-entropy"),
    "probability": (made(lambda s, t: s.softmax(1)[0, t]), "fooling/cross-entropy"),
    "log of the score": (made(lambda s, t: s[0, t].abs().log()), "fooling/log-score"),
    "all scores": (made(lambda s, t: s.sum()), "fooling/all-scores"),
    "top score": (made(lambda s, t: s.max()), "fooling/top-score"),
    "away from the top": (made(lambda s, t: -s.max()), "fooling/away"),
    "margin": (made(lambda s, t: s[0, t] - s.max()), "fooling/margin"),
    "next label": (made(lambda s, t: s[0, (t + 1) % s.shape[1]]), "fooling/shifted-label"),
    "raw": (made(scale=lambda g: g), "fooling/not-normalised"),
    "squared norm": (made(scale=lambda g: g / g.norm() ** 2), "fooling/squared-norm"),
    "largest value": (made(scale=lambda g: g / g.abs().max()), "fooling/other-norm"),
    "sum of values": (made(scale=lambda g: g / g.abs().sum()), "fooling/other-norm"),
    "standard deviation": (made(scale=lambda g: g / g.std()), "fooling/other-norm"),
    "sign": (made(scale=lambda g: g.sign()), "fooling/sign"),
    "per channel": (
        made(scale=lambda g: g / g.norm(dim=(2, 3), keepdim=True)),
        "fooling/per-channel",
    ),
    "other rate": (made(scale=lambda g: 0.5 * g / g.norm()), "fooling/learning-rate"),
    "accumulated": (made(accumulate=True), "fooling/accumulated"),
    "accumulated and raw": (
        made(accumulate=True, scale=lambda g: g),
        "fooling/not-normalised",
    ),
    "loss and raw": (made(loss, lambda g: g), "fooling/cross-entropy"),
    "training mode": (made(train=True), "fooling/training-mode"),
    "one step past": (made(after="one more"), "fooling/one-step-past"),
    "all hundred steps": (made(after="go on"), "fooling/never-stops"),
    "for ever": (made(after="go on", most=10**9), "fooling/never-stops"),
    "two steps only": (made(most=2), "fooling/stops-early"),
    "from zeros": (made(start=torch.zeros_like), "fooling/other-start"),
    "from half of X": (made(start=lambda x: 0.5 * x), "fooling/other-start"),
    "from noise": (made(start=lambda x: x + torch.randn_like(x)), "fooling/other-start"),
    "in place": (made(in_place=True), "fooling/changed-X"),
    "X overwritten": (x_overwritten_at_the_end, "fooling/changed-X"),
    "X clamped": (x_clamped, "fooling/changed-X"),
    # In no catalogue: nothing may be named.
    "cubed": (made(scale=lambda g: unit(g**3)), None),
    "original returned": (result_is_the_original, None),
    "copy of X": (lambda X, target_y, model: X.clone(), None),
    "nan": (lambda X, target_y, model: X * float("nan"), None),
    "constant": (lambda X, target_y, model: torch.ones_like(X), None),
    "None": (lambda X, target_y, model: None, None),
    "raises": (lambda X, target_y, model: X.no_such_thing, None),
    "no loop": (cached_scores, None),
}
