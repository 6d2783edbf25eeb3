"""The same submissions under stock nbgrader, beside this project's grader: `make hostile-baseline`.

Stock nbgrader executes a notebook with its checks in it, here
`check("saliency_maps", compute_saliency_maps).points`, which nbgrader takes as partial credit.
It keeps nothing from the code that it runs, so each submission gets a stock nbgrader of its own in
a bubblewrap that is thrown away: no network, nothing writable but its /tmp, limits on memory,
processes and time. What it would do to a machine is not shown by this, only what it does to marks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from attacks import ATTACKS, Attack
from rich.console import Console
from rich.table import Table
from test_hostile import HONEST, course_notebook, submit

import cs231n_utils
from cs231n_utils.grading import sandbox
from cs231n_utils.grading.course import Course
from cs231n_utils.grading.submission import is_check

SECONDS, CELL_SECONDS = 150, 15
USER = 65_500
NBGRADER = [sys.executable, "-m", "nbgrader"]
PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"  # nbgrader calls alembic by its bare name
CONFIG = f"""
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.ClearSolutions.code_stub = {{"python": "raise NotImplementedError"}}
c.ClearSolutions.begin_solution_delimeter = "START OF YOUR CODE"
c.ClearSolutions.end_solution_delimeter = "END OF YOUR CODE"
c.Execute.timeout = {CELL_SECONDS}
c.Execute.iopub_timeout = 4
c.OverwriteCells.add_missing_cells = True
"""
# Inside: a copy of the course, graded, and what the gradebook says, on the last line.
INSIDE = """
import shutil, subprocess, sys
shutil.copytree(sys.argv[1], "/tmp/course", symlinks=True)
done = subprocess.run([sys.executable, "-m", "nbgrader", "autograde", "network_visualization",
                       "--student", "somebody"], cwd="/tmp/course", capture_output=True)
from nbgrader.api import Gradebook
with Gradebook("sqlite:////tmp/course/gradebook.db") as gradebook:
    score = gradebook.find_submission("network_visualization", "somebody").score
print("GRADED", done.returncode, score)
"""


def stock_course(root: Path) -> Course:
    """A released course with stock settings and one exercise whose check runs in the notebook."""
    course = Course(root)
    course.source.mkdir(parents=True)
    (root / "nbgrader_config.py").write_text(CONFIG)
    for exercise in ("saliency_maps", "fooling_images"):
        notebook = course_notebook(exercise)
        for cell in notebook.cells:
            if is_check(cell):
                cell.source += ".points"
        nbformat.write(notebook, course.source / f"{exercise}.ipynb")
    subprocess.run([*NBGRADER, "generate_assignment", course.assignment], cwd=root, check=True,
                   capture_output=True, env={**os.environ, "PATH": PATH})
    return course


def graded_by_stock(attack: Attack, released: Path) -> str:
    """What the gradebook says in the end: points, or why there are none."""
    with tempfile.TemporaryDirectory(prefix="stock-", dir="/tmp") as folder:
        root = Path(folder) / "course"
        shutil.copytree(released, root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("test_hostile.slug", lambda attack: "somebody")
            submit(Course(root), attack)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        try:
            done = subprocess.run(closed([sys.executable, "-c", INSIDE, "/course"], root),
                                  capture_output=True, timeout=SECONDS, check=False,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return "no grade: no end"
    said = re.findall(rb"^GRADED (\d+) ([\d.eE+-]+)", done.stdout, re.MULTILINE)
    if not said:
        return "no grade: nbgrader ended"
    code, score = int(said[-1][0]), float(said[-1][1])
    return f"{score:g}" if code == 0 else "no grade: error"


def closed(command: list[str], course: Path) -> list[str]:
    """A command in a bubblewrap where it can do no harm, though all of the system is shown."""
    limits = sandbox.Limits(processes=200, file_size=200_000_000)
    shown = [Path("/usr"), Path(sys.base_prefix), Path(sys.prefix), sandbox.PACKAGE.parent]
    links = [word for name in ("bin", "lib", "lib64", "sbin") if Path("/", name).is_symlink()
             for word in ("--symlink", os.readlink(f"/{name}"), f"/{name}")]
    root = os.geteuid() == 0
    privileges = (["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
                  if root else ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"])
    folders = [word for path in shown if path.is_dir() for word in (
        *sandbox._folders(path.parent), "--ro-bind", str(path), str(path))]
    return [
        "bwrap", *sandbox._APART, *privileges, "--perms", "1777", "--size", "1000000000", "--tmpfs",
        "/tmp", *links, *folders, "--proc", "/proc", "--dev", "/dev",
        *sandbox._folders("/course"), "--ro-bind", str(course), "/course",
        *sandbox._folders("/etc"), "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache",
        "--ro-bind-try", "/etc/fonts", "/etc/fonts",  # else a line on stderr, which costs all
        "--setenv", "HOME", "/tmp", "--setenv", "OMP_NUM_THREADS", "1",
        "--setenv", "PATH", PATH,
        "--setenv", "PYTHONPATH", str(Path(cs231n_utils.__file__).parents[1]),
        "--chdir", "/tmp", "--", *sandbox.launcher(limits, USER if root else None), *command,
    ]


def verdict(attack: Attack, stock: str) -> str:
    """What is wrong with stock nbgrader's grade, in two words; "" where nothing is."""
    if stock.startswith("no grade"):
        return "" if attack.points is None else "no grade"
    if attack.points is not None and float(stock) > attack.points:
        return "forged"
    return "lost" if attack.points is not None and float(stock) < attack.points else ""


def main() -> None:
    """Grade them all and print both, side by side; ours are what the suite asserts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of those to run; all")
    names = parser.parse_args().names
    sandbox.require(sandbox.Kind.BUBBLEWRAP)
    table = Table("submission", "stock nbgrader", "this grader", "stock's grade is")
    wrong: dict[str, list[str]] = {}
    chosen = [attack for attack in (*ATTACKS, *HONEST)
              if not names or any(name in attack.name for name in names)]
    with tempfile.TemporaryDirectory(prefix="stock-") as folder:
        released = Path(folder) / "course"
        stock_course(released)
        for attack in chosen:
            stock = graded_by_stock(attack, released)
            said = verdict(attack, stock)
            wrong.setdefault(said, []).append(attack.name)
            ours = "no mark: a person" if attack.points is None else f"{attack.points:g}"
            table.add_row(attack.name, stock, ours, said)
            print(json.dumps([attack.name, stock, ours, said]), flush=True)
    console = Console(width=110)
    console.print(table)
    for said, what in (("forged", "points forged"), ("lost", "right work that lost points"),
                       ("no grade", "no grade at all")):
        console.print(f"{what}: stock nbgrader {len(wrong.get(said, []))} of {len(chosen)}, "
                      "this grader 0 (the suite asserts it)")


if __name__ == "__main__":
    main()
