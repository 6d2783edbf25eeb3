"""Class visualizations, right in unusual ways and wrong in known ones.

`framed` is the loop that the notebook gives; a way is what stands inside.
"""

from __future__ import annotations

import copy

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F  # noqa: N812  its own name in the field

from cs231n_utils import SQUEEZENET_MEAN, SQUEEZENET_STD, blur_image, deprocess, jitter

LOW, HIGH = (
    torch.as_tensor((edge - SQUEEZENET_MEAN) / SQUEEZENET_STD).view(1, 3, 1, 1).float()
    for edge in (0, 1)
)


def framed(update, *, clamp=True, blur=lambda t, every: t % every == 0, finish=deprocess):
    """The whole function around an update (img, model, target_y, l2_reg, learning_rate, memory)."""

    def create_class_visualization(target_y, model, dtype, **kwargs):
        model.type(dtype)
        l2_reg, rate = kwargs.pop("l2_reg", 1e-3), kwargs.pop("learning_rate", 25)
        num_iterations = kwargs.pop("num_iterations", 100)
        blur_every, show_every = kwargs.pop("blur_every", 10), kwargs.pop("show_every", 25)
        most = kwargs.pop("max_jitter", 16) + 1
        img = torch.randn(1, 3, 224, 224).type(dtype).requires_grad_()
        memory = {}
        for t in range(num_iterations):
            ox, oy = torch.randint(0, most, (2,)).tolist()
            img.data.copy_(jitter(img.data, ox, oy))
            img = update(img, model, target_y, l2_reg, rate, memory)
            img.data.copy_(jitter(img.data, -ox, -oy))
            if clamp:
                img.data.copy_(img.data.clamp(LOW, HIGH))
            if blur(t, blur_every):
                blur_image(img.data, sigma=0.5)
            if t == 0 or (t + 1) % show_every == 0 or t == num_iterations - 1:
                plt.imshow(deprocess(img.data))
                plt.show()
        return finish(img.data)

    return create_class_visualization


def autograd_grad(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y] - l2_reg * (img**2).sum(), img)
    img.data += rate * g
    return img


def backward_and_clear(img, model, y, l2_reg, rate, memory):
    (model(img)[:, y].sum() - l2_reg * img.norm() ** 2).backward()
    img.data += rate * img.grad.data
    img.grad.zero_()
    return img


def descending_the_negative(img, model, y, l2_reg, rate, memory):
    img.grad = None
    (l2_reg * torch.sum(img * img) - model.forward(img)[0][y]).backward()
    with torch.no_grad():
        img -= rate * img.grad
    return img


def regulariser_by_hand(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y], img)
    img.data = img.data + rate * (g - 2 * l2_reg * img.data)
    return img


def func_grad(img, model, y, l2_reg, rate, memory):
    g = torch.func.grad(lambda x: model(x)[0, y] - l2_reg * x.square().sum())(img.detach())
    img.data.add_(g, alpha=rate)
    return img


def optimiser_object(img, model, y, l2_reg, rate, memory):
    sgd = torch.optim.SGD([img], lr=rate, maximize=True)
    sgd.zero_grad()
    (model(img)[0, y] - l2_reg * img.pow(2).sum()).backward()
    sgd.step()
    return img


def weight_decay_of_sgd(img, model, y, l2_reg, rate, memory):
    sgd = torch.optim.SGD([img], lr=rate, weight_decay=2 * l2_reg)
    sgd.zero_grad()
    (-model(img)[0, y]).backward()
    sgd.step()
    return img


def double_precision(img, model, y, l2_reg, rate, memory):
    model = copy.deepcopy(model).double()
    x = img.detach().double().requires_grad_()
    (g,) = torch.autograd.grad(model(x)[0, y] - l2_reg * (x**2).sum(), x)
    img.data += (rate * g).float()
    return img


def another_tensor_each_time(img, model, y, l2_reg, rate, memory):
    x = img.detach().clone().requires_grad_()
    (model(x)[0, y] - l2_reg * (x**2).sum()).backward()
    return (x + rate * x.grad).detach()


def score_printed_before(img, model, y, l2_reg, rate, memory):
    with torch.no_grad():
        print(float(model(img)[0, y]))
    return autograd_grad(img, model, y, l2_reg, rate, memory)


def arithmetic_in_numpy(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y], img)
    x = img.detach().numpy()
    img.data.copy_(torch.from_numpy(x + rate * (g.numpy() - 2 * l2_reg * x)))
    return img


def normalised(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y] - l2_reg * (img**2).sum(), img)
    img.data += rate * g / g.norm()
    return img


def normalised_with_epsilon(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y] - l2_reg * (img**2).sum(), img)
    img.data += rate * g / (g.norm() + 1e-8)
    return img


UPDATES = (
    autograd_grad,
    backward_and_clear,
    descending_the_negative,
    regulariser_by_hand,
    func_grad,
    optimiser_object,
    weight_decay_of_sgd,
    double_precision,
    another_tensor_each_time,
    score_printed_before,
    arithmetic_in_numpy,
    normalised,
    normalised_with_epsilon,
)
RIGHT = {
    **{update.__name__: framed(update) for update in UPDATES},
    "stretched picture": framed(autograd_grad, finish=lambda x: deprocess(x, True)),
    "cut picture": framed(autograd_grad, finish=lambda x: deprocess(x, False)),
}


def score(s, y):
    return s[0, y]


def squares(img, l2_reg):
    return l2_reg * (img**2).sum()


def made(objective=score, regulariser=squares, scale=lambda g, rate: rate * g, accumulate=False):
    """An update with one choice or two of its own."""

    def update(img, model, y, l2_reg, rate, memory):
        (g,) = torch.autograd.grad(objective(model(img), y) - regulariser(img, l2_reg), img)
        if accumulate:
            g = memory["g"] = memory.get("g", 0) + g
        img.data += scale(g, rate)
        return img

    return framed(update)


def loss(s, y):
    return -F.cross_entropy(s, torch.tensor([y]))


def never_cleared(img, model, y, l2_reg, rate, memory):
    (model(img)[0, y] - squares(img, l2_reg)).backward()
    img.data += rate * img.grad
    return img


def shrunk_after_the_step(img, model, y, l2_reg, rate, memory):
    (g,) = torch.autograd.grad(model(img)[0, y], img)
    img.data += rate * g
    img.data -= 2 * rate * l2_reg * img.data
    return img


def training_mode(img, model, y, l2_reg, rate, memory):
    model.train()
    return autograd_grad(img, model, y, l2_reg, rate, memory)


def nothing(img, model, y, l2_reg, rate, memory):
    model(img)
    return img


def into_nan(img, model, y, l2_reg, rate, memory):
    model(img)
    img.data *= float("nan")
    return img


WRONG = {
    "descent": (made(scale=lambda g, rate: -rate * g), "visualization/descent"),
    "cross-entropy": (made(loss), "visualization/cross-entropy"),
    "probability": (
        made(lambda s, y: s.softmax(1)[0, y]),
        "visualization/cross-entropy",
    ),
    "log of the score": (
        made(lambda s, y: s[0, y].abs().log()),
        "visualization/log-score",
    ),
    "log of the score, normalised": (
        made(
            lambda s, y: s[0, y].abs().log(), lambda img, l2: 0, lambda g, rate: rate * g / g.norm()
        ),
        "visualization/log-score",
    ),
    "all scores": (made(lambda s, y: s.sum()), "visualization/all-scores"),
    "top score": (made(lambda s, y: s.max()), "visualization/top-score"),
    "away from the top": (made(lambda s, y: -s.max()), "visualization/away"),
    "margin": (made(lambda s, y: s[0, y] - s.max()), "visualization/margin"),
    "next label": (
        made(lambda s, y: s[0, (y + 1) % s.shape[1]]),
        "visualization/shifted-label",
    ),
    "training mode": (framed(training_mode), "visualization/training-mode"),
    "regulariser's sign": (
        made(regulariser=lambda img, l2: -l2 * (img**2).sum()),
        "visualization/regulariser-sign",
    ),
    "no regulariser": (
        made(regulariser=lambda img, l2: 0),
        "visualization/regulariser-missing",
    ),
    "regulariser detached": (
        made(regulariser=lambda img, l2: l2 * (img.data**2).sum()),
        "visualization/regulariser-missing",
    ),
    "norm unsquared": (
        made(regulariser=lambda img, l2: l2 * img.norm()),
        "visualization/regulariser-unsquared",
    ),
    "half the square": (
        made(regulariser=lambda img, l2: 0.5 * l2 * (img**2).sum()),
        "visualization/regulariser-halved",
    ),
    "mean square": (
        made(regulariser=lambda img, l2: l2 * (img**2).mean()),
        "visualization/regulariser-averaged",
    ),
    "no weight": (
        made(regulariser=lambda img, l2: (img**2).sum()),
        "visualization/regulariser-unweighted",
    ),
    "shrunk after the step": (
        framed(shrunk_after_the_step),
        "visualization/regulariser-after-step",
    ),
    "no learning rate": (made(scale=lambda g, rate: g), "visualization/no-learning-rate"),
    "rate of 25": (made(scale=lambda g, rate: 25 * g), "visualization/fixed-rate"),
    "squared norm": (
        made(scale=lambda g, rate: rate * g / g.norm() ** 2),
        "visualization/squared-norm",
    ),
    "standard deviation": (
        made(scale=lambda g, rate: rate * g / g.std()),
        "visualization/other-norm",
    ),
    "never cleared": (framed(never_cleared), "visualization/accumulated"),
    "accumulated and normalised": (
        made(accumulate=True, scale=lambda g, rate: rate * g / g.norm()),
        "visualization/accumulated",
    ),
    "accumulated loss": (made(loss, accumulate=True), "visualization/accumulated"),
    "loss and regulariser's sign": (
        made(loss, lambda img, l2: -l2 * (img**2).sum()),
        "visualization/regulariser-sign",
    ),
    "tensor returned": (framed(autograd_grad, finish=lambda x: x), "visualization/raw-image"),
    # In no catalogue: nothing may be named.
    "noise returned": (
        framed(autograd_grad, finish=lambda x: deprocess(torch.randn_like(x))),
        None,
    ),
    "nothing returned": (framed(autograd_grad, finish=lambda x: None), None),
    "no clamp": (framed(autograd_grad, clamp=False), None),
    "no blur": (framed(autograd_grad, blur=lambda t, every: False), None),
    "sign of the gradient": (made(scale=lambda g, rate: 0.01 * rate * g.sign()), None),
    "untouched": (framed(nothing), None),
    "nan": (framed(into_nan), None),
    "a grey picture": (lambda y, model, dtype, **kw: deprocess(torch.zeros(1, 3, 224, 224)), None),
    "None": (lambda y, model, dtype, **kw: None, None),
    "raises": (lambda y, model, dtype, **kw: kw["no such option"], None),
}
