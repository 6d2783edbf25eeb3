"""``cs231n …``: the lab's commands. Thin: what they do lies in the package."""

from __future__ import annotations

import functools
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from cs231n_utils.grading.course import Course
    from cs231n_utils.grading.results import ClassResults

STUDENT, INSTRUCTOR, MAINTAINER = "Student", "Instructor", "Maintainer"
BAD_INPUT, INTERRUPTED = 2, 130

app = typer.Typer(
    name="cs231n",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The Network Visualization Lab: see what an image classifier sees.\n\n"
    "Exit codes: 0 all is well, 1 something isn't (not passed, not graded), 2 wrong use, "
    "130 interrupted.",
)

Command = TypeVar("Command", bound=Callable[..., Any])
CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="FOLDER", help="The course's folder. Searched upwards from "
                 "here unless given.", show_default=False),
]


def main() -> None:
    """Entry point of the ``cs231n`` command."""
    app(prog_name="cs231n")


def out() -> Console:
    """The terminal; made anew for each use, so that a redirected stdout is respected."""
    return Console()


def command(panel: str, examples: str) -> Callable[[Command], Command]:
    """Register a command, with examples in its help and plain messages for what goes wrong."""

    def register(function: Command) -> Command:
        lines = [f"  {escape(line.strip())}" for line in examples.strip().splitlines()]
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        paragraphs = [" ".join(paragraph.split("\n")) for paragraph in paragraphs]
        paragraphs += ["[bold]Examples[/]", *(f"[cyan]{line}[/]" for line in lines)]

        @functools.wraps(function)
        def plain(*args: Any, **settings: Any) -> Any:
            from cs231n_utils.grading.course import UserError

            try:
                return function(*args, **settings)
            except UserError as error:
                Console(stderr=True).print(f"[red bold]cs231n:[/] {escape(str(error))}",
                                           highlight=False)
                raise typer.Exit(BAD_INPUT) from error
            except OSError as error:
                if error.filename is None:  # nothing that a person at the terminal can look at
                    raise
                Console(stderr=True).print(f"[red bold]cs231n:[/] {escape(str(error.filename))}: "
                                           f"{escape(str(error.strerror))}", highlight=False)
                raise typer.Exit(BAD_INPUT) from error
            except KeyboardInterrupt as error:
                Console(stderr=True).print("\n[yellow]Interrupted.[/] Run it again to go on.")
                raise typer.Exit(INTERRUPTED) from error

        app.command(rich_help_panel=panel, help="\n\n".join(paragraphs))(plain)
        return function

    return register


def the_course(folder: Path | None) -> Course:
    """The course meant by ``--course``, or the one around the current folder."""
    from cs231n_utils.grading.course import find_course

    return find_course(folder)


# -- student ---------------------------------------------------------------------------------


@command(STUDENT, """
    cs231n lab
    cs231n lab ~/my_lab
    cs231n lab --no-browser --port 8890
""")
def lab(
    folder: Annotated[Path | None, typer.Argument(
        help="Where to work; my_work in the course unless given.", show_default=False)] = None,
    open_lab: Annotated[bool, typer.Option(
        "--open/--copy-only", help="Open JupyterLab, or only copy the notebooks.")] = True,
    browser: Annotated[bool, typer.Option(
        "--browser/--no-browser", help="Open a browser window.")] = True,
    port: Annotated[int | None, typer.Option(help="JupyterLab's port.", show_default=False)] = None,
    course: CourseOption = None,
) -> None:
    """Open JupyterLab on your working copy of the assignment.

    Notebooks that are missing from it are copied; what is there is never overwritten.
    """
    from cs231n_utils.grading.handin import working_copy

    found = the_course(course)
    target = folder or found.root / "my_work"
    copied, kept = working_copy(found, target)
    out().print(f"Working in [bold]{escape(str(target))}[/]: {len(copied)} files copied, "
                f"{len(kept)} of yours left as they are.", highlight=False)
    if not open_lab:
        return
    settings = ["--ServerApp.root_dir", str(target.resolve())]
    settings += [] if browser else ["--no-browser"]
    settings += ["--port", str(port)] if port else []
    # In a container everyone is root, and JupyterLab would only say that it won't start.
    settings += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    raise typer.Exit(subprocess.call([sys.executable, "-m", "jupyterlab", *settings]))


@command(STUDENT, """
    cs231n check my_work
    cs231n check my_work/saliency_maps.ipynb
""")
def check(
    paths: Annotated[list[Path] | None, typer.Argument(
        metavar="NOTEBOOK_OR_FOLDER...", help="What to check; the current folder unless given.",
        show_default=False)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that one notebook may take.")] = 180,
) -> None:
    """Run the exercises' checks on notebooks, without Jupyter.

    The same checks as in the notebooks. Exit code 0 only when all that was named pass; a folder
    has to hold all three.
    """
    from cs231n_utils.grading.course import FUNCTIONS
    from cs231n_utils.grading.results import ExerciseResult, Status
    from cs231n_utils.grading.standalone import check_notebook, notebooks_in
    from cs231n_utils.grading.terminal import print_result, waiting

    named = paths or [Path()]
    notebooks = notebooks_in(named)
    console, every = out(), []
    for exercise, path in notebooks.items():
        with waiting(console) as progress:
            progress.add_task(f"checking {path.name}")
            every.append(check_notebook(path, exercise, timeout))
        print_result(console, every[-1], path)
    if any(path.is_dir() for path in named):
        for exercise in FUNCTIONS.keys() - notebooks.keys():
            every.append(ExerciseResult(exercise, Status.MISSING, reason="no such notebook here"))
            print_result(console, every[-1])
    passed = sum(result.status is Status.PASSED for result in every)
    console.print(f"\n{passed} of {len(every)} passed.", highlight=False)
    raise typer.Exit(0 if passed == len(every) else 1)


@command(STUDENT, """
    cs231n submit my_work --name ada_lovelace
    cs231n submit my_work --name ada_lovelace --zip
""")
def submit(
    folder: Annotated[Path, typer.Argument(help="The folder with your notebooks.")],
    name: Annotated[str, typer.Option(help="Your name or number, as the course knows it.")],
    as_zip: Annotated[bool, typer.Option(
        "--zip", help="Write NAME.zip to upload, here, instead of handing in.")] = False,
    course: CourseOption = None,
) -> None:
    """Hand in: look whether all notebooks are there and readable, then copy or pack them."""
    from cs231n_utils.grading.collect import safe_name
    from cs231n_utils.grading.course import UserError
    from cs231n_utils.grading.handin import hand_in
    from cs231n_utils.grading.standalone import notebooks_in

    student = safe_name(name)
    if not student:
        raise UserError(f"--name {name!r} has no letter or digit in it.")
    notebooks = notebooks_in([folder])
    if as_zip:
        target = Path.cwd() / f"{student}.zip"
    else:
        target = the_course(course).submission(student, "").parent
    done = hand_in(notebooks, student, target, as_zip)
    for function in done.unwritten:
        out().print(f"[yellow]Note:[/] {function} is still the stub.", highlight=False)
    out().print(f"Handed in as [bold]{escape(student)}[/]: {escape(str(done.path))}",
                highlight=False)


# -- instructor ------------------------------------------------------------------------------


@command(INSTRUCTOR, """
    cs231n release
    cs231n release --execute    # a solution or a network has changed
    cs231n release --check
""")
def release(
    execute: Annotated[bool, typer.Option(
        "--execute", help="Run the solutions first, and store what they show: a minute or two."
    )] = False,
    only_look: Annotated[bool, typer.Option(
        "--check", help="Change nothing; exit code 1 if the release is stale.")] = False,
    course: CourseOption = None,
) -> None:
    """Make the students' notebooks from the solutions, and tell the gradebook."""
    from nbclient.exceptions import CellExecutionError

    from cs231n_utils.grading.course import UserError
    from cs231n_utils.grading.demo import in_short
    from cs231n_utils.grading.release import ReleaseError
    from cs231n_utils.grading.release import release as release_course
    from cs231n_utils.grading.solutions import execute_solutions
    from cs231n_utils.grading.terminal import waiting

    if execute and only_look:
        raise UserError("--execute changes the solutions, --check nothing: choose one.")
    found, console = the_course(course), out()
    try:
        with waiting(console) as progress:
            if execute:
                progress.add_task("running the solutions")
                execute_solutions(found.root, report=lambda name, seconds: console.print(
                    f"{name}: {seconds:.0f} s", highlight=False))
            progress.add_task("clearing solutions")
            done = release_course(found.root, check=only_look)
    except CellExecutionError as error:
        raise UserError(f"A solution fails, nothing was released: {in_short(error)}") from error
    except ReleaseError as error:
        raise UserError(f"Not released: {in_short(error)}") from error
    console.print(escape(str(done)), highlight=False)
    raise typer.Exit(1 if only_look and done.stale else 0)


@command(INSTRUCTOR, """
    cs231n collect moodle_download.zip
    cs231n collect downloads/ --force
""")
def collect(
    sources: Annotated[list[Path], typer.Argument(
        metavar="ARCHIVE_OR_FOLDER...",
        help="As Moodle, Canvas or Gradescope hand them out, or plain folders.")],
    force: Annotated[bool, typer.Option(
        "--force", help="Replace notebooks that were collected before.")] = False,
    course: CourseOption = None,
) -> None:
    """Bring submissions into the course: submitted/STUDENT/network_visualization/."""
    from cs231n_utils.grading.collect import collect as collect_into
    from cs231n_utils.grading.terminal import print_collection, waiting

    console = out()
    with waiting(console) as progress:
        progress.add_task("reading submissions")
        collection = collect_into(the_course(course), sources, force)
    print_collection(console, collection)
    raise typer.Exit(0 if collection.taken else 1)


@command(INSTRUCTOR, """
    cs231n grade
    cs231n grade ada_lovelace alan_turing --force
    cs231n grade --jobs 4 --quiet
    cs231n grade --from moodle_download.zip
    cs231n grade --scheduler tcp://10.0.0.1:8786
""")
def grade(
    students: Annotated[list[str] | None, typer.Argument(
        help="Whom to grade; everyone unless given.", show_default=False)] = None,
    sources: Annotated[list[Path] | None, typer.Option(
        "--from", metavar="ARCHIVE_OR_FOLDER", help="Collect these first: zips as learning "
        "platforms give them, or folders of notebooks.", show_default=False)] = None,
    force: Annotated[bool, typer.Option(
        "--force", help="Grade also what is unchanged since it was graded.")] = False,
    jobs: Annotated[int | None, typer.Option(
        "--jobs", "-j", min=1, help="Workers on this machine.", show_default="processors")] = None,
    scheduler: Annotated[str | None, typer.Option(
        metavar="ADDRESS", help="Grade on the workers of this Dask scheduler.",
        show_default="a cluster of this machine's own")] = None,
    sandbox: Annotated[str | None, typer.Option(
        metavar="KIND", help="bubblewrap, or none: students' code runs as you then, and every "
        "result says so.", show_default="bubblewrap")] = None,
    run_name: Annotated[str | None, typer.Option(
        metavar="NAME", help="The same name asks the same questions.",
        show_default="that of a run that was cut off, or a new one")] = None,
    demos: Annotated[bool, typer.Option(
        "--demos", help="Run the demonstrations too, which no mark depends on.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the end.")
                     ] = False,
    as_json: Annotated[bool, typer.Option(
        "--json", help="One JSON document in place of all else.")] = False,
    course: CourseOption = None,
) -> None:
    """Grade what was handed in, through nbgrader, into the course's gradebook.

    Students' code runs in a sandbox and only gives arrays back; they are judged outside of it.
    Stopped at any point, the next run goes on where it stood. Exit code 0 only if everything has a
    mark.
    """
    from cs231n_utils.grading.collect import collect as collect_into
    from cs231n_utils.grading.terminal import print_collection

    found = the_course(course)
    if sources:
        collection = collect_into(found, sources)
        if not as_json and not quiet:
            print_collection(out(), collection)
    code = _grade(found, students or None, quiet, as_json, force=force, workers=jobs,
                  scheduler=scheduler, sandbox=sandbox, run_name=run_name, demos=demos)
    raise typer.Exit(code)


@command(INSTRUCTOR, """
    cs231n report
    cs231n report --output ~/class --no-table
""")
def report(
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FOLDER", help="Where to write; report in the course unless "
        "given.", show_default=False)] = None,
    table: Annotated[bool, typer.Option(
        "--table/--no-table", help="Print the class's table too.")] = True,
    course: CourseOption = None,
) -> None:
    """Show the class: a table here, a page with pictures, and files for a spreadsheet."""
    from cs231n_utils.grading.course import UserError
    from cs231n_utils.grading.results import read_results

    found = the_course(course)
    results = read_results(found)
    if not results.students:
        raise UserError(f"No submissions in {found.submitted}.")
    _report(results, output or found.root / "report", table)


@command(INSTRUCTOR, """
    cs231n demo
    cs231n demo --folder /tmp/demo
""")
def demo(
    folder: Annotated[Path | None, typer.Option(
        help="Where to make it; demo in the course unless given.", show_default=False)] = None,
    jobs: Annotated[int | None, typer.Option(
        "--jobs", "-j", min=1, help="Kernels beside each other.",
        show_default="processors")] = None,
    course: CourseOption = None,
) -> None:
    """See it all: make a course with a made-up class, grade it, show its report."""
    from cs231n_utils.grading.demo import set_up_demo
    from cs231n_utils.grading.results import read_results
    from cs231n_utils.grading.terminal import waiting

    console, found = out(), the_course(course)
    with waiting(console) as progress:
        progress.add_task("releasing the assignment, writing a class")
        made, samples = set_up_demo(found, folder or found.root / "demo")
    console.print(f"A class of {len(samples)} made-up students in [bold]"
                  f"{escape(str(made.root))}[/].", highlight=False)
    code = _grade(made, None, brief=True, force=True, workers=jobs, sandbox=_for_demo(console))
    if code != INTERRUPTED:
        _report(read_results(made), made.root / "report", table=True)
    raise typer.Exit(code)


def _for_demo(console: Console) -> str | None:
    """The demo's sandbox: where there is none its made-up class, which is harmless, runs without.

    What was chosen by the environment stands.
    """
    from cs231n_utils.grading.sandbox import SETTING, problem

    if os.environ.get(SETTING) or not problem():
        return None
    console.print(f"[yellow bold]No sandbox here:[/] {escape(problem())}\nThe made-up class is "
                  "harmless and is graded without one, as every result says. For a real class:\n"
                  "apt install bubblewrap, or the like; `cs231n grade` refuses to start without.",
                  highlight=False)
    return "none"


def _grade(course: Course, students: list[str] | None, quiet: bool = False, as_json: bool = False,
           brief: bool = False, **settings: Any) -> int:
    """Grade, show how it goes and what came of it; gives the exit code."""
    from cs231n_utils.grading.grade import grade as grade_class
    from cs231n_utils.grading.grade import log_path
    from cs231n_utils.grading.tally import tally
    from cs231n_utils.grading.terminal import Watching, print_run

    console = out()
    with Watching(console, quiet or as_json) as watching:
        run = grade_class(course, students, observer=watching, **settings)
    counted = tally(course, run, students)
    if as_json:
        print(counted.to_json())
    else:
        print_run(console, counted, log_path(course), brief)
    if run.interrupted:
        return INTERRUPTED
    return 0 if run.complete else 1


def _report(results: ClassResults, folder: Path, table: bool) -> None:
    """Print the class's tables and write its page and files."""
    from cs231n_utils.grading.export import write_exports
    from cs231n_utils.grading.report import write_report
    from cs231n_utils.grading.terminal import class_table, mistakes_table, print_summary

    console = out()
    if table:
        console.print(class_table(results))
        console.print(mistakes_table(
            (each.points_lost, len(each.students), each.exercise, each.mistake)
            for each in results.mistakes()))
    print_summary(console, results)
    page = write_report(results, folder / "report.html")
    files = write_exports(results, folder)
    console.print(f"\nReport: [bold]{escape(str(page))}[/]", highlight=False, soft_wrap=True)
    console.print(f"Data:   {', '.join(escape(str(file)) for file in files)}", highlight=False,
                  soft_wrap=True)


# -- maintainer ------------------------------------------------------------------------------


@command(MAINTAINER, """
    cs231n train standard
    cs231n train standard robust witness --folder training
""")
def train(
    networks: Annotated[list[str], typer.Argument(help="standard, robust or witness.")],
    folder: Annotated[Path, typer.Option(
        help="Where pictures, checkpoints and logs are kept; a stopped run goes on there.")
    ] = Path("training"),
    threads: Annotated[int | None, typer.Option(
        min=1, help="Threads to compute with.", show_default="processors")] = None,
) -> None:
    """Train the menagerie's networks from scratch: up to two hours each on two cores."""
    from cs231n_utils.grading.course import UserError
    from cs231n_utils.menagerie.train import train as train_network

    for name in networks:
        try:
            weights = train_network(name, folder, threads=threads or os.cpu_count())
        except ValueError as error:
            raise UserError(str(error)) from error
        out().print(f"{name}: {escape(str(weights))}", highlight=False)


@command(MAINTAINER, """
    cs231n ship
    cs231n ship --folder training
""")
def ship(
    folder: Annotated[Path, typer.Option(help="What train left there.")] = Path("training"),
) -> None:
    """Put the trained networks and a validation set into the package, with their checksums."""
    from cs231n_utils.grading.course import UserError
    from cs231n_utils.menagerie.ship import ship as ship_networks

    weights = {name: folder / name / f"{name}.safetensors" for name in ("standard", "robust")}
    for name, file in weights.items():
        if not file.is_file():
            raise UserError(f"{file} is missing: run `cs231n train {name}` first.")
    out().print(f"{ship_networks(weights) / 1e6:.1f} MB in the package", highlight=False)


@command(MAINTAINER, """
    cs231n card
    cs231n card --folder training --output docs
""")
def card(
    folder: Annotated[Path, typer.Option(help="What train left there.")] = Path("training"),
    output: Annotated[Path, typer.Option(help="Where MODEL_CARD.md goes.")] = Path("docs"),
) -> None:
    """Measure the shipped networks on fresh pictures and write their card; 1 if a bar isn't met."""
    from cs231n_utils.grading.course import UserError

    witness = folder / "witness" / "witness.safetensors"
    if not witness.is_file():
        raise UserError(f"{witness} is missing: run `cs231n train witness` first.")
    from cs231n_utils import load_model
    from cs231n_utils.menagerie.card import load_weights, write_card

    networks = {"standard": load_model("menagerie"), "robust": load_model("menagerie-robust")}
    logs = {name: folder / name / "log.jsonl" for name in networks}
    met = write_card(networks, load_weights(witness), logs, output)
    raise typer.Exit(0 if met else 1)


@command(MAINTAINER, """
    cs231n doctor
    cs231n doctor --no-kernel
""")
def doctor(
    kernel: Annotated[bool, typer.Option(
        "--kernel/--no-kernel", help="Also start a Jupyter kernel.")] = True,
) -> None:
    """Look whether this machine is ready: packages, networks, Jupyter, permissions."""
    from cs231n_utils.doctor import examine

    console, all_fine = out(), True
    for look in examine(start_kernel=kernel):
        sign = "[green]ok     [/]" if look.fine else "[red]problem[/]"
        console.print(f"{sign}  {look.name}: {escape(look.seen)}", highlight=False, soft_wrap=True)
        if not look.fine:
            console.print(f"         → {escape(look.to_do)}", highlight=False, soft_wrap=True)
        all_fine = all_fine and look.fine
    raise typer.Exit(0 if all_fine else 1)


if __name__ == "__main__":
    main()
