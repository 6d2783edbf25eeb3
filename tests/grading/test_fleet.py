"""A class on workers: killed anywhere it goes on, and nobody's death costs a neighbour a mark."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_course import hand_in
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from cs231n_utils.grading import grade as coordinator
from cs231n_utils.grading.course import UserError
from cs231n_utils.grading.grade import Observer, grade, plan
from cs231n_utils.grading.gradebook import Marks
from cs231n_utils.grading.journal import Journal, sole_grader
from cs231n_utils.grading.results import Status, read_result
from cs231n_utils.grading.task import Job

HERE = Path(__file__).parent
ANSWERS = {"ada": "answer = 42", "grace": "answer = 21", "alan": "answer = 7",
           "kurt": "raise ValueError('no')"}
POINTS = {"ada": 10, "grace": 5, "alan": 0, "kurt": 0}


def in_gradebook(course, exercise="saliency_maps"):
    """student -> automatic score."""
    with Gradebook(CourseDirectory(config=course.config).db_url) as gradebook:
        return {
            submission.student.id: notebook.grades[0].auto_score
            for submission in gradebook.find_assignment(course.assignment).submissions
            for notebook in submission.notebooks if notebook.name == exercise
        }


def notebooks(course):
    """What grading left, bit for bit, but for the run's name."""
    return {path.parent.parent.name: path.read_bytes()
            for path in course.autograded.glob("*/*/saliency_maps.ipynb")}


def start(course, *options):
    """`cs231n grade` as a process of its own."""
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    return subprocess.Popen(
        [sys.executable, "-m", "cs231n_utils.cli", "grade", "--course", str(course.root),
         *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)


def until(met, seconds=90):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def done_in_journal(course):
    try:
        with sqlite3.connect(course.private / "journal.sqlite", timeout=5) as db:
            return db.execute("SELECT count(*) FROM work WHERE exercise = 'saliency_maps' "
                              "AND state != 'to do'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


# -- the same marks, wherever ----------------------------------------------------------------


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A Dask scheduler and two workers, processes of their own that see no course."""
    folder = tmp_path_factory.mktemp("cluster")
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parents[1]}", "TMPDIR": str(folder),
                                "OMP_NUM_THREADS": "1"}
    file = folder / "scheduler.json"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                 "--scheduler-file", str(file)]]
    commands += [["worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard",
                  "--local-directory", str(folder)]] * 2
    running = [
        subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
                         env=environment, cwd=folder, start_new_session=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    until(file.is_file)
    yield json.loads(file.read_text())["address"]
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)


def test_one_worker_two_and_a_real_scheduler_give_the_same_bit_for_bit(course, scheduler):
    hand_in(course, **ANSWERS)
    seen = []
    for settings in ({"workers": 1}, {"workers": 2}, {"scheduler": scheduler}):
        run = grade(course, force=True, run_name="same", **settings)
        assert run.complete
        seen.append((notebooks(course), in_gradebook(course)))
    assert seen[0][1] == POINTS
    assert seen[0] == seen[1] == seen[2]


def test_a_scheduler_that_is_not_there_is_named(course):
    hand_in(course, ada="answer = 42")
    with pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:1"):
        grade(course, scheduler="tcp://127.0.0.1:1")
    assert grade(course).complete


# -- killed, and going on --------------------------------------------------------------------


def test_a_killed_coordinator_goes_on_with_the_same_questions(course):
    everyone = {f"student{n}": "answer = 42" for n in range(6)}
    hand_in(course, **everyone)
    first = start(course, "--jobs", "1", "--quiet")
    until(lambda: done_in_journal(course) >= 2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done = done_in_journal(course)
    run = grade(course, workers=1)
    executed = [o.job for o in run.graded if o.job.exercise == "saliency_maps"]
    assert len(executed) == 6 - done
    assert run.complete
    assert in_gradebook(course) == dict.fromkeys(everyone, 10)
    runs = {read_result(course, student, "saliency_maps").run for student in everyone}
    assert runs == {run.name}
    assert not plan(course).to_do


def test_what_is_in_the_journal_is_recorded_without_executing_again(course, monkeypatch):
    hand_in(course, **ANSWERS)

    def full(*arguments):
        raise UserError("the power is cut")

    with monkeypatch.context() as patch:
        patch.setattr(Marks, "write", full)
        with pytest.raises(UserError, match="power"):
            grade(course, workers=2)
    assert in_gradebook(course) == {}
    executed = done_in_journal(course)
    run = grade(course, workers=2)
    assert sum(o.job.exercise == "saliency_maps" for o in run.graded) == 4 - executed
    assert in_gradebook(course) == POINTS


class Killer(Observer):
    """Kills the worker that has a certain student's notebook, so many times."""

    def __init__(self, student, times):
        self.student, self.left, self.seen = student, times, set()

    def looked(self, working):
        for address, each in working.items():
            key = (address, each.since)
            if each.job.student == self.student and self.left and key not in self.seen:
                self.seen.add(key)
                self.left -= 1
                os.kill(self.process_at(address), signal.SIGKILL)

    def process_at(self, address):
        """Whose port it is: the process that listens there."""
        import psutil

        port = int(address.rpartition(":")[2])
        for child in psutil.Process().children(recursive=True):
            if any(c.status == "LISTEN" and c.laddr.port == port
                   for c in child.net_connections("tcp")):
                return child.pid
        raise AssertionError(f"nobody listens at {address}")


def test_a_killed_worker_costs_nobody_a_mark(course):
    hand_in(course, slow="import time; time.sleep(3); answer = 42", **ANSWERS)
    killer = Killer("slow", 1)
    run = grade(course, workers=2, observer=killer)
    assert not killer.left
    assert run.complete
    assert in_gradebook(course) == POINTS | {"slow": 10}


def test_who_kills_three_workers_is_set_aside_and_nobody_else(course):
    hand_in(course, slow="import time; time.sleep(3); answer = 42", **ANSWERS)
    killer = Killer("slow", 3)
    run = grade(course, workers=2, observer=killer)
    assert not killer.left
    assert not run.complete
    result = read_result(course, "slow", "saliency_maps")
    assert result.status is Status.NOT_GRADED
    assert "3 workers died" in result.reason
    assert in_gradebook(course) == POINTS | {"slow": None}


def test_ctrl_c_says_what_is_left_and_the_next_run_does_it(course):
    everyone = {f"student{n}": "answer = 42" for n in range(20)}
    hand_in(course, **everyone)
    first = start(course, "--jobs", "1")
    until(lambda: done_in_journal(course) >= 1)
    os.kill(first.pid, signal.SIGINT)
    said = first.communicate(timeout=60)[0]
    assert first.returncode == 130
    assert "are left" in said
    assert "Traceback" not in said
    assert grade(course, workers=1).complete
    assert in_gradebook(course) == dict.fromkeys(everyone, 10)


# -- again -----------------------------------------------------------------------------------


def test_only_what_changed_is_graded_again_and_hands_marks_stay(course):
    hand_in(course, **ANSWERS)
    grade(course, workers=2)
    with Gradebook(CourseDirectory(config=course.config).db_url) as gradebook:
        named = ("saliency_maps", course.assignment, "alan")
        gradebook.find_grade("saliency_maps", *named).manual_score = 3.0
        gradebook.find_comment("compute_saliency_maps", *named).manual_comment = "Nearly!"
        gradebook.db.commit()
    os.utime(course.submission("ada", "saliency_maps"))  # touched, not changed
    hand_in(course, alan="answer = 21")
    run = grade(course, workers=2)
    assert [outcome.job for outcome in run.graded] == [Job("alan", "saliency_maps")]
    with Gradebook(CourseDirectory(config=course.config).db_url) as gradebook:
        mark = gradebook.find_grade("saliency_maps", *named)
        assert (mark.auto_score, mark.manual_score, mark.score) == (5.0, 3.0, 3.0)
        assert mark.needs_manual_grade
        comment = gradebook.find_comment("compute_saliency_maps", *named)
        assert comment.manual_comment == "Nearly!"


def test_a_new_gradebook_gets_its_marks_again(course):
    hand_in(course, ada="answer = 42")
    grade(course)
    with Gradebook(CourseDirectory(config=course.config).db_url) as gradebook:
        gradebook.remove_submission(course.assignment, "ada")
    assert grade(course).complete
    assert in_gradebook(course) == {"ada": 10}


def test_what_plain_nbgrader_graded_is_not_graded_again(course):
    from nbgrader.apps import NbGraderAPI

    hand_in(course, ada="answer = 42")
    api = NbGraderAPI(coursedir=CourseDirectory(config=course.config), config=course.config)
    assert api.autograde(course.assignment, "ada")["success"]
    assert Job("ada", "saliency_maps") in grade(course).unchanged


# -- what goes wrong around it ---------------------------------------------------------------


def test_a_second_grader_is_told_who_is_first(course):
    hand_in(course, ada="answer = 42")
    with sole_grader(course), pytest.raises(UserError, match=f"process {os.getpid()}"):
        grade(course)
    assert grade(course).complete


def test_a_damaged_journal_says_what_to_do_and_costs_nothing(course):
    hand_in(course, **ANSWERS)
    grade(course, workers=2)
    journal = course.private / "journal.sqlite"
    for path in course.private.glob("journal.sqlite-*"):
        path.unlink()
    journal.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(UserError, match="Move it away"):
        grade(course)
    journal.rename(journal.with_suffix(".damaged"))
    run = grade(course, workers=2)
    assert not [o for o in run.graded if o.job.exercise == "saliency_maps"]
    assert in_gradebook(course) == POINTS


def test_a_full_disk_stops_the_run_and_the_next_goes_on(course, monkeypatch):
    hand_in(course, **ANSWERS)

    def full(path, content, mode):
        raise OSError(28, os.strerror(28), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(coordinator, "_replace", full)
        with pytest.raises(UserError, match=r"No space left.*\n.*Make room"):
            grade(course, workers=2)
    assert grade(course, workers=2).complete
    assert in_gradebook(course) == POINTS


def test_a_journal_that_can_grow_no_more_is_a_full_disk(course):
    hand_in(course, **ANSWERS)
    journal = Journal(course)
    journal.db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(UserError, match=r"full.*\n.*Make room"):
        journal.begin("run", [Job(f"student{n}", "saliency_maps") for n in range(1000)])


def test_a_folder_that_cannot_be_written_is_named(course):
    hand_in(course, ada="answer = 42")
    course.autograded.write_text("a file where a folder should be")
    with pytest.raises(UserError, match="autograded"):
        grade(course)
    course.autograded.unlink()
    assert grade(course).complete


def test_a_locked_gradebook_is_waited_for_and_then_named(course):
    hand_in(course, ada="answer = 42")
    marks = Marks(course, busy_seconds=0.3)
    other = sqlite3.connect(course.root / "gradebook.db")
    other.execute("BEGIN IMMEDIATE")
    missing = coordinator._missing(Job("ada", "saliency_maps"))
    with pytest.raises(UserError, match="is locked"):
        marks.write([missing])
    other.rollback()
    marks.write([missing])
    assert in_gradebook(course) == {"ada": 0}


def test_a_machine_reads_one_json_document(course):
    hand_in(course, ada="answer = 21")
    process = start(course, "--json")
    told = json.loads(process.communicate(timeout=120)[0])
    assert process.returncode == 0
    assert told["counts"] == {"missing": 2, "failed": 1}
    assert told["points"][-1] == {"from": 5, "to": 10, "students": 1}
    assert told["mistakes"][0] == {"exercise": "saliency_maps", "count": 1, "lost": 5.0,
                                   "mistake": "It is half of the answer."}
