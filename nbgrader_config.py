"""nbgrader's settings for this course: every stock `nbgrader` command reads them from here."""

import os
import sys

c = get_config()  # noqa: F821  (nbgrader hands it in)

# nbgrader calls `alembic` by its bare name, which fails where the environment isn't activated.
if os.path.dirname(sys.executable) not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])

# solutions/ is written by hand; `nbgrader generate_assignment network_visualization` (or
# `cs231n release`) makes assignments/ from it; the other three come about while grading.
c.CourseDirectory.course_id = "network_visualization_lab"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"

# SQLite beside this file, unless told otherwise: any SQLAlchemy URL, here or with `--db URL`.
if "CS231N_GRADEBOOK" in os.environ:
    c.CourseDirectory.db_url = os.environ["CS231N_GRADEBOOK"]

# What a student writes is cleared, the frame around it stays; {name} is the cell's grade_id.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.LockCells",
    "cs231n_utils.grading.release.ClearFramedSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.ClearSolutions.begin_solution_delimeter = "START OF YOUR CODE"
c.ClearSolutions.end_solution_delimeter = "END OF YOUR CODE"
c.ClearSolutions.code_stub = {
    "python": "# TODO: put your code in place of the next line.\n"
    'raise NotImplementedError("{name}: write this part, then run the cell again")'
}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"

# The slowest cell takes about 20 s on two cores; one that takes ten times as long is stuck.
c.Execute.timeout = 200
# With two threads on a busy machine a small network takes fifty times as long as with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# --- grading: our own executor in the place of nbgrader's (cs231n_utils/grading/execute.py) -------
# Plain `nbgrader autograde`, the formgrader's button and `cs231n grade` all go through it.
c.Autograde.exporter_class = "cs231n_utils.grading.restore.DataExporter"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "cs231n_utils.grading.restore.RestoreMarks",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "cs231n_utils.grading.execute.Execute",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
