import pytest

from eval.metrics import GAIN, MEANINGS, summarise
from videozoomer.lake.catalog import CATALOG


def trajectory(
    question: int, *, video: str, condition: str = "zoom", status: str = "answered", player: str = "p", **more
) -> dict:
    return {
        "trajectory_id": f"{player}-{condition}-{question}-{more.get('sample', 0)}", "question_id": f"q{question}",
        "video_id": video, "kind": "evaluation", "player": player, "status": status,
        "max_zooms": 4 if condition == "zoom" else 0, "frames_shown": 0 if condition == "blind" else 10,
        "zooms": 1 if condition == "zoom" else 0, "well_formed": status == "answered",
    } | more  # fmt: skip


def question(number: int, topic: str | None = None, evidence: bool = True) -> dict:
    return {
        "question_id": f"q{number}",
        "topic": topic,
        "evidence": [{"start_s": 1.0, "end_s": 2.0}] if evidence else [],
    }


def grade(row: dict, verdict: str, hit: bool | None = None) -> dict:
    return {"trajectory_id": row["trajectory_id"], "verdict": verdict, "hit": hit}


def figure(rows: list[dict], metric: str, condition: str = "zoom", topic: str = "all") -> dict:
    (found,) = [r for r in rows if (r["metric"], r["setting"], r["slice"]) == (metric, condition, topic)]
    return found


def test_metrics_computed_by_hand():
    questions = [
        question(0, "which"),
        question(1, "which"),
        question(2, "count", evidence=False),
        question(3, "count"),
        question(4),
    ]
    zoomed = [
        trajectory(0, video="a"),
        trajectory(1, video="a", zooms=2, frames_shown=40),
        trajectory(2, video="b", zooms=0),
        trajectory(3, video="b", status="failed"),
        trajectory(4, video="c", status="exhausted"),
    ]
    flat = [trajectory(n, video=v, condition="overview") for n, v in enumerate("aabbc")]
    grades = [
        grade(zoomed[0], "correct", True), grade(zoomed[1], "correct", False), grade(zoomed[2], "unknown"),
        grade(zoomed[3], "unknown"), grade(zoomed[4], "unknown", False),
        grade(flat[0], "wrong"), grade(flat[1], "correct"), grade(flat[2], "correct"), grade(flat[3], "wrong"),
        grade(flat[4], "wrong"),
    ]  # fmt: skip
    rows = summarise(zoomed + flat, grades, questions, resamples=200)

    accuracy = figure(rows, "accuracy")  # q0, q1 right; q4 ran out of rounds: wrong; q2 not judged; q3 failed
    assert (accuracy["value"], accuracy["questions"], accuracy["unknown"]) == (pytest.approx(2 / 3), 3, 2)
    assert figure(rows, "accuracy", "overview")["value"] == pytest.approx(2 / 5)
    assert figure(rows, "accuracy", topic="which")["value"] == 1.0
    counted = figure(rows, "accuracy", topic="count")
    assert (counted["value"], counted["questions"], counted["unknown"]) == (None, 0, 2)
    hit = figure(rows, "hit_rate")  # q2 has no known evidence: not even unknown
    assert (hit["value"], hit["questions"], hit["unknown"]) == (pytest.approx(1 / 3), 3, 1)
    assert figure(rows, "zooms")["value"] == pytest.approx((1 + 2 + 0 + 1) / 4)
    assert figure(rows, "frames")["value"] == pytest.approx((10 + 40 + 10 + 10) / 4)
    assert figure(rows, "well_formed")["value"] == pytest.approx(3 / 4)
    assert figure(rows, "unanswered")["value"] == pytest.approx(1 / 4)
    gain = figure(rows, GAIN)  # q0: +1, q1: 0, q4: 0; q2 and q3 unknown with zoom
    assert (gain["value"], gain["questions"], gain["unknown"]) == (pytest.approx(1 / 3), 3, 2)
    assert {row["metric"] for row in rows} == set(MEANINGS)
    CATALOG["evaluations"].conform(rows)


def test_samples_of_one_question_are_one_question():
    rows = [trajectory(0, video="a", sample=n) for n in range(3)] + [trajectory(1, video="b")]
    verdicts = ["correct", "correct", "unknown", "wrong"]
    found = figure(
        summarise(rows, [grade(r, v) for r, v in zip(rows, verdicts, strict=True)], [question(0), question(1)]),
        "accuracy",
    )
    assert (found["value"], found["questions"], found["unknown"]) == (0.5, 2, 0)


def test_players_and_conditions_are_separate_and_other_kinds_are_ignored():
    rows = [
        trajectory(0, video="a"), trajectory(0, video="a", condition="blind"), trajectory(0, video="a", player="other"),
        trajectory(0, video="a", sample=7) | {"kind": "exemplar"},
    ]  # fmt: skip
    found = summarise(
        rows, [grade(r, "wrong" if r["player"] == "other" else "correct") for r in rows], [question(0, "all")]
    )
    accuracy = {(r["player"], r["setting"], r["slice"]): r["value"] for r in found if r["metric"] == "accuracy"}
    assert accuracy[("p", "zoom", "all")] == accuracy[("p", "blind", "all")] == 1.0
    assert accuracy[("other", "zoom", "all")] == 0.0
    assert ("p", "zoom", "topic all") in accuracy, "a topic named like the total does not overwrite it"
    assert not [r for r in found if r["metric"] == GAIN], "no gain without both conditions"


def test_a_missing_question_is_an_error():
    with pytest.raises(ValueError, match="q0"):
        summarise([trajectory(0, video="a")], [], [])


def test_gain_uses_only_questions_played_in_both_conditions():
    rows = [trajectory(0, video="a"), trajectory(1, video="b"), trajectory(1, video="b", condition="overview")]
    grades = [grade(rows[0], "wrong"), grade(rows[1], "correct"), grade(rows[2], "wrong")]
    gain = figure(summarise(rows, grades, [question(0), question(1)]), GAIN)
    assert (gain["value"], gain["questions"]) == (1.0, 1)
