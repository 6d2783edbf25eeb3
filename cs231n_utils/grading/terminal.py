"""What grading looks like in a terminal: progress, tables, verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cs231n_utils.grading.collect import Collection
from cs231n_utils.grading.report import NO_MARK, SIGNS, TITLES, show_points
from cs231n_utils.grading.results import ClassResults, ExerciseResult, Status

STYLES = {
    Status.PASSED: "green",
    Status.FAILED: "red",
    Status.RAISED: "red",
    Status.NOT_ATTEMPTED: "dim",
    Status.MISSING: "dim",
    Status.BLOCKED: "yellow",
    Status.TIMED_OUT: "yellow",
    Status.OUT_OF_MEMORY: "yellow",
    Status.CRASHED: "yellow",
    Status.NOT_GRADED: "magenta",
}


@contextmanager
def counting(console: Console, quiet: bool = False) -> Iterator[Progress]:
    """A progress bar with a count, the time it took and the time that is left."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet,
    )
    with progress:
        yield progress


@contextmanager
def waiting(console: Console) -> Iterator[Progress]:
    """A spinner with the time so far, for what can't be counted; gone when it is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def class_table(results: ClassResults) -> Table:
    """Students by exercises: points and status, the total, and what went wrong."""
    table = Table(title=f"{results.assignment}: {len(results.students)} students",
                  title_justify="left", show_lines=True)
    table.add_column("student", style="bold", overflow="fold")
    names = [r.exercise for r in results.students[0].exercises] if results.students else []
    for name in names:
        table.add_column(TITLES.get(name, name))
    table.add_column("total", justify="right")
    table.add_column("mistakes", overflow="fold", ratio=1)
    for student in results.students:
        total = NO_MARK if student.needs_person else show_points(student.points)
        table.add_row(
            Text(student.student),
            *[_cell(result) for result in student.exercises],
            f"{total} / {show_points(student.max_points)}",
            Text("\n".join(_short_mistakes(student.exercises))),
        )
    return table


def _cell(result: ExerciseResult) -> Text:
    points = show_points(result.points)
    return Text(f"{points:>4} {SIGNS[result.status]} {result.status}", style=STYLES[result.status])


def _short_mistakes(exercises: tuple[ExerciseResult, ...]) -> Iterator[str]:
    for result in exercises:
        plain = result.status in (Status.NOT_ATTEMPTED, Status.MISSING)
        if (result.lost or not result.status.has_mark) and not plain:
            yield f"{TITLES.get(result.exercise, result.exercise)}: {result.mistakes[0]}"


def mistakes_table(results: ClassResults, most: int = 12) -> Table:
    """What the class got wrong, the dearest first."""
    table = Table(title="What went wrong most, by points lost", title_justify="left")
    table.add_column("points", justify="right", style="red")
    table.add_column("students", justify="right")
    table.add_column("exercise")
    table.add_column("mistake", overflow="fold", ratio=1)
    for count in results.mistakes()[:most]:
        table.add_row(f"\N{MINUS SIGN}{show_points(count.points_lost)}", str(len(count.students)),
                      TITLES.get(count.exercise, count.exercise), Text(count.mistake))
    return table


def print_summary(console: Console, results: ClassResults) -> None:
    """Counts by status, and what needs a person."""
    counts = ", ".join(f"[{STYLES[status]}]{count} {status}[/]"
                       for status, count in results.counts().items())
    console.print(f"Exercises: {counts or 'none'}")
    for student, result in results.needs_person:
        console.print(f"[magenta]needs a person[/] {escape(student)}, {result.exercise}: "
                      f"{escape(result.reason)}", highlight=False)


def print_result(console: Console, result: ExerciseResult, source: Path | None = None) -> None:
    """One exercise's verdict with every finding, as a student reads it."""
    title = TITLES.get(result.exercise, result.exercise)
    style = STYLES[result.status]
    console.print(f"\n[bold]{title}[/]  [{style}]{SIGNS[result.status]} {result.status}[/]  "
                  f"{show_points(result.points)} of {show_points(result.max_points)} points"
                  + (f"  [dim]{escape(str(source))}[/]" if source else ""), highlight=False)
    if result.reason and not result.findings:
        console.print(f"  {escape(result.reason)}", highlight=False)
    for finding in result.findings:
        sign, colour = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}[
            finding.passed]
        console.print(f"  [{colour}]{sign}[/] {escape(finding.name)}  "
                      f"[dim]{show_points(finding.points)}/{show_points(finding.max_points)}[/]",
                      highlight=False)
        if finding.passed is False:
            _print_lines(console, [("expected", finding.expected), ("came", finding.got),
                                   ("mistake", finding.explanation), ("next step", finding.advice)])


def _print_lines(console: Console, lines: list[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", min_width=9)
    grid.add_column(overflow="fold")
    for name, text in lines:
        if text:
            grid.add_row(name, Text(text))
    console.print(Padding(grid, (0, 0, 0, 4)))


def print_collection(console: Console, collection: Collection) -> None:
    """What was taken, by student, and what was left and why."""
    table = Table(title=f"Taken: {len(collection.taken)} notebooks of "
                        f"{len(collection.students)} students", title_justify="left")
    table.add_column("student", style="bold")
    table.add_column("exercise")
    table.add_column("from", overflow="fold", ratio=1)
    table.add_column("")
    for taken in sorted(collection.taken, key=lambda taken: (taken.student, taken.exercise)):
        notes = [] if taken.readable else ["[yellow]not a readable notebook[/]"]
        notes += ["replaced"] if taken.replaced else []
        table.add_row(Text(taken.student), taken.exercise, Text(taken.origin), ", ".join(notes))
    if collection.taken:
        console.print(table)
    if collection.left:
        console.print(f"\n[bold]Left: {len(collection.left)} files[/]")
        for left in collection.left:
            console.print(f"  {escape(left.origin)}  [dim]{escape(left.why)}[/]", highlight=False)
