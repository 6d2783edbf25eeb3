"""What the report reads from notebooks is data: checked, capped, and never HTML."""

from __future__ import annotations

import base64
import io
import json

import pytest
from nbformat.v4 import new_code_cell, new_output
from PIL import Image

from cs231n_utils.grading.export import as_csv, as_json, write_exports
from cs231n_utils.grading.report import histogram, render_report
from cs231n_utils.grading.results import (
    VERDICT_MIME,
    ClassResults,
    ExerciseResult,
    Finding,
    Status,
    StudentResult,
    first_sentence,
    pictures_in,
    read_verdict,
    safe_picture,
    spread,
    verdict_in,
)

EXERCISE = "saliency_maps"
GOOD = {"exercise": EXERCISE, "status": "failed", "points": 4.0, "max_points": 10.0,
        "findings": [], "message": "as it is"}


def test_a_verdict_is_read():
    result = read_verdict(GOOD, EXERCISE)
    assert result == ExerciseResult(EXERCISE, Status.FAILED, 4.0, 10.0, reason="as it is")


@pytest.mark.parametrize("change", [
    {"status": "excellent"}, {"status": None}, {"exercise": "fooling_images"},
    {"points": float("nan")}, {"points": "10"}, {"points": True}, {"points": None},
    {"max_points": 0}, {"max_points": -10}, {"max_points": float("inf")}, {"max_points": "x"},
], ids=str)
def test_what_is_no_verdict_is_none(change):
    assert read_verdict(GOOD | change, EXERCISE) is None


@pytest.mark.parametrize("data", [None, [], "10", 10, {}], ids=str)
def test_what_is_no_object_is_none(data):
    assert read_verdict(data, EXERCISE) is None


@pytest.mark.parametrize(("points", "kept"), [(300, 10.0), (-5, 0.0), (7.5, 7.5), (10, 10.0)])
def test_points_stay_in_range(points, kept):
    assert read_verdict(GOOD | {"points": points}, EXERCISE).points == kept


def test_not_graded_has_no_points_whatever_it_says():
    result = read_verdict(GOOD | {"status": "not graded", "points": 10}, EXERCISE)
    assert result.points is None


def test_texts_and_lists_are_capped():
    finding = {"name": "n" * 100_000, "passed": "yes", "points": 1}
    result = read_verdict(GOOD | {"findings": [finding] * 100_000}, EXERCISE)
    assert len(result.findings) == 100
    assert len(result.findings[0].name) == 2_000
    assert result.findings[0].passed is False


def test_the_last_result_of_a_cell_counts():
    def output(points):
        return new_output("execute_result", {VERDICT_MIME: GOOD | {"points": points}})

    shown = new_output("display_data", {VERDICT_MIME: GOOD | {"points": 10}})
    cell = new_code_cell(outputs=[output(1), output(2), shown])
    assert verdict_in(cell, EXERCISE).points == 2


# -- pictures --------------------------------------------------------------------------------


def png(size=(4, 3), **settings) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, format="PNG", **settings)
    return base64.b64encode(out.getvalue()).decode()


def panel(*pictures):
    images = "".join(f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"></figure>'
                     for alt, data in pictures)
    return f'<div class="pictures"><p>title</p><div class="row">{images}</div></div>'


def test_a_picture_is_made_anew():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("comment", "<script>alert(1)</script>")
    dirty = png(pnginfo=info)
    assert b"script" in base64.b64decode(dirty)
    clean = safe_picture(dirty)
    assert b"script" not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert picture.size == (4, 3)


@pytest.mark.parametrize("data", [
    "", "no base64!", base64.b64encode(b"GIF89a").decode(), base64.b64encode(b"<svg/>").decode(),
    None, 7, ["x"], png()[:40], png((5_000, 5_000)),
], ids=lambda data: str(data)[:12])
def test_what_is_no_picture_is_none(data):
    assert safe_picture(data) is None


def test_the_first_panel_with_a_difference_is_shown():
    html = panel(("yours", png())) + panel(
        ("original", png()), ("yours", png()), ("expected", png()), ("difference", png()),
        ("difference \u00d7 10", png()))
    assert [shown.caption for shown in pictures_in(html)] == [
        "original", "yours", "expected", "difference", "difference \u00d7 10"]
    assert pictures_in(panel(("yours", png()))) == ()
    assert pictures_in(None) == ()


def test_of_the_html_only_known_captions_and_pictures_come_through():
    html = panel(('x" onerror="alert(1)', png()), ("difference", png()), ("yours", "PHN2Zz4="))
    assert [shown.caption for shown in pictures_in(html)] == ["difference"]


# -- the class -------------------------------------------------------------------------------


def failed(explanation="", lost=3.0, **more):
    findings = (Finding("a", True, 5, 5), Finding("b", False, 5 - lost, 5, explanation=explanation),
                *more.get("others", ()))
    points = sum(finding.points for finding in findings)
    return ExerciseResult(EXERCISE, Status.FAILED, points, 10, findings)


def a_class(**results) -> ClassResults:
    return ClassResults("network_visualization", tuple(
        StudentResult(name, (result,)) for name, result in results.items()))


PASSED = ExerciseResult(EXERCISE, Status.PASSED, 10.0)
FAULT = ExerciseResult(EXERCISE, Status.NOT_GRADED, None, reason="the grader broke")


def test_mistakes_are_counted_and_the_dearest_comes_first():
    counted = a_class(
        ada=failed("You took the mean. It hides.", 1.0), alan=failed("You took the mean. So.", 1.5),
        grace=failed("You left out abs.", 5.0), linus=PASSED).mistakes()
    assert [(c.mistake, c.students, c.points_lost) for c in counted] == [
        ("You left out abs.", ("grace",), 5.0),
        ("You took the mean.", ("ada", "alan"), 2.5)]


def test_what_is_blocked_counts_with_what_blocked_it():
    blocked = Finding("c", None, 0.0, 2.0, blocked_by="b")
    [count] = a_class(ada=failed("You took the mean.", 1.0, others=(blocked,))).mistakes()
    assert (count.mistake, count.points_lost) == ("You took the mean.", 3.0)


def test_absent_work_and_faults_are_no_mistakes():
    missing = ExerciseResult(EXERCISE, Status.MISSING, 0.0)
    assert a_class(ada=missing, alan=FAULT, grace=PASSED).mistakes() == []


def test_a_fault_is_neither_zero_nor_full_marks():
    results = a_class(ada=FAULT, alan=PASSED)
    assert results.needs_person == [("ada", FAULT)]
    assert sum(bar["count"] for bar in histogram(results)) == 1
    assert as_csv(results).splitlines()[1] == "ada,,not graded,,10,"
    assert json.loads(as_json(results))["students"][0]["points"] is None


@pytest.mark.parametrize(("reason", "said"), [
    ("no end within 60 seconds", "No end within 60 seconds"),
    ("make_fooling_image is not written yet.", "make_fooling_image is not written yet."),
])
def test_a_reason_is_said_as_a_sentence(reason, said):
    assert ExerciseResult(EXERCISE, Status.TIMED_OUT, 0.0, reason=reason).mistakes == [said]


def test_the_histogram_has_a_place_for_zero_and_for_all():
    bars = histogram(a_class(ada=PASSED, alan=ExerciseResult(EXERCISE, Status.FAILED, 0.0)))
    assert [bar["count"] for bar in bars] == [1, *[0] * 8, 1]


@pytest.mark.parametrize(("text", "first"), [
    ("One thing. Another.", "One thing."), ("Up to 1.5 times. Yes", "Up to 1.5 times."),
    ("It adds. backward() adds.", "It adds."), ("No stop", "No stop"),
])
def test_the_first_sentence(text, first):
    assert first_sentence(text) == first


HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def test_the_page_escapes_whatever_came():
    finding = Finding(HOSTILE, False, 0, 10, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    result = ExerciseResult(EXERCISE, Status.FAILED, 0.0, 10.0, (finding,), HOSTILE)
    page = render_report(a_class(**{HOSTILE: result, "fault": FAULT}))
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "default-src 'none'" in page


def test_the_page_shows_the_class():
    page = render_report(a_class(ada=PASSED, alan=failed("You took the mean.")))
    assert all(word in page for word in ("ada", "alan", "You took the mean.", "with full marks"))


def test_an_empty_class_is_a_page_too():
    assert "Class report" in render_report(ClassResults("network_visualization", ()))


def test_a_spreadsheet_gets_no_formula(tmp_path):
    results = a_class(**{"=cmd|calc": failed("=1+1")})
    line = as_csv(results).splitlines()[1]
    assert line.startswith("'=cmd")
    assert [path.name for path in write_exports(results, tmp_path)] == [
        "results.csv", "results.json"]


def test_full_marks_count_in_the_highest_part():
    assert spread([0, 24.9, 25, 30], most=30, steps=6) == [1, 0, 0, 0, 1, 2]
