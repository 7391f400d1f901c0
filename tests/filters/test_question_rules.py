"""Every question rule, on questions that it must drop and questions that it must keep."""

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
