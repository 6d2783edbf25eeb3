"""Verdicts as text for a terminal and as HTML for a notebook, light or dark."""

from __future__ import annotations

import base64
import io
import textwrap
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cs231n_utils.exercises.verdict import Finding, Picture, Verdict

_HEADLINES = {
    "passed": "all right",
    "failed": "not there yet",
    "not attempted": "not attempted",
    "raised": "your function raised an error",
    "not graded": "the checker failed, no mark was recorded",
}

# Mid-tones that read on a light and on a dark page.
_COLOURS = {
    "passed": "#2f9e5b",
    "failed": "#d9534f",
    "not attempted": "#8a8f98",
    "raised": "#d9534f",
    "not graded": "#c98a1b",
}

_AMPLIFY = (1, 10, 100, 1000)


def title(exercise: str) -> str:
    """An exercise's name for people: "Saliency maps"."""
    return exercise.replace("_", " ").capitalize()


def points_text(verdict: Verdict) -> str:
    """Such as "7.5 of 10 points"."""
    if verdict.points is None:
        return "no points recorded"
    return f"{verdict.points:g} of {verdict.max_points:g} points"


def as_text(verdict: Verdict) -> str:
    """The whole verdict, 90 columns wide, without colours."""
    lines = [f"{title(verdict.exercise)}: {points_text(verdict)} ({_HEADLINES[verdict.status]})"]
    if verdict.message:
        lines += _wrap("", verdict.message)
    for finding in verdict.findings:
        lines += _finding_text(finding)
    waiting = {finding.blocked_by for finding in verdict.findings if finding.passed is None}
    for name in sorted(waiting):
        lines += _wrap("  -        ", f"waits until this passes: {name}")
    for remark in verdict.remarks:
        lines += ["", *_wrap("  note  ", f"{remark.what} {remark.why} {remark.next_step}")]
    if verdict.seed is not None and verdict.status == "failed":
        lines += ["", f"  The same questions again: check(..., seed={verdict.seed})"]
    return "\n".join(lines)


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, width=90, initial_indent=label, subsequent_indent=" " * len(label)
    ) or [label.rstrip()]


def _finding_text(finding: Finding) -> list[str]:
    mark = {True: "ok", False: "x ", None: "- "}[finding.passed]
    earned = f"{finding.points:g}/{finding.max_points:g}"
    lines = _wrap(f"  {mark:2} {earned:>4}  ", finding.name)
    indent = " " * 11
    if finding.passed is False:
        mistake = finding.mistake
        got = "" if mistake and finding.got == mistake.what else finding.got
        if finding.expected:
            lines += _wrap(f"{indent}expected  ", finding.expected)
        if got:
            lines += _wrap(f"{indent}got       ", got)
        if mistake:
            lines += _wrap(f"{indent}mistake   ", f"{mistake.what} {mistake.why}")
        if finding.advice:
            lines += _wrap(f"{indent}next      ", finding.advice)
    return lines


_STYLE = """
<style>
.cs231n-verdict { max-width: 60em; margin: .4em 0; padding: 0; font-size: 14px; line-height: 1.45;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-content-font-color1, inherit);
  border: 1px solid rgba(128, 128, 128, .35); border-radius: 8px; overflow: hidden; }
.cs231n-verdict * { box-sizing: border-box; }
.cs231n-verdict header { display: flex; flex-wrap: wrap; gap: .2em 1em; align-items: baseline;
  padding: .6em 1em; border-left: 6px solid var(--tone); background: rgba(128, 128, 128, .10); }
.cs231n-verdict header b { font-size: 1.15em; }
.cs231n-verdict header .state { color: var(--tone); font-weight: 600; }
.cs231n-verdict header .points { margin-left: auto; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.cs231n-verdict .message { padding: .7em 1em; }
.cs231n-verdict ul { list-style: none; margin: 0; padding: 0; }
.cs231n-verdict li { display: grid; grid-template-columns: 1.4em 1fr auto; gap: 0 .5em;
  margin: 0; padding: .45em 1em; border-top: 1px solid rgba(128, 128, 128, .22); }
.cs231n-verdict li > .mark { font-weight: 700; color: var(--tone); }
.cs231n-verdict li > .worth { opacity: .75; font-variant-numeric: tabular-nums; }
.cs231n-verdict li.blocked > .name { opacity: .65; }
.cs231n-verdict dl { grid-column: 2 / -1; display: grid; grid-template-columns: 6em 1fr;
  gap: .15em .6em; margin: .35em 0 .2em; padding: 0; }
.cs231n-verdict dt { margin: 0; padding: 0; opacity: .7; font-weight: 400; }
.cs231n-verdict dd { margin: 0; padding: 0; }
.cs231n-verdict dd.mistake { padding: .35em .6em; border-left: 3px solid var(--tone);
  background: rgba(128, 128, 128, .10); border-radius: 0 4px 4px 0; }
.cs231n-verdict dd.mistake b { font-weight: 600; }
.cs231n-verdict .remark { padding: .5em 1em; border-top: 1px solid rgba(128, 128, 128, .22);
  border-left: 6px solid #4a8fd6; }
.cs231n-verdict .pictures { padding: .6em 1em .8em;
  border-top: 1px solid rgba(128, 128, 128, .22); }
.cs231n-verdict .pictures p { margin: 0 0 .4em; opacity: .8; }
.cs231n-verdict .row { display: flex; flex-wrap: wrap; gap: .8em; margin-bottom: .5em; }
.cs231n-verdict figure { margin: 0; }
.cs231n-verdict figure img { display: block; height: 132px; width: auto; max-width: none;
  image-rendering: pixelated; border-radius: 4px; border: 1px solid rgba(128, 128, 128, .35); }
.cs231n-verdict figcaption { font-size: .85em; opacity: .8; margin-top: .2em; }
.cs231n-verdict footer { padding: .4em 1em; font-size: .85em; opacity: .7;
  border-top: 1px solid rgba(128, 128, 128, .22); }
</style>
"""


def as_html(verdict: Verdict) -> str:
    """The whole verdict as one piece of HTML that needs nothing else; all text is escaped.

    It reads without its style too: where a notebook isn't trusted, Jupyter and GitHub drop that.
    """
    tone = _COLOURS[verdict.status]
    body = [
        f"<header><b>{escape(title(verdict.exercise))}</b> "
        f'<span class="state">{_HEADLINES[verdict.status]}</span> '
        f'<span class="points">{points_text(verdict)}</span></header>'
    ]
    if verdict.message:
        body.append(f'<div class="message">{escape(verdict.message)}</div>')
    if verdict.findings:
        body.append("<ul>" + "".join(map(_finding_html, verdict.findings)) + "</ul>")
    for name in sorted({f.blocked_by for f in verdict.findings if f.passed is None}):
        text = escape(f"The findings marked with a dot wait until this one passes: {name}")
        body.append(f'<div class="message">{text}</div>')
    for remark in verdict.remarks:
        text = escape(f"{remark.what} {remark.why} {remark.next_step}")
        body.append(f'<div class="remark"><b>Costs nothing, worth knowing:</b> {text}</div>')
    body += map(_picture_html, verdict.pictures)
    if verdict.seed is not None and verdict.status == "failed":
        again = f"check({verdict.exercise!r}, …, seed={verdict.seed})"
        body.append(f"<footer>The same questions again: <code>{escape(again)}</code></footer>")
    inside = "\n".join(body)
    return f'{_STYLE}<div class="cs231n-verdict" style="--tone: {tone}">{inside}</div>'


def _finding_html(finding: Finding) -> str:
    kind, mark, tone = {
        True: ("passed", "✓", _COLOURS["passed"]),
        False: ("failed", "✗", _COLOURS["failed"]),
        None: ("blocked", "·", _COLOURS["not attempted"]),
    }[finding.passed]
    return (
        f'<li class="{kind}" style="--tone: {tone}"><span class="mark">{mark}</span> '
        f'<span class="name">{escape(finding.name)}</span> '
        f'<span class="worth">{finding.points:g} / {finding.max_points:g}</span>'
        f"{_details_html(finding)}</li>"
    )


def _details_html(finding: Finding) -> str:
    rows: list[tuple[str, str, str]] = []
    if finding.passed is False:
        mistake = finding.mistake
        rows.append(("expected", "", escape(finding.expected)))
        if not (mistake and finding.got == mistake.what):
            rows.append(("got", "", escape(finding.got)))
        if mistake:
            text = f"<b>{escape(mistake.what)}</b> {escape(mistake.why)}"
            rows.append(("mistake", "mistake", text))
        rows.append(("next step", "", escape(finding.advice)))
    cells = [f'<dt>{dt}</dt><dd class="{kind}">{dd}</dd>' for dt, kind, dd in rows if dd]
    return f"<dl>{''.join(cells)}</dl>" if cells else ""


def _picture_html(picture: Picture) -> str:
    """Yours, the reference, and their difference; only the reference's like when it is right."""
    yours = np.nan_to_num(picture.yours.astype(np.float64), posinf=0.0, neginf=0.0)
    reference = picture.reference.astype(np.float64)
    panels: list[tuple[str, NDArray[np.uint8]]] = []
    if picture.original is not None:
        panels.append(("original", _colour(picture.original, 0, 1)))
    shown = _shown(reference, picture.signed)
    scale = float(np.abs(reference).max()) or 1.0
    panels.append(("yours", shown(yours)))
    if not picture.passed and (factor := _amplification(np.abs(yours), scale)) > 1:
        panels.append((f"yours \u00d7 {factor}", shown(yours * factor)))
    panels.append(("expected", shown(reference)))
    if not picture.passed:
        difference = np.abs(yours - reference)
        panels.append(("difference", _colour(difference, 0, scale)))
        factor = _amplification(difference, scale)
        if factor > 1:
            panels.append((f"difference \u00d7 {factor}", _colour(difference * factor, 0, scale)))
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="{png_uri(pixels)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, pixels in panels
    )
    caption = f"<p>{escape(picture.title)}</p>"
    return f'<div class="pictures">{caption}<div class="row">{figures}</div></div>'


def _shown(reference: NDArray[Any], signed: bool) -> Any:
    """How to colour arrays so that they compare with the reference, on the reference's scale."""
    low, high = float(reference.min()), float(reference.max())
    if signed:
        high = max(abs(low), abs(high))
        return lambda array: _colour(array, -high, high, "coolwarm")
    if reference.ndim == 2:
        low = 0.0
    return lambda array: _colour(array, low, high)


def _amplification(difference: NDArray[Any], scale: float) -> int:
    """The largest power of ten that keeps most of the difference within the scale."""
    typical = float(np.quantile(difference, 0.99))
    return max((f for f in _AMPLIFY if typical * f <= scale), default=1) if typical > 0 else 1


def _colour(
    array: NDArray[Any], low: float, high: float, name: str = "inferno"
) -> NDArray[np.uint8]:
    """(H, W) through a colour map, (H, W, 3) as it is -> uint8 (H, W, 3)."""
    unit = np.clip((array - low) / ((high - low) or 1.0), 0, 1)
    if unit.ndim == 2:
        from matplotlib import colormaps

        unit = colormaps[name](unit)[..., :3]
    return np.asarray(np.round(unit * 255), dtype=np.uint8)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """An image as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
