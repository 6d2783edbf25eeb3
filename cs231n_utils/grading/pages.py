"""What of a student's notebook may reach a page: text, and pictures that were made anew.

The autograded notebook is what the formgrader shows and feedback is made of, as HTML. A student's
HTML, JavaScript and SVG end here: outputs keep their plain text and their PNGs, encoded again;
text cells keep their Markdown, in which a < begins nothing; metadata keeps nbgrader's.
"""

from __future__ import annotations

import base64
import html
import re
from typing import Any

from nbformat import NotebookNode

from cs231n_utils.grading.client import LANGUAGE
from cs231n_utils.grading.results import VERDICT_MIME, safe_picture
from cs231n_utils.grading.submission import DEMO_TAG

# In TeX these make links, styles and classes out of text.
_TEX = re.compile(r"\\(href|class|style|cssId|html\w*|unicode|require|def|newcommand)\b")
# A < that could begin a tag no longer does with a character of no width behind it, in code and
# formulas too, where &lt; would be shown as it is.
_TAG_BEGIN = re.compile(r"<(?=[A-Za-z/!?])")
# What Markdown without HTML never gives; should a renderer give it, the text is shown as it is.
_TAG = re.compile(r"<(?!/?(p|a|em|strong|code|pre|span|div|h\d|ul|ol|li|blockquote|hr|br|img|table|"
                  r"thead|tbody|tr|th|td|del|sup|sub)\b)[a-z!/]|<[^>]*\son\w+\s*=", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:href|src)\s*=\s*([\"'])(.*?)\1", re.IGNORECASE | re.DOTALL)
_FINE = re.compile(r"\s*(https?:|mailto:|#|[^:]*$)", re.IGNORECASE)


def make_safe(nb: Any, own: frozenset[str]) -> None:
    """Make a notebook safe to be shown, in place. ``own`` are the sources of the course's cells."""
    nb.metadata = NotebookNode({
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": LANGUAGE,
    })
    for cell in nb.cells:
        ours = cell.source.strip() in own
        cell.metadata = _metadata(cell.metadata)
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs = [kept for kept in map(_output, cell.get("outputs", [])) if kept]
            cell.execution_count = None
        elif not ours:
            if cell.cell_type == "raw":  # shown as it is: HTML
                cell.cell_type = "markdown"
            cell.source = plain_markdown(cell.source)


def plain_markdown(text: str) -> str:
    """Markdown without HTML, without links that run something, and with TeX that is only TeX."""
    from nbconvert.filters import markdown2html

    plain = _TEX.sub(r"\1", _TAG_BEGIN.sub("<\u200c", text))
    page = markdown2html(plain)
    addresses = [html.unescape(found[1]) for found in _ADDRESS.findall(page)]
    if _TAG.search(page) or not all(map(_FINE.match, addresses)):
        plain = "\n".join(f"    {line}" for line in plain.splitlines())
    return plain


def _metadata(metadata: Any) -> NotebookNode:
    kept = {name: metadata[name] for name in ("nbgrader", "deletable", "editable")
            if name in metadata}
    tags = metadata.get("tags", [])
    if isinstance(tags, list) and DEMO_TAG in tags:
        kept["tags"] = [DEMO_TAG]
    return NotebookNode(kept)


def _output(output: Any) -> Any:
    """The output as it may be shown; None where nothing is left."""
    if output.output_type == "execute_result" and VERDICT_MIME in output.data:
        return output  # written by the executor
    if output.output_type in ("stream", "error"):
        return output
    data = {}
    if "text/plain" in output.data:
        data["text/plain"] = str(output.data["text/plain"])
    picture = safe_picture(output.data.get("image/png"))
    if picture is not None:
        data["image/png"] = base64.b64encode(picture).decode("ascii")
    if not data:
        return None
    return NotebookNode(output_type="display_data", data=data, metadata={})
