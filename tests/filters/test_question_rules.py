import pytest

from filters.duplicates import sameness

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


DIFFERENT = [
    ("What colour is the red disc's border?", "What colour is the blue disc's border?"),
    ("Who stands to the left of the door?", "Who stands to the right of the door?"),
    ("What does the man do before the bell rings?", "What does the man do after the bell rings?"),
    ("Which window is open in the hall?", "Which window is not open in the hall?"),
    ("Which shop is closed in the morning?", "Which shop is open in the morning?"),
    ("How many birds sit on the first branch?", "How many birds sit on the second branch?"),
    ("What does Anna give to Peter?", "What does Peter give to Anna?"),
    ("What does Anna carry to the car?", "What does Anne carry to the car?"),
    ("Which number is on bus 12?", "Which number is on bus 21?"),
    ("What lies on the table in the kitchen?", "What lies on the chair in the kitchen?"),
    ("Is the red cup above the green plate?", "Is the green cup above the red plate?"),
    ("What appears on the screen?", "What disappears from the screen?"),
    ("门口的红色汽车是什么牌子的？", "门口的蓝色汽车是什么牌子的？"),
]
THE_SAME = [
    ("What is painted on the gate?", "What is drawn on the gate?"),
    ("How many times does the red disc flash in the harbour?", "How many times does the red disc flash in the harbor?"),
    ("Which colour has the car that stops at the gate?", "What color is the car that stops at the gate?"),
    ("How many people enter the hall?", "What is the number of people entering the hall?"),
    ("After the bell rings, what does the man open?", "What does the man open after the bell rings?"),
    ("At which second of the video does the red disc appear?", "When does the red disc appear?"),
    ("What is the woman holding in the kitchen?", "What does the woman hold in the kitchen?"),
    ("In which order exactly do the ring and the disc appear?", "In which order do the ring and the disc appear?"),
    ("Which animal is visible near the old bridge?", "What animal can be seen near the old bridge?"),
    ("Does a dog run across the street in this clip?", "Does a dog run across the street?"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("left", "right", "same"), [(*p, False) for p in DIFFERENT] + [(*p, True) for p in THE_SAME])
@pytest.mark.parametrize("evidence", [(), ((10.0, 12.0),)])
def test_questions_are_compared_by_the_words_that_carry_their_meaning(rows, left, right, same, evidence):
    rows.video()
    rows.question("a", text=left, answer="x", evidence=evidence)
    rows.question("b", text=right, answer="x", evidence=evidence)
    assert rows.judge().named("duplicate_near") == ({"b"} if same else set())
    assert sameness(left, right) == sameness(right, left)


def test_rewordings_about_other_evidence_are_different(rows):
    rows.video()
    for name, (text, start_s) in enumerate(zip(THE_SAME[4], (10.0, 50.0), strict=True)):
        rows.question(f"q{name}", text=text, evidence=((start_s, start_s + 2),))
    assert rows.judge().named("duplicate_near") == set()


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
