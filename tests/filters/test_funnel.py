"""The funnel adds up for any rows."""

import tempfile
from pathlib import Path

import polars as pl
import pytest
from filter_rows import Rows, answer_turn, zoom
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.funnel import as_markdown
from filters.rules import load_rules

questions = st.fixed_dictionaries(
    {
        "video_id": st.sampled_from(["v1", "v2", "unreadable", "missing"]),
        "split": st.sampled_from(["train", "train", "evaluation"]),
        "status": st.sampled_from(["ok", "ok", "quarantined"]),
        "text": st.sampled_from(
            ["What is shown at the end?", "What is shown at the end of it?", "How many are there?"]
        ),
        "evidence": st.sampled_from([(), ((4.0, 5.0),), ((10.0, 11.0),)]),
    }
)
trajectories = st.fixed_dictionaries(
    {
        "question": st.integers(0, 5),
        "kind": st.sampled_from(["exemplar", "exemplar", "reflection", "probe", "student", "evaluation"]),
        "verdict": st.sampled_from(["correct", "correct", "wrong", "unknown", None]),
        "status": st.sampled_from(["answered", "answered", "exhausted", "failed"]),
        "hit": st.sampled_from([True, False, None]),
        "well_formed": st.booleans(),
        "zooms": st.integers(0, 2),
        "max_zooms": st.sampled_from([0, 4]),
        "frames_shown": st.sampled_from([0, 20, 40]),
        "moved_s": st.sampled_from([0, 30]),
    }
)


def fill(rows: Rows, some_questions, some_trajectories) -> None:
    rows.video("v1")
    rows.video("v2")
    rows.video("unreadable", status="quarantined")
    rows.overview(0.0, 10.5)
    rows.leak("video_signature", "v2")
    for index, question in enumerate(some_questions):
        rows.question(f"q{index}", **question)
    for index, drawn in enumerate(some_trajectories):
        trajectory = dict(drawn)
        question, moved_s = trajectory.pop("question"), trajectory.pop("moved_s")
        turns = ()
        if trajectory["kind"] == "reflection":
            turns = (zoom(10, 14, train=False), zoom(10 + moved_s, 14 + moved_s), answer_turn())
        failure = "timeout" if trajectory["status"] == "failed" and index % 2 else None
        rows.trajectory(f"t{index}", f"q{question}", sample=index, failure=failure, turns=turns, **trajectory)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(questions, max_size=5),
    st.lists(trajectories, max_size=20),
    st.fixed_dictionaries({"max_trajectories": st.integers(1, 2), "non_zoom_share": st.sampled_from([0.0, 0.5, 1.0])}),
)
def test_the_funnel_adds_up(some_questions, some_trajectories, chosen):
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(Path(folder))
        fill(rows, some_questions, some_trajectories)
        result = rows.judge(**chosen).result
    rules = [rule.name for rule in load_rules()]
    split = {f"q{index}": question["split"] for index, question in enumerate(some_questions)}
    expected = {
        f"t{index}"
        for index, row in enumerate(some_trajectories)
        if row["kind"] in ("exemplar", "reflection") and split.get(f"q{row['question']}", "train") == "train"
    }
    assert set(result.verdicts["trajectory_id"]) == expected
    assert set(result.question_stats["question_id"]) == set(split)

    def rows_of(kind, *stages):
        return result.funnel.filter((pl.col("kind") == kind) & pl.col("stage").is_in(stages))["rows"].sum()

    asked = {"question": list(split.values()).count("train")}
    for kind in ("exemplar", "reflection"):
        asked[kind] = result.verdicts.filter(pl.col("kind") == kind).height
    for kind, count in asked.items():
        assert rows_of(kind, "asked") == count
        assert rows_of(kind, "failed", "rejected", "kept") == count
    for verdict in result.verdicts.iter_rows(named=True):
        index = int(verdict["trajectory_id"][1:])
        assert (verdict["outcome"] == "failed") == (some_trajectories[index]["status"] == "failed")
        assert (verdict["outcome"] == "kept") == (not verdict["reasons"])
        if verdict["outcome"] == "rejected":
            assert verdict["reasons"] == sorted(verdict["reasons"], key=rules.index)
    for kind in ("exemplar", "reflection"):
        for outcome in ("rejected", "failed"):
            first = result.verdicts.filter((pl.col("kind") == kind) & (pl.col("outcome") == outcome))[
                "reasons"
            ].list.first()
            counted = result.funnel.filter((pl.col("kind") == kind) & (pl.col("stage") == outcome))
            assert dict(counted.select("reason", "rows").iter_rows()) == dict(first.value_counts().iter_rows())


def test_a_question_with_several_reasons_counts_at_its_first(rows):
    rows.video()
    rows.question("clean")
    rows.question("bad", status="quarantined")
    rows.leak("question_text", "bad")
    result = rows.judge().result
    reasons = dict(result.question_stats.select("question_id", "reasons").iter_rows())
    assert reasons["bad"] == ["question_quarantined", "leaked_question"]
    counted = result.funnel.filter(pl.col("kind") == "question").select("stage", "reason", "rows").rows()
    assert set(counted) == {("asked", "", 2), ("rejected", "question_quarantined", 1), ("kept", "", 1)}


def test_markdown_lists_every_step_with_the_largest_loss_first(rows):
    rows.video()
    rows.question()
    for index, verdict in enumerate(("correct", "unknown", "wrong", "wrong")):
        rows.trajectory(f"t{index}", verdict=verdict, sample=index)
    lines = as_markdown(rows.judge().result.funnel).splitlines()
    assert [line for line in lines if "exemplar" in line] == [
        "| exemplar | asked |  | 4 |",
        "| exemplar | rejected | wrong_answer | 2 |",
        "| exemplar | rejected | unknown_answer | 1 |",
        "| exemplar | kept |  | 1 |",
    ]
