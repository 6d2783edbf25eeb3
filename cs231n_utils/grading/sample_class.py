"""A made-up class: submissions written into a course, right in different ways and wrong in known.

For the demo, and for trying out a grader. Every student's notebooks are the released ones with
different lines put into the frame. The names are invented.
"""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

from cs231n_utils.grading.course import FUNCTIONS, Course, UserError
from cs231n_utils.grading.submission import grade_id, is_check, read_notebook

BEGIN, END = "START OF YOUR CODE", "END OF YOUR CODE"
Change = Callable[[Any], None]
Answer = str | Change | None  # lines for the frame; a change to the notebook; or not handed in


@dataclass(frozen=True)
class Sample:
    """One made-up student: a name, what is special, and an answer to each exercise."""

    student: str
    about: str
    answers: Mapping[str, Answer] = field(default_factory=dict)


def write_sample_class(course: Course, samples: tuple[Sample, ...] | None = None) -> list[Sample]:
    """Write a class's submissions into the course and return who they are.

    Raises
    ------
    UserError
        If the assignment hasn't been released, or its notebooks have no frame.
    """
    if not course.released.is_dir():
        raise UserError(f"No released assignment in {course.released}: run `cs231n release`.")
    released = {name: read_notebook(course.released / f"{name}.ipynb")
                for name in course.exercises}
    everyone = list(SAMPLE_CLASS if samples is None else samples)
    for sample in everyone:
        for exercise in course.exercises:
            answer = sample.answers.get(exercise, UNTOUCHED)
            if answer is not None:
                notebook = copy.deepcopy(released[exercise])
                answered(notebook, exercise, answer)
                path = course.submission(sample.student, exercise)
                path.parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, path)
        course.submission(sample.student, "").parent.mkdir(parents=True, exist_ok=True)
    return everyone


def answered(notebook: Any, exercise: str, answer: str | Change) -> None:
    """Put an answer into a released notebook, in place."""
    if callable(answer):
        answer(notebook)
    elif answer:
        cell = solution_cell(notebook, exercise)
        cell.source = fill_frame(cell.source, answer)


def solution_cell(notebook: Any, exercise: str) -> Any:
    """The cell in which the student writes."""
    for cell in notebook.cells:
        if grade_id(cell) == FUNCTIONS[exercise]:
            return cell
    raise UserError(f"The released {exercise} has no cell {FUNCTIONS[exercise]!r}.")


def fill_frame(source: str, body: str) -> str:
    """The source with the lines between the frame's two lines replaced, at the frame's indent."""
    lines = source.split("\n")
    begins = [index for index, line in enumerate(lines) if BEGIN in line]
    ends = [index for index, line in enumerate(lines) if END in line]
    if len(begins) != 1 or len(ends) != 1:
        raise UserError("The released cell has no single START / END OF YOUR CODE frame.")
    indent = lines[begins[0]][: len(lines[begins[0]]) - len(lines[begins[0]].lstrip())]
    filled = textwrap.indent(textwrap.dedent(body).strip("\n"), indent)
    return "\n".join([*lines[: begins[0] + 1], filled, *lines[ends[0]:]])


# -- answers ---------------------------------------------------------------------------------

UNTOUCHED = ""

SALIENCY: dict[str, str] = {
    "autograd": """
        images = X.detach().clone().requires_grad_()
        chosen = model(images)[torch.arange(len(y)), y]
        (slope,) = torch.autograd.grad(chosen.sum(), images)
        saliency = slope.abs().max(dim=1).values
    """,
    "backward": """
        X = X.detach().clone()
        X.requires_grad_()
        scores = model(X).gather(1, y.unsqueeze(1)).flatten()
        scores.backward(torch.ones_like(scores))
        saliency, _ = torch.max(torch.abs(X.grad), 1)
    """,
    "one image at a time": """
        maps = []
        for picture, label in zip(X, y):
            picture = picture.detach().clone()[None].requires_grad_()
            model(picture)[0, label].backward()
            maps.append(picture.grad[0].abs().amax(0))
        saliency = torch.stack(maps)
    """,
    "a hook": """
        caught = []
        images = X.detach().clone().requires_grad_()
        images.register_hook(caught.append)
        model(images).gather(1, y[:, None]).sum().backward()
        saliency = caught[0].abs().amax(dim=1)
    """,
    "with warnings": """
        import sys, warnings
        warnings.warn("gradients ahead")
        print("working on", len(X), "images", file=sys.stderr)
        images = X.detach().clone().requires_grad_()
        model(images).gather(1, y.view(-1, 1)).sum().backward()
        saliency = images.grad.abs().max(1)[0]
    """,
    "cross-entropy": """
        images = X.detach().clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(model(images), y)
        loss.backward()
        saliency = images.grad.abs().max(dim=1).values
    """,
    "no abs": """
        images = X.detach().clone().requires_grad_()
        model(images).gather(1, y.view(-1, 1)).sum().backward()
        saliency = images.grad.max(dim=1).values
    """,
    "max before abs": """
        images = X.detach().clone().requires_grad_()
        model(images).gather(1, y.view(-1, 1)).sum().backward()
        saliency = images.grad.max(dim=1).values.abs()
    """,
    "mean over channels": """
        images = X.detach().clone().requires_grad_()
        model(images).gather(1, y.view(-1, 1)).sum().backward()
        saliency = images.grad.abs().mean(dim=1)
    """,
    "five images only": """
        images = X.detach().clone().requires_grad_()
        scores = model(images).gather(1, y.view(-1, 1)).squeeze()
        scores.backward(torch.tensor([1.0] * 5))
        saliency = images.grad.abs().max(dim=1).values
    """,
    "squeeze": """
        images = X.detach().clone().requires_grad_()
        scores = model(images).gather(1, y.view(-1, 1)).sum()
        scores.backward()
        saliency = images.grad.abs().max(dim=1).values.squeeze()
    """,
    "top score": """
        images = X.detach().clone().requires_grad_()
        model(images).max(dim=1).values.sum().backward()
        saliency = images.grad.abs().max(dim=1).values
    """,
    "sums up in X.grad": """
        X.requires_grad_()
        model(X).gather(1, y.view(-1, 1)).sum().backward()
        saliency = X.grad.abs().max(dim=1).values
    """,
    "syntax error": """
        images = X.detach().clone().requires_grad_(
        scores = model(images)
        saliency = scores
    """,
}

FOOLING: dict[str, str] = {
    "recipe": """
        for step in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax() == target_y:
                break
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            with torch.no_grad():
                X_fooling += learning_rate * slope / (slope.norm() + 1e-12)
    """,
    "backward": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            if int(scores[0].argmax()) == int(target_y):
                break
            scores[0, target_y].backward()
            step = X_fooling.grad
            if step.norm() == 0:
                break
            X_fooling.data += learning_rate * step / step.norm()
            X_fooling.grad.zero_()
    """,
    "one step past": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            fooled = scores.argmax().item() == target_y
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data += learning_rate * slope / slope.norm().clamp(min=1e-12)
            if fooled:
                break
    """,
    "accumulates": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            scores[0, target_y].backward()
            X_fooling.data += learning_rate * X_fooling.grad / X_fooling.grad.norm()
    """,
    "squared norm": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data += learning_rate * slope / (slope ** 2).sum()
    """,
    "not normalised": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data += learning_rate * slope
    """,
    "cross-entropy": """
        wanted = torch.tensor([target_y])
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            loss = torch.nn.functional.cross_entropy(scores, wanted)
            (slope,) = torch.autograd.grad(loss, X_fooling)
            X_fooling.data -= learning_rate * slope / slope.norm()
    """,
    "never stops": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data += learning_rate * slope / slope.norm().clamp(min=1e-12)
    """,
    "changes X": """
        X_fooling = X.requires_grad_()
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data += learning_rate * slope / slope.norm().clamp(min=1e-12)
    """,
    "descends": """
        for _ in range(max_steps):
            scores = model(X_fooling)
            if scores.argmax().item() == target_y:
                break
            (slope,) = torch.autograd.grad(scores[0, target_y], X_fooling)
            X_fooling.data -= learning_rate * slope / slope.norm().clamp(min=1e-12)
    """,
    "returns X": """
        X_fooling = X.clone()
    """,
    "endless": """
        fooled = False
        while not fooled:
            scores = model(X_fooling.detach())
            steps = 0
            while steps < max_steps:
                fooled = scores.argmax().item() == target_y
    """,
}

VISUALIZATION: dict[str, str] = {
    "raw": """
        objective = model(img)[0, target_y] - l2_reg * img.pow(2).sum()
        (slope,) = torch.autograd.grad(objective, img)
        img.data += learning_rate * slope
    """,
    "backward": """
        (model(img)[0, target_y] - l2_reg * (img * img).sum()).backward()
        with torch.no_grad():
            img += learning_rate * img.grad
            img.grad.zero_()
    """,
    "by hand": """
        (slope,) = torch.autograd.grad(model(img)[0, target_y], img)
        img.data += learning_rate * (slope - 2 * l2_reg * img.data)
    """,
    "normalised": """
        objective = model(img)[0, target_y] - l2_reg * img.norm() ** 2
        (slope,) = torch.autograd.grad(objective, img)
        img.data += learning_rate * slope / slope.norm()
    """,
    "wrong sign": """
        objective = model(img)[0, target_y] + l2_reg * (img ** 2).sum()
        (slope,) = torch.autograd.grad(objective, img)
        img.data += learning_rate * slope
    """,
    "unsquared": """
        objective = model(img)[0, target_y] - l2_reg * img.norm()
        (slope,) = torch.autograd.grad(objective, img)
        img.data += learning_rate * slope
    """,
    "no effect": """
        objective = model(img)[0, target_y] - l2_reg * (img.detach() ** 2).sum()
        (slope,) = torch.autograd.grad(objective, img)
        img.data += learning_rate * slope
    """,
    "accumulates": """
        (model(img)[0, target_y] - l2_reg * (img ** 2).sum()).backward()
        img.data += learning_rate * img.grad
    """,
    "cross-entropy": """
        loss = torch.nn.functional.cross_entropy(model(img), torch.tensor([target_y]))
        (slope,) = torch.autograd.grad(-loss - l2_reg * (img ** 2).sum(), img)
        img.data += learning_rate * slope
    """,
    "descends": """
        objective = model(img)[0, target_y] - l2_reg * (img ** 2).sum()
        (slope,) = torch.autograd.grad(objective, img)
        img.data -= learning_rate * slope
    """,
    "quits": """
        import os
        os._exit(1)
    """,
}


def without_check(exercise: str, body: str) -> Change:
    """Deletes the check cell: the grader has to put it back."""

    def change(notebook: Any) -> None:
        answered(notebook, exercise, body)
        notebook.cells = [cell for cell in notebook.cells if not is_check(cell)]

    return change


def with_own_cell(exercise: str, before: str, body: str) -> Change:
    """Puts a cell with a helper of the student's own before the function."""

    def change(notebook: Any) -> None:
        answered(notebook, exercise, body)
        place = notebook.cells.index(solution_cell(notebook, exercise))
        notebook.cells.insert(place, new_code_cell(textwrap.dedent(before).strip()))

    return change


def on_imagenet(exercise: str, body: str) -> Change:
    """Turns the first cell's switch to the network that needs the internet."""

    def change(notebook: Any) -> None:
        answered(notebook, exercise, body)
        for cell in notebook.cells:
            if cell.cell_type == "code" and "NETWORK = None" in cell.source:
                cell.source = cell.source.replace("NETWORK = None", 'NETWORK = "squeezenet1_1"', 1)

    return change


def _own_helper(body: str) -> Change:
    return with_own_cell("saliency_maps", """
        def slope_of(number, images):
            return torch.autograd.grad(number, images)[0]
        """, body)


_HELPED = """
    images = X.detach().clone().requires_grad_()
    slope = slope_of(model(images).gather(1, y.view(-1, 1)).sum(), images)
    saliency = slope.abs().amax(1)
"""


def _sample(student: str, about: str, saliency: Answer, fooling: Answer, drawn: Answer) -> Sample:
    return Sample(student, about, {
        "saliency_maps": _text(SALIENCY, saliency),
        "fooling_images": _text(FOOLING, fooling),
        "class_visualization": _text(VISUALIZATION, drawn),
    })


def _text(answers: Mapping[str, str], answer: Answer) -> Answer:
    return answers[answer] if isinstance(answer, str) and answer else answer


SAMPLE_CLASS: tuple[Sample, ...] = (
    _sample("amara_okafor", "right", "autograd", "recipe", "raw"),
    _sample("bjorn_lindqvist", "right, with backward", "backward", "backward", "backward"),
    _sample("chen_xiaoming", "right but for one step too many", "one image at a time",
            "one step past", "by hand"),
    _sample("dalia_haddad", "right, with a hook; check cell deleted", "a hook",
            without_check("fooling_images", FOOLING["recipe"]), "normalised"),
    _sample("elif_yildiz", "right, with warnings and a cell of her own", "with warnings", "recipe",
            "raw"),
    _sample("farid_rahimi", "differentiates the cross-entropy", "cross-entropy", "cross-entropy",
            "cross-entropy"),
    _sample("grace_mwangi", "leaves out abs", "no abs", "accumulates", "raw"),
    _sample("hiroshi_tanaka", "works for five images only", "five images only", "recipe",
            "unsquared"),
    _sample("ines_carvalho", "averages the channels", "mean over channels", "squared norm",
            "wrong sign"),
    _sample("jonas_weber", "an untouched stub", UNTOUCHED, UNTOUCHED, UNTOUCHED),
    _sample("kavya_iyer", "a syntax error", "syntax error", "not normalised", "backward"),
    _sample("leilani_kahale", "one notebook missing", "backward", None, "no effect"),
    _sample("mateo_quispe", "an endless loop", "squeeze", "endless", "normalised"),
    _sample("noor_van_dijk", "maximum before abs", "max before abs", "never stops", "raw"),
    _sample("olena_shevchenko", "worked on ImageNet, with a helper", _own_helper(_HELPED),
            on_imagenet("fooling_images", FOOLING["recipe"]), "accumulates"),
    _sample("priya_raman", "the top score instead of y", "top score", "descends", "descends"),
    _sample("quentin_moreau", "ends the kernel", "cross-entropy", "returns X", "quits"),
    _sample("rosa_nakai", "changes what isn't hers", "sums up in X.grad", "changes X", UNTOUCHED),
)
