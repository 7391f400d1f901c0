"""Every trajectory and selection rule, on episodes that it must drop and episodes that it must keep."""

import pytest
from filter_rows import answer_turn, zoom


def test_no_question(rows):
    rows.video()
    rows.question()
    rows.trajectory("good")
    rows.trajectory("orphan", "gone")
    judged = rows.judge()
    assert judged.named("no_question") == {"orphan"}
    assert judged.outcomes()["good"] == "kept"


def test_answers(rows):
    rows.video()
    rows.question()
    rows.trajectory("right")
    rows.trajectory("wrong", verdict="wrong")
    rows.trajectory("unsure", verdict="unknown")
    rows.trajectory("ungraded", verdict=None)
    rows.trajectory("endless", status="exhausted", verdict="wrong", well_formed=False)
    rows.trajectory("sloppy", well_formed=False)
    rows.trajectory("broken", status="failed", failure="timeout", well_formed=False)
    judged = rows.judge(max_trajectories=9)
    assert judged.named("wrong_answer") == {"wrong"}
    assert judged.named("unknown_answer") == {"unsure", "ungraded"}
    assert judged.named("no_answer") == {"endless"}
    assert judged.named("bad_format") == {"sloppy"}
    assert judged.named("timeout") == {"broken"}
    assert judged.outcomes() == {
        "right": "kept", "wrong": "rejected", "unsure": "rejected", "ungraded": "rejected", "endless": "rejected",
        "sloppy": "rejected", "broken": "failed",
    }  # fmt: skip


def test_guessed_is_right_without_a_zoom_that_was_needed(rows):
    rows.video()
    rows.overview(0.0, 10.0, 20.0)
    rows.question("covered", evidence=((9.0, 11.0),))
    rows.question("between", evidence=((9.0, 11.0), (13.0, 14.0)))
    rows.question("unknown")
    rows.question("probed", evidence=((13.0, 14.0),))
    rows.question("failed_probe", evidence=((9.0, 11.0),))
    overview = {"kind": "probe", "max_zooms": 0, "zooms": 0, "frames_shown": 3}
    rows.trajectory("p1", "probed", **overview)
    rows.trajectory("p2", "failed_probe", verdict="wrong", **overview)
    for question in ("covered", "between", "unknown", "probed", "failed_probe"):
        rows.trajectory(f"{question}_still", question, zooms=0, hit=False)
    rows.trajectory("zoomed", "between", zooms=1, hit=True)
    judged = rows.judge()
    assert judged.named("guessed") == {"between_still", "failed_probe_still"}


def test_zoomed_elsewhere_is_right_without_having_seen_it(rows):
    rows.video()
    rows.overview(0.0, 10.0)
    rows.question("between", evidence=((13.0, 14.0),))
    rows.question("covered", evidence=((9.0, 11.0),))
    rows.question("unknown")
    rows.trajectory("missed", "between", hit=False)
    rows.trajectory("found", "between", hit=True)
    rows.trajectory("needless", "covered", hit=False)
    rows.trajectory("dark", "unknown", hit=None)
    assert rows.judge().named("zoomed_elsewhere") == {"missed"}


def test_reflection_without_zoom(rows):
    rows.video()
    rows.question()
    failed = zoom(10, 14, train=False)
    rows.trajectory("still", kind="reflection", turns=(failed, answer_turn()))
    rows.trajectory("missed", kind="reflection", turns=(failed, answer_turn()), hit=False)
    rows.trajectory("reread", kind="reflection", turns=(failed, answer_turn()), hit=True)
    rows.trajectory("looked", kind="reflection", turns=(failed, zoom(40, 44), answer_turn()))
    rows.trajectory("exemplar", turns=(answer_turn(),))
    assert rows.judge().named("reflection_without_zoom") == {"still", "missed"}


def test_reflection_same_window(rows):
    rows.video()
    rows.question()
    failed = zoom(10, 20, 1.0, train=False)
    new = {
        "same": zoom(10, 20, 1.0),
        "nearly": zoom(10.5, 20.5, 1.05),
        "moved": zoom(15, 25, 1.0),
        "faster": zoom(10, 20, 1.5),
        "inside": zoom(12, 16, 1.0),
    }
    for name, turn in new.items():
        rows.trajectory(name, kind="reflection", turns=(failed, turn, answer_turn()))
    rows.trajectory(
        "again_later", kind="reflection", turns=(failed, zoom(60, 70, 1.0), zoom(10, 20, 1.0), answer_turn())
    )
    rows.trajectory(
        "first_failure",
        kind="reflection",
        turns=(zoom(30, 40, 1.0, train=False), failed, zoom(30, 40, 1.0), answer_turn()),
    )
    rows.trajectory("exemplar", turns=(zoom(10, 20, 1.0), zoom(10, 20, 1.0), answer_turn()))
    assert rows.judge().named("reflection_same_window") == {"same", "nearly", "first_failure"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("thought", "tells"),
    [
        ("The ground truth says red.", True),
        ("Given that the correct answer is red, I look again.", True),
        ("My previous answer was wrong.", True),
        ("I was asked to reconsider.", True),
        ("The user wants me to zoom elsewhere.", True),
        ("The attempt above did not lead to a right answer.", True),
        ("The expected answer is red.", True),
        ("Those frames lie before the event; the segment was too early.", False),
        ("My first zoom was too sparse, so I zoom again.", False),
        ("A prompt is shown on the screen at 12 s, so the correct answer is red.", False),
        ("The answer key hangs on the wall.", False),
    ],
)
def test_tells_of_a_reflection(rows, thought, tells):
    rows.video()
    rows.question(text="What is written beside the answer key?")
    failed = zoom(10, 14, train=False, reply="<think>The ground truth is unknown.</think>")
    rows.trajectory(
        "r", kind="reflection", turns=(failed, zoom(30, 34, reply=f"<think>{thought}</think>"), answer_turn())
    )
    assert rows.judge().named("tells") == ({"r"} if tells else set())


def test_too_many_of_a_question_keeps_the_best(rows):
    rows.video()
    rows.question(evidence=((5.0, 6.0),))
    rows.trajectory("hit_wide", hit=True, frames_shown=50)
    rows.trajectory("hit_narrow", hit=True, frames_shown=20, sample=1)
    rows.trajectory("hit_brief", hit=True, frames_shown=20, output_tokens=50, sample=2)
    rows.trajectory("wrong", verdict="wrong", hit=True, frames_shown=1, sample=3)
    rows.trajectory(
        "reflected", kind="reflection", turns=(zoom(1, 2, train=False), zoom(5, 6), answer_turn()), hit=True
    )
    judged = rows.judge(max_trajectories=2)
    assert judged.named("too_many_of_a_question") == {"hit_wide"}
    assert judged.outcomes()["reflected"] == "kept"


def test_too_many_without_zoom_is_a_share_of_what_remains(rows):
    rows.video()
    for index in range(12):
        rows.question(f"q{index:02}")
        rows.trajectory(f"t{index:02}", f"q{index:02}", zooms=0 if index < 6 else 1)
    dropped = rows.judge(non_zoom_share=0.25).named("too_many_without_zoom")
    assert len(dropped) == 4 and dropped < {f"t{index:02}" for index in range(6)}
    assert rows.judge(non_zoom_share=0.25).named("too_many_without_zoom") == dropped
    assert len(rows.judge(non_zoom_share=0.0).named("too_many_without_zoom")) == 6
    assert rows.judge(non_zoom_share=1.0).named("too_many_without_zoom") == set()
