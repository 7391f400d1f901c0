"""Rules about what a player wrote: junk that each of them drops, and good trajectories that none of them does."""

import pytest
from filter_rows import answer_turn, zoom

from filters.alike import common
from filters.conclusions import concludes_otherwise
from filters.rules import load_rules

FILM_S = 120.0
OVERVIEW_S = [index * 2.0 for index in range(60)]
QUESTION = "What does the woman hold at the end of the tunnel scene?"
OPTIONS = ("a red umbrella", "a map", "an umbrella", "a lamp")


def looked(start_s, end_s, fps=2.0, thought="The tunnel is dark there, so I look closer at its end.", train=True):
    """A zoom with the frames that it returns."""
    times = [start_s + index / fps for index in range(int((end_s - start_s) * fps))]
    turn = zoom(start_s, end_s, fps, train=train, reply=f"<think>{thought}</think>\n<video_zoom>{{}}</video_zoom>")
    return turn | {"frame_times_s": times, "frame_ids": [f"{time_s}" for time_s in times]}


def said(thought, train=True):
    return answer_turn(f"<think>{thought}</think><answer>B</answer>", train=train)


SEEN = "She comes out of the tunnel and unfolds a map in her hands."


def film(rows, **question):
    rows.video(duration_s=FILM_S)
    rows.overview(*OVERVIEW_S)
    rows.question(**{"text": QUESTION, "answer": "B", "answer_type": "choice", "options": OPTIONS} | question)


def closer(thought):
    """A zoom, and then an answer with this thought."""
    return (looked(40, 48), said(thought))


JUNK = {
    "another letter": ("contradicts_answer", closer("She holds the umbrella. So the answer is C.")),
    "another option": ("contradicts_answer", closer("I see her with it, hence a red umbrella.")),
    "will just guess": ("guess_admitted", closer("The frames are too dark to say. I will just guess.")),
    "at random": ("guess_admitted", closer("Nothing is to be seen, so I pick one of the options at random.")),
    "best guess": ("guess_admitted", closer("My best guess has to do for this one.")),
    "past the end": ("time_not_shown", closer("The film goes on, and it returns 1,480 seconds later in a map shop.")),
    "a frame number": ("time_not_shown", closer("In frame 731 she unfolds a map with both hands.")),
    "a frame tag": ("time_not_shown", closer("<frame7_time75.25s> is where she unfolds a map.")),
    "the same zoom four times": ("zoom_repeats", (*[looked(40, 48)] * 4, said(SEEN))),
    "a part of an earlier zoom": ("zoom_repeats", (looked(40, 48), looked(42, 46), said(SEEN))),
    "a failed zoom again": ("zoom_repeats", (looked(40, 48, train=False), looked(40, 48), said(SEEN))),
    "the whole film": ("zoom_not_closer", (looked(0, 120, 16 / 120), said(SEEN))),
    "the overview's own rate": ("zoom_not_closer", (looked(40, 60, 0.5), said(SEEN))),
    "an empty thought": ("empty_thought", closer("")),
    "an empty thought before a zoom": ("empty_thought", (looked(40, 48, thought=" "), said(SEEN))),
    "one word": ("empty_thought", closer("Map.")),
    "two signs": ("empty_thought", closer("地图。")),
    "as an AI": ("refusal", closer("As an AI language model I look at the frames, and she holds a map.")),
    "cannot view": ("refusal", closer("I'm sorry, but I cannot view videos. It should be the map then.")),
    "the ground truth": ("tells", closer("The ground truth given is B, so it is the map.")),
    "a verdict": ("tells", closer("My previous answer was wrong, so now it is the map in her hand.")),
    "an instruction": ("tells", closer("I was asked to look again, and she has a map.")),
    "the prompt": (
        "quotes_prompt",
        closer("One zoom returns at most 16 frames, so rate x (end - start) must not exceed 16, and it is the map."),
    ),
    "a tool tag": ("quotes_prompt", closer("<tool_response> shows that she unfolds a map.")),
    "a sentence in a loop": ("loops", closer("I see a map. " + "It is the map. " * 4)),
    "words in a loop": ("loops", closer("the map and the hand and " * 30)),
    "two turns alike": ("loops", (looked(40, 48), looked(60, 68), said(SEEN))),
    "100 kB of x": ("overlong_thought", closer("x" * 100_000)),
    "a run of x": ("loops", closer("I see a map " + "x" * 500)),
    "two scripts": ("mixed_languages", closer("I see that she is there. 她从隧道里走出来打开了一张很大的地图。")),
    "three languages": (
        "mixed_languages",
        closer("I see that she is there. Das ist nicht der Schirm. Je vois les mains dans la carte et pas la lampe."),
    ),
    "an address": ("personal_data", closer("The map is from anna.smith@example.org and she unfolds it.")),
    "a telephone number": ("personal_data", closer("She has a map; the poster says +49 170 555 0199 below.")),
    "a card": ("personal_data", closer("A map, and a card with 4111 1111 1111 1111 on the table.")),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", JUNK)
def test_junk_is_dropped_for_its_reason(rows, name):
    rule, turns = JUNK[name]
    film(rows)
    rows.trajectory("junk", turns=turns)
    rows.trajectory("wrong", turns=turns, verdict="wrong")
    judged = rows.judge(max_trajectories=9)
    assert judged.named(rule) == {"junk"}
    assert judged.outcomes()["junk"] == "rejected"


@pytest.mark.parametrize("kind", ["exemplar", "reflection", "rollout"])
def test_the_rules_look_at_every_kind_and_only_at_turns_that_are_imitated(rows, kind):
    film(rows)
    bad, good = "The ground truth given is B, so it is the map.", SEEN
    rows.trajectory("bad", kind=kind, turns=(looked(40, 48), said(bad)))
    rows.trajectory("good", kind=kind, turns=(looked(60, 68, thought=bad, train=kind != "reflection"), said(good)))
    expected = {"bad"} if kind == "reflection" else {"bad", "good"}
    assert rows.judge(max_trajectories=9).named("tells") == expected


GOOD = [
    (said("The overview shows the woman at 46 s with a map in her hands, so it is the map."),),
    (said("At about 60 seconds she unfolds a map; the umbrella stands behind her. The answer is B."),),
    closer("At 44.5 s she unfolds something with streets on it. Hence a map."),
    closer("In the zoom the frames at 42 s and 43 s show her with a map. So the answer is B."),
    closer("At first the answer seems to be C, but the frames at 45 s show streets. The answer is B: a map."),
    closer("The answer is not the umbrella, which someone else carries; she has a map."),
    closer("It could be a red umbrella or a map. The zoom shows paper with lines, so the map it is."),
    closer("I would answer C for the first scene, however this is the last one. The correct option is B."),
    closer("Frame 3 of the zoom shows the paper, frame 12 its back. It is a map."),
    closer("<frame4_time42.00s> shows the paper with streets, which is a map."),
    closer("The clock on the wall shows 10:30 and she reads a map below it."),
    closer("The song is from the 1990s, and she holds a map while she dances."),
    closer("Nothing shows at 47 s; earlier, at 41.5 s, she has the map in her hand."),
    closer("I see it now."),
    (looked(40, 48, thought="隧道里很暗，我再看看最后。"), said("她从隧道里走出来，打开了一张地图。")),
    (looked(40, 48, thought="Там темно, посмотрю ближе."), said("Она выходит из туннеля и разворачивает карту.")),
    (
        looked(40, 48, thought="Es ist dort dunkel, und ich sehe nicht genug."),
        said("Sie faltet eine Karte auf, das ist es."),
    ),
    closer("The sign reads 出口, which means exit, and below it she unfolds a map."),
    closer("The poster says 'Ich liebe Berlin', but what she holds is a map with streets on it."),
    closer("The phone number is not readable; she looks at a map of the 2 lines and 14 stations."),
    closer("The people in the quiz guess the word, and she shows them a map of the river."),
    closer("He asks her to guess. She laughs and shows the map that she had folded."),
    closer("The user of the map turns it around; it is the same one as before, folded once."),
    closer("An AI robot stands at the left, and the woman at the right has a map."),
    closer("I cannot see her hands at 40 s, but from 43 s on they hold a map."),
    closer("A random passer-by carries the umbrella; the woman picks one map at the stall."),
    closer("The key fact is the paper. It shows roads. It shows a river. It is a map."),
    (looked(40, 48), looked(40, 48, 4, thought="That was too sparse for the thing in her hand."), said(SEEN)),
    (looked(40, 48), looked(47, 55, thought="The scene goes on after 48 s, so I look at the rest."), said(SEEN)),
    (looked(40, 60, 0.75), looked(44, 48, 4, thought="Something flashes between 44 and 48 s."), said(SEEN)),
    (looked(118, 120, thought="The very end is not covered by the overview yet."), said(SEEN)),
    (looked(40.0, 48.0, train=False), looked(70, 78, thought="The wrong part was looked at."), said(SEEN)),
    (looked(0, 16, 1, thought="Let me look from 0 to 16 s at 1 fps, before 1,000 steps are taken."), said(SEEN)),
    (looked(100, 108, thought="I zoom into 100 to 108 s at 2 fps, where I see only a wall."), said(SEEN)),
]
"""Trajectories as they should be, read by hand; each is near one of the rules."""


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(GOOD)))
def test_good_trajectories_stay(rows, index):
    film(rows)
    rows.trajectory("good", turns=GOOD[index])
    assert rows.judge(non_zoom_share=1).result.verdicts["reasons"].to_list() == [[]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("thought", "shown"),
    [
        ("At 45 s I see a map.", False),
        ("There is a lamp at about 29.5 s.", True), ("The map appears at 1:15.", False),
        ("The map appears at 1:31.", True), ("A map is shown at 100 s on the wall.", True),
        ("I see it around 14 sec.", False),
        ("I zoom in at 45 s to see it there.", True), ("If it appears at 45 s, I will see it.", True),
    ],
)  # fmt: skip
def test_a_sight_needs_a_frame(rows, thought, shown):
    """The overview has frames at 0, 30, 60 and 90 s, and the zoom shows 96 to 104 s."""
    rows.video(duration_s=FILM_S)
    rows.overview(0.0, 30.0, 60.0, 90.0)
    rows.question()
    rows.trajectory("t", turns=(looked(96, 104), said(thought)))
    assert rows.judge().named("time_not_shown") == (set() if shown else {"t"})


def test_a_zoom_does_not_vouch_for_what_is_said_before_it(rows):
    rows.video(duration_s=FILM_S)
    rows.overview(0.0, 30.0)
    rows.question()
    rows.trajectory("t", turns=(looked(96, 104, thought="The lamp is shown at 100 s there."), said(SEEN)))
    assert rows.judge().named("time_not_shown") == {"t"}


def test_words_of_the_question_are_no_junk(rows):
    film(rows, text="What is the e-mail address on the sign beside the ground truth, bob@example.org or none?")
    rows.trajectory("good", turns=closer("The ground truth sign reads bob@example.org in white."))
    assert rows.judge().outcomes() == {"good": "kept"}


THOUGHT = (
    "The overview shows the tunnel from about 40 to 48 s. In the zoomed frames the woman stops, puts down her bag, "
    "takes out a folded paper with streets and a river on it and turns it towards the light of the lamp."
)


def test_repeats_another_within_and_over_questions(rows):
    film(rows)
    rows.question(
        "other", text="Which thing is in the hands of the woman?", answer="B", answer_type="choice", options=OPTIONS
    )
    rows.trajectory("first", turns=(looked(40, 48), said(THOUGHT)), hit=True)
    rows.trajectory("again", turns=(looked(40, 48), said(THOUGHT)), sample=1)
    rows.trajectory("nearly", "other", turns=(looked(40, 48), said(THOUGHT.replace("lamp", "sun"))), sample=2)
    rows.trajectory("different", turns=(looked(40, 48), said(SEEN)), sample=3)
    rows.trajectory("dropped_anyway", turns=(looked(40, 48), said(THOUGHT)), verdict="wrong", frames_shown=1)
    assert rows.judge(max_trajectories=9).named("repeats_another") == {"again", "nearly"}
    assert rows.judge(max_trajectories=9, trajectory_ratio=1.0).named("repeats_another") == {"again"}


def test_rollouts_are_compared_with_one_another_alone(rows):
    """They make a data set of their own, and a policy that learnt from exemplars words its thoughts as they do."""
    film(rows)
    rows.trajectory("exemplar", turns=(looked(40, 48), said(THOUGHT)))
    rows.trajectory("rollout", kind="rollout", turns=(looked(40, 48), said(THOUGHT)), sample=1)
    rows.trajectory("rollout_again", kind="rollout", turns=(looked(40, 48), said(THOUGHT)), sample=2)
    assert rows.judge(max_trajectories=9).named("repeats_another") == {"rollout_again"}


def test_short_texts_do_not_repeat_each_other(rows):
    film(rows)
    for index in range(3):
        rows.trajectory(f"t{index}", turns=(said("I see the map there."),), sample=index)
    assert rows.judge(max_trajectories=9).named("repeats_another") == set()


def test_a_thousand_equal_texts_are_compared_with_one(rows):
    film(rows)
    for index in range(1000):
        rows.trajectory(f"t{index:04}", turns=(said(THOUGHT),), sample=index)
    assert len(rows.judge(max_trajectories=2000).named("repeats_another")) == 999


def test_common_is_the_share_of_runs():
    assert common("a b c d", "A  b c d") == 1.0
    assert common("a b c d", "a b c e") == pytest.approx(1 / 3)


def test_answer_in_question(rows):
    rows.video()
    rows.question("colour", text="What colour is the red ring that appears?", answer="red")
    rows.question("alternatives", text="Is the ring red or blue?", answer="red")
    rows.question("between", text="Who wins the match between Lyon and Turin?", answer="Lyon")
    rows.question("part", text="What stands beside the redwood tree?", answer="red")
    rows.question("number", text="How many of the 3 rings are there?", answer="3", answer_type="number")
    rows.question("yes", text="Is there a yes on the sign?", answer="yes", answer_type="yes_no")
    told = {"answer": "A", "answer_type": "choice", "options": ("the red gate", "the boat")}
    rows.question("option", text="What is painted on the red gate?", **told)
    rows.question("both", text="Which comes first, the red gate or the boat?", **told)
    rows.question("evaluation", text="What colour is the red ring?", answer="red", split="evaluation")
    assert rows.judge().named("answer_in_question") == {"colour", "option"}


@pytest.mark.parametrize(
    ("thought", "answer", "answer_type", "otherwise"),
    [
        ("That makes it 4.", "3", "number", True),
        ("So the answer is four.", "4", "number", False),
        ("So the answer is 3 of the 5.", "5", "number", False),
        ("Hence 62.5 s.", "12.0", "time", True),
        ("Hence 1:02.", "62", "time", False),
        ("Hence 12.9 s.", "12.0", "time", False),
        ("The answer is yes.", "no", "yes_no", True),
        ("The answer is no.", "no", "yes_no", False),
        ("So the answer is square.", "ring", "text", True),
        ("So the answer is the rings.", "ring", "text", False),
        ("It is a ring. So the answer is round.", "ring", "text", False),
        ("The answer is square. Wait, it is the ring.", "ring", "text", False),
        ("The answer is not square.", "ring", "text", False),
        ("It is square.", "ring", "text", False),
        ("So the answer is the square; the circle; the ring.", "ring, circle, square", "order", False),
    ],
)
def test_conclusions(thought, answer, answer_type, otherwise):
    assert concludes_otherwise(thought, answer, answer_type, ()) is otherwise


@pytest.mark.parametrize(
    ("thought", "otherwise"),
    [
        ("The answer is A.", True), ("The answer is (C).", True), ("I choose option D.", True),
        ("Answer: B", False),
        ("The answer is A map.", False), ("The answer is a map, option B.", False), ("The answer is B or C.", False),
        ("The answer is an umbrella.", True),
        ("The answer is a red umbrella.", True), ("The answer is unclear.", False),
        ("The correct option is B because A shows a lamp.", False), ("The answer is D, no, B.", False),
    ],
)  # fmt: skip
def test_conclusions_about_options(thought, otherwise):
    assert concludes_otherwise(thought, "B", "choice", OPTIONS) is otherwise


def test_a_rule_may_be_skipped(rows):
    film(rows)
    rows.trajectory("junk", turns=closer("My best guess has to do for this one."))
    assert rows.judge(skip_rules=("guess_admitted",)).outcomes() == {"junk": "kept"}


def test_a_skipped_rule_must_exist(rows):
    film(rows)
    with pytest.raises(ValueError, match=r"skip_rules names \['gues'\].*guess_admitted"):
        rows.judge(skip_rules=("gues",))


def test_patterns_are_constants():
    """A regular expression that is held in a column is compiled for each row, 200 times slower than a constant."""
    for rule in load_rules():
        assert ".pattern" not in rule.sql, rule.name
