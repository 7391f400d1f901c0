"""Rows of table `grades`: which trajectories get one, and what counts as a hit."""

import pytest
from filter_rows import answer_turn, zoom

from filters.grading import GradingError, grade_rows
from videozoomer.lake import CATALOG

EVIDENCE = [{"start_s": 10.0, "end_s": 10.4}, {"start_s": 50.0, "end_s": 52.0}]


def looked(start_s, end_s, *times_s):
    return zoom(start_s, end_s) | {"frame_times_s": list(times_s)}


def graded(rows, *turns, evidence=EVIDENCE):
    """(hit, best_iou) of one trajectory with these turns."""
    question = rows.question(evidence=tuple((window["start_s"], window["end_s"]) for window in evidence))
    rows.trajectory("t1", turns=turns)
    [grade] = grade_rows(rows.tables["trajectories"], [question])
    return grade["hit"], grade["best_iou"]


@pytest.mark.parametrize(
    ("turns", "hit"),
    [
        ([looked(8, 12, 9.9, 10.2)], True),
        ([looked(8, 12, 8.0, 9.0, 11.0)], False),
        ([looked(0, 1, 0.0), looked(50, 51, 50.0)], True),
        ([looked(10, 11, 10.4008)], True),
        ([answer_turn()], False),
    ],
)
def test_a_hit_is_a_frame_inside_the_evidence_not_a_window_over_it(rows, turns, hit):
    assert graded(rows, *turns)[0] is hit


@pytest.mark.parametrize(
    ("turns", "overlap"),
    [
        ([looked(50, 54, 50.0)], 0.5),
        ([looked(0, 1, 0.5), looked(51, 53, 51.0)], 1 / 3),
        ([looked(50, 54)], 0.0),
        ([answer_turn()], 0.0),
    ],
)
def test_best_iou_is_over_one_window_at_a_time_and_over_zooms_with_frames(rows, turns, overlap):
    assert graded(rows, *turns)[1] == pytest.approx(overlap)


def test_unknown_evidence_gives_neither_hit_nor_iou(rows):
    assert graded(rows, looked(50, 54, 50.0), evidence=()) == (None, None)


def test_failed_trajectories_get_no_grade(rows):
    question = rows.question(evidence=((10.0, 10.4),))
    rows.trajectory("right", turns=(looked(8, 12, 10.2), answer_turn()))
    rows.trajectory("endless", status="exhausted")
    rows.trajectory("broken", status="failed", failure="timeout")
    graded = grade_rows(rows.tables["trajectories"], [question])
    by_id = {row["trajectory_id"]: row for row in CATALOG["grades"].conform(graded).iter_rows(named=True)}
    assert set(by_id) == {"right", "endless"}
    assert (by_id["right"]["verdict"], by_id["right"]["hit"]) == ("correct", True)
    assert (by_id["endless"]["verdict"], by_id["endless"]["hit"]) == ("wrong", False)
    assert "without an answer" in by_id["endless"]["detail"]


def test_a_trajectory_without_its_question_is_named(rows):
    rows.trajectory("t1", "gone")
    with pytest.raises(GradingError, match=r"t1.*gone"):
        grade_rows(rows.tables["trajectories"], [])
