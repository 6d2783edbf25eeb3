"""What grading looks like in a terminal: progress, tables, verdicts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cs231n_utils.grading.collect import Collection
from cs231n_utils.grading.fleet import Working
from cs231n_utils.grading.grade import Observer, Plan
from cs231n_utils.grading.report import NO_MARK, SIGNS, TITLES, show_points
from cs231n_utils.grading.results import ClassResults, ExerciseResult, Status
from cs231n_utils.grading.tally import Tally
from cs231n_utils.grading.task import Outcome

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


_MOST = 20


class Watching(Observer):
    """A run as it goes: how many of each status, rate, time left, and what each worker does."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet
        self.counts: Counter[Status] = Counter()
        self.ends: deque[float] = deque(maxlen=200)
        self.total, self.name = 0, ""
        self.working: Mapping[str, Working] = {}
        self.live = Live(console=console, get_renderable=self._show, refresh_per_second=4,
                         transient=True)

    def __enter__(self) -> Watching:
        if not self.quiet:
            self.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.live.stop()

    def planned(self, plan: Plan, name: str) -> None:
        self.total, self.name = len(plan.to_do), name
        self.ends.append(time.monotonic())

    def graded(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self.ends.append(time.monotonic())
        if not outcome.status.has_mark and not self.quiet:
            self.console.print(
                f"[{STYLES[outcome.status]}]{outcome.status}[/] {escape(outcome.job.student)}, "
                f"{outcome.job.exercise}: {escape(outcome.reason)}", highlight=False)

    def looked(self, working: Mapping[str, Working]) -> None:
        self.working = working

    def _show(self) -> Group:
        if not self.total:
            return Group(Text("looking at what was handed in"))
        done = self.counts.total()
        span = self.ends[-1] - self.ends[0]
        rate = (len(self.ends) - 1) / span if span > 0 else 0.0
        left = f"{(self.total - done) / rate:.0f} s left" if rate else "starting workers"
        counts = Text(", ").join(Text(f"{count} {status}", STYLES[status])
                                 for status, count in self.counts.items())
        lines: list[RenderableType] = [
            Columns([ProgressBar(self.total, done, width=30),
                     Text(f"{done} of {self.total}, {60 * rate:.0f} a minute, {left}")]),
            counts,
        ]
        now = time.monotonic()
        lines += [Text(f"  worker {number}: {each.job.student}, {each.job.exercise}, "
                       f"{now - each.since:.0f} s", "dim", no_wrap=True)
                  for number, each in enumerate(list(self.working.values())[:8], 1)]
        return Group(*lines)


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


def mistakes_table(mistakes: Iterable[tuple[float, int, str, str]], most: int = 12) -> Table:
    """What the class got wrong, the dearest first: points lost, students, exercise, mistake."""
    table = Table(title="What went wrong most, by points lost", title_justify="left")
    table.add_column("points", justify="right", style="red")
    table.add_column("students", justify="right")
    table.add_column("exercise")
    table.add_column("mistake", overflow="fold", ratio=1)
    for lost, students, exercise, mistake in islice(mistakes, most):
        table.add_row(f"\N{MINUS SIGN}{show_points(lost)}", str(students),
                      TITLES.get(exercise, exercise), Text(mistake))
    return table


def print_summary(console: Console, results: ClassResults) -> None:
    """Counts by status, and what needs a person."""
    counts = ", ".join(f"[{STYLES[status]}]{count} {status}[/]"
                       for status, count in results.counts().items())
    console.print(f"Exercises: {counts or 'none'}")
    for student, result in results.needs_person:
        console.print(f"[magenta]needs a person[/] {escape(student)}, {result.exercise}: "
                      f"{escape(result.reason)}", highlight=False)


def print_run(console: Console, tally: Tally, log: Path, brief: bool = False) -> None:
    """What came of a run: counts, points, mistakes, what needs a person, time.

    ``brief`` leaves out what a report of the class says too.
    """
    if not brief:
        counts = ", ".join(f"[{STYLES[status]}]{count} {status}[/]"
                           for status, count in tally.counts.items())
        console.print(f"Exercises: {counts or 'none'}")
        most = max(tally.points.values(), default=0)
        for (low, high), count in tally.points.items():
            bar = "\N{FULL BLOCK}" * round(40 * count / most) if most else ""
            console.print(f"  {low:>2g} to {high:<2g} points  {bar} {count}", highlight=False)
        if tally.mistakes:
            console.print(mistakes_table(
                (each.lost, each.count, each.exercise, each.mistake) for each in tally.mistakes))
    for job, reason in tally.needs_person[:_MOST]:
        console.print(f"[magenta]needs a person[/] {escape(job.student)}, {job.exercise}: "
                      f"{escape(reason)}", highlight=False)
    if len(tally.needs_person) > _MOST:
        console.print(f"[magenta]needs a person[/] {len(tally.needs_person) - _MOST} more: "
                      "cs231n report names all", highlight=False)
    if tally.unchanged:
        console.print(f"{tally.unchanged} notebooks are unchanged since they were graded; "
                      "--force grades them again.", highlight=False)
    if tally.graded:
        console.print(f"{tally.graded} notebooks in {tally.seconds:.1f} s, "
                      f"{tally.seconds / tally.graded:.2f} s each; run {escape(tally.run)}",
                      highlight=False)
    if tally.left:
        console.print(f"[yellow]Stopped: {tally.left} notebooks are left.[/] Run it again to go "
                      "on.", highlight=False)
    if tally.needs_person:
        console.print(f"Some have no mark. The log: {escape(str(log))}", highlight=False)


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
