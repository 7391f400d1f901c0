"""Every rule over rows that it must name and rows that it must not."""

from pathlib import Path

import pytest
from filter_rows import said, zoom

from filters import rules as module
from filters.rules import RuleError, load_rules

RED = ("red", "green", "blue")


def test_question_quarantined(rows):
    rows.video()
    rows.question("bad", status="quarantined")
    rows.question("good")
    rows.question("other", split="evaluation", status="quarantined")
    assert rows.judge().named("question_quarantined") == {"bad"}


def test_no_video_is_missing_or_quarantined(rows):
    rows.video("v1")
    rows.video("v2", status="quarantined")
    for name, video in (("good", "v1"), ("unreadable", "v2"), ("missing", "v3")):
        rows.question(name, video)
    assert rows.judge().named("no_video") == {"unreadable", "missing"}


def test_a_file_of_two_sources_counts_once(rows):
    rows.video("v1")
    rows.save()
    rows.lake.write("videos", rows.tables["videos"], "again")
    rows.question()
    judged = rows.judge()
    assert judged.result.question_stats.height == 1 and judged.named("no_video") == set()


def test_leaked_video_drops_all_its_questions(rows):
    rows.video("v1")
    rows.video("v2")
    rows.video("v3")
    rows.question("same", "v1")
    rows.question("copy", "v2")
    rows.question("clean", "v3")
    rows.question("measured", "v1", split="evaluation")
    rows.leak("video_id", "v1", "v1")
    rows.leak("video_signature", "v2", "e9")
    assert rows.judge().named("leaked_video") == {"same", "copy"}


def test_leaked_question(rows):
    rows.video()
    rows.question("asked")
    rows.question("free")
    rows.leak("question_text", "asked")
    assert rows.judge().named("leaked_question") == {"asked"}


def test_duplicate_exact_keeps_the_first(rows):
    rows.video("v1")
    rows.video("v2")
    rows.question("a", text="Which colour is the flag?", answer="A", options=RED, answer_type="choice")
    rows.question("b", text="Which colour is the flag ?", answer="B", options=("green", "red"), answer_type="choice")
    rows.question("c", text="Which colour is the flag?", answer="B", options=RED, answer_type="choice")
    rows.question(
        "d", text="Which colour is the flag?", answer="A", options=RED, answer_type="choice", split="evaluation"
    )
    rows.question("e", "v2", text="Which colour is the flag?", answer="A", options=RED, answer_type="choice")
    assert rows.judge().named("duplicate_exact") == {"b"}


def test_a_quarantined_question_has_no_duplicates(rows):
    rows.video()
    rows.question("a", text="Which flag?", status="quarantined")
    rows.question("b", text="Which flag?")
    assert rows.judge().named("duplicate_exact") == set()


def test_duplicate_near_needs_the_same_words_or_the_same_evidence(rows):
    rows.video()
    rows.question("a", text="How many times does the red disc flash in the harbour?", answer="3")
    rows.question("b", text="How many times does the red disc flash in the harbor?", answer="3")
    rows.question("c", text="How many times does the blue disc flash in the harbour?", answer="3")
    rows.question("d", text="How many times does the red disc flash in the harbour, then?", answer="4")
    seen = {"text": "What is painted on the gate that is opened at the end?", "evidence": ((10.0, 12.0),)}
    rows.question("e", **seen)
    rows.question(
        "f", **seen | {"text": "What is drawn on the gate that is opened at the end?", "evidence": ((11.0, 13.0),)}
    )
    rows.question(
        "g", **seen | {"text": "What is drawn on the gate that is opened at an end?", "evidence": ((50.0, 53.0),)}
    )
    judged = rows.judge(duplicate_ratio=90)
    assert judged.named("duplicate_near") == {"b", "f"}
    assert rows.judge(duplicate_ratio=100).named("duplicate_near") == set()


def test_answerable_without_video_needs_every_blind_probe(rows):
    rows.video()
    blind = {"kind": "probe", "frames_shown": 0, "max_zooms": 0, "zooms": 0}
    for question, verdicts in {"both": "cc", "one": "cw", "unsure": "cu", "none": ""}.items():
        rows.question(question)
        for index, letter in enumerate(verdicts):
            verdict = {"c": "correct", "w": "wrong", "u": "unknown"}[letter]
            rows.trajectory(f"{question}{index}", question, verdict=verdict, sample=index, **blind)
    rows.question("failed")
    rows.trajectory("failed0", "failed", **blind)
    rows.trajectory("failed1", "failed", status="failed", failure="timeout", **blind)
    rows.question("seen")
    rows.trajectory("seen0", "seen", kind="probe", max_zooms=0, zooms=0, frames_shown=30)
    judged = rows.judge()
    assert judged.named("answerable_without_video") == {"both"}
    stats = {row["question_id"]: row for row in judged.result.question_stats.iter_rows(named=True)}
    assert [stats[q]["answered_without_video"] for q in ("both", "one", "none", "seen")] == [True, False, None, None]
    assert [stats[q]["answered_from_overview"] for q in ("both", "seen")] == [None, True]
    assert rows.judge(probe_without_video=False).named("answerable_without_video") == set()


def test_pass_rate_is_over_what_was_judged(rows):
    rows.video()
    for question, verdicts in {"half": "cwu", "quarter": "cwww", "unjudged": "uu"}.items():
        rows.question(question)
        for index, letter in enumerate(verdicts):
            rows.trajectory(
                f"{question}{index}",
                question,
                verdict={"c": "correct", "w": "wrong", "u": "unknown"}[letter],
                sample=index,
            )
    rows.trajectory("broken", "half", status="failed", failure="timeout")
    judged = rows.judge(min_pass_rate=0.4)
    assert judged.named("pass_rate_too_low") == {"quarter"}
    stats = {row["question_id"]: row for row in judged.result.question_stats.iter_rows(named=True)}
    half = stats["half"]
    assert (half["samples"], half["valid"], half["correct"], half["pass_rate"]) == (4, 2, 1, 0.5)
    assert stats["unjudged"]["pass_rate"] is None


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
    rows.trajectory("still", kind="reflection", turns=(failed, said()))
    rows.trajectory("missed", kind="reflection", turns=(failed, said()), hit=False)
    rows.trajectory("reread", kind="reflection", turns=(failed, said()), hit=True)
    rows.trajectory("looked", kind="reflection", turns=(failed, zoom(40, 44), said()))
    rows.trajectory("exemplar", turns=(said(),))
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
        rows.trajectory(name, kind="reflection", turns=(failed, turn, said()))
    rows.trajectory("again_later", kind="reflection", turns=(failed, zoom(60, 70, 1.0), zoom(10, 20, 1.0), said()))
    rows.trajectory(
        "first_failure", kind="reflection", turns=(zoom(30, 40, 1.0, train=False), failed, zoom(30, 40, 1.0), said())
    )
    rows.trajectory("exemplar", turns=(zoom(10, 20, 1.0), zoom(10, 20, 1.0), said()))
    assert rows.judge().named("reflection_same_window") == {"same", "nearly", "first_failure"}


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
def test_reflection_tells(rows, thought, tells):
    rows.video()
    rows.question(text="What is written beside the answer key?")
    failed = zoom(10, 14, train=False, reply="<think>The ground truth is unknown.</think>")
    rows.trajectory("r", kind="reflection", turns=(failed, zoom(30, 34, reply=f"<think>{thought}</think>"), said()))
    assert rows.judge().named("reflection_tells") == ({"r"} if tells else set())


def test_too_many_of_a_question_keeps_the_best(rows):
    rows.video()
    rows.question(evidence=((5.0, 6.0),))
    rows.trajectory("hit_wide", hit=True, frames_shown=50)
    rows.trajectory("hit_narrow", hit=True, frames_shown=20, sample=1)
    rows.trajectory("hit_brief", hit=True, frames_shown=20, output_tokens=50, sample=2)
    rows.trajectory("wrong", verdict="wrong", hit=True, frames_shown=1, sample=3)
    rows.trajectory("reflected", kind="reflection", turns=(zoom(1, 2, train=False), zoom(5, 6), said()), hit=True)
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


def test_selection_counts_only_what_other_rules_left(rows):
    """Nothing is dropped for being too many beside trajectories that are dropped anyway."""
    rows.video()
    rows.question("q1")
    rows.question("dropped", text="Else?", status="quarantined")
    rows.trajectory("a", zooms=1, frames_shown=40)
    rows.trajectory("b", zooms=1, frames_shown=10, verdict="wrong", sample=1)
    rows.trajectory("c", "dropped", zooms=1)
    judged = rows.judge(max_trajectories=1)
    assert judged.named("too_many_of_a_question") == set()
    assert judged.outcomes() == {"a": "kept", "b": "rejected", "c": "rejected"}


def test_only_exemplars_and_reflections_on_training_questions_are_candidates(rows):
    rows.video()
    rows.question("q1")
    rows.question("e1", split="evaluation")
    for kind in ("student", "probe", "evaluation"):
        rows.trajectory(kind, kind=kind)
    rows.trajectory("astray", "e1")
    rows.trajectory("kept")
    assert rows.judge().outcomes() == {"kept": "kept"}


def test_every_reason_is_kept_in_order(rows):
    rows.video()
    rows.question(status="quarantined")
    rows.leak("video_id", "v1", "v1")
    rows.trajectory("t", verdict="wrong", well_formed=False)
    (reasons,) = rows.judge().result.verdicts["reasons"]
    assert list(reasons) == ["question_quarantined", "leaked_video", "wrong_answer", "bad_format"]


def test_every_rule_has_a_test_and_says_its_own_name(rows):
    for rule in load_rules():
        assert f"'{rule.name}' as reason" in rule.sql, rule.name
        assert f'named("{rule.name}")' in Path(__file__).read_text(), f"rule {rule.name} has no test here"


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("select 1", r"lone.sql.*lacks \['level'"),
        ("-- level: video\n-- order: 1\n-- drops: a\n-- why: b\nselect 1", "level must be one of"),
        ("-- level: question\n-- order: 1\n-- drops: a\n-- why: b\nselect 1 as x", r"must return \(id, reason\)"),
        ("-- level: question\n-- order: 1\n-- drops: a\n-- why: b\nselect nothing", "its query fails"),
    ],
)
def test_a_broken_rule_is_named(rows, tmp_path, monkeypatch, sql, complaint):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "lone.sql").write_text(sql)
    monkeypatch.setattr(module, "FOLDER", folder)
    load_rules.cache_clear()
    try:
        with pytest.raises(RuleError, match=complaint):
            rows.judge()
    finally:
        load_rules.cache_clear()
