"""A step of nbgrader's sanitising that puts a submission's cells in order before they are restored.

Where a grade_id occurs twice nbgrader empties the first cell's metadata, and its own next step then
stumbles over that.
"""

from __future__ import annotations

from typing import Any

from nbgrader.preprocessors import NbGraderPreprocessor


class ForgetEmptyMarks(NbGraderPreprocessor):  # type: ignore[misc]
    """Make a cell whose nbgrader metadata is empty an ordinary cell of the student's."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Remove metadata that names no cell."""
        for cell in nb.cells:
            if "nbgrader" in cell.metadata and not cell.metadata["nbgrader"].get("grade_id"):
                del cell.metadata["nbgrader"]
        return nb, resources
