"""Rules about probes of evidence, and the statistics in SQL against those in Python."""

import itertools

import pytest

from filters import sql_functions
from filters.grading import with_moved_options
from videozoomer.lake import Lake
from videozoomer.protocol.chance import chance_of, tail

ON = {"evidence": {}}
FOUR = {"answer": "A", "answer_type": "choice", "options": ("red", "green", "blue", "black")}


def test_each_probe_drops_what_fails_it_and_only_that(rows):
    rows.video()
    rows.question(**FOUR)
    names = [f"{probe}_{stays}" for probe in ("sufficiency", "shuffled", "elsewhere") for stays in (True, False, None)]
    for sample, name in enumerate(names):
        rows.trajectory(name, sample=sample)
        probe, stays = name.split("_")
        rows.probe(name, probe, {"True": True, "False": False, "None": None}[stays])
    rows.trajectory("not_probed", sample=99)
    judged = rows.judge(**ON)
    assert judged.named("not_sufficient") == {"sufficiency_False"}
    assert judged.named("letter_not_answer") == {"shuffled_False"}
    assert judged.named("right_elsewhere") == {"elsewhere_True"}
    funnel = {
        (row["stage"], row["reason"]): row["rows"]
        for row in judged.result.funnel.to_dicts()
        if row["kind"] == "exemplar"
    }
    assert [funnel["rejected", rule] for rule in ("not_sufficient", "letter_not_answer", "right_elsewhere")] == [
        1,
        1,
        1,
    ]
    # Probes of an earlier run drop nothing once the recipe asks for none.
    off = rows.judge()
    assert not any(off.named(rule) for rule in ("not_sufficient", "letter_not_answer", "right_elsewhere"))


def test_idle_zooms_are_kept_unless_the_recipe_limits_them(rows):
    rows.video()
    rows.question(**FOUR)
    for name, stays in {"needed": (False, False), "one": (True, False), "both": (True, True)}.items():
        rows.trajectory(name, zooms=2)
        for zoom, right in enumerate(stays, 1):
            rows.probe(name, "leave_one_out", right, zoom=zoom)
    assert rows.judge(**ON).named("idle_zooms") == set()
    assert rows.judge(evidence={"max_idle_zooms": 1}).named("idle_zooms") == {"both"}
    assert rows.judge(evidence={"max_idle_zooms": 0}).named("idle_zooms") == {"one", "both"}


def test_the_sequential_blind_probe_replaces_all_of_two(rows):
    rows.video()
    blind = {"kind": "probe", "frames_shown": 0, "max_zooms": 0, "zooms": 0}
    for question, verdicts in {"mostly": "cw", "lucky": "cc", "plain": "cc", "hard": "ww"}.items():
        rows.question(question, **FOUR)
        for sample, letter in enumerate(verdicts):
            rows.trajectory(
                f"{question}{sample}", question, verdict="correct" if letter == "c" else "wrong", sample=sample, **blind
            )
    rows.probe("mostly", "blind", True, question_id="mostly")
    rows.probe("lucky", "blind", False, question_id="lucky")
    judged = rows.judge(**ON)
    assert judged.named("answerable_without_video") == {"mostly", "plain"}
    stats = dict(judged.result.question_stats.select("question_id", "answered_without_video").iter_rows())
    assert stats == {"mostly": True, "lucky": False, "plain": True, "hard": False}
    assert rows.judge().named("answerable_without_video") == {"lucky", "plain"}


@pytest.mark.parametrize(
    "right, wrong, sufficient, dropped",
    [
        (3, 0, None, False),  # p = 1/64
        (2, 6, None, True),  # p = 0.63
        (2, 6, True, False),  # its frames sufficed
        (2, 6, False, True),
        (0, 4, None, True),  # never right
        (1, 1, None, False),  # too few to pass even if all were right
    ],
)
def test_a_pass_rate_must_beat_guessing(rows, right, wrong, sufficient, dropped):
    rows.video()
    rows.question(**FOUR)
    rows.probe("q1", "blind", False)
    for sample in range(right + wrong):
        rows.trajectory(f"t{sample}", sample=sample, verdict="correct" if sample < right else "wrong")
    if sufficient is not None:
        rows.probe("t0", "sufficiency", sufficient)
    assert rows.judge(**ON).named("no_better_than_chance") == ({"q1"} if dropped else set())
    assert rows.judge().named("no_better_than_chance") == set()
    assert rows.judge(evidence={"pass_level": None}).named("no_better_than_chance") == set()


def test_a_question_that_was_not_probed_is_not_tested(rows):
    rows.video()
    rows.question(**FOUR)
    for sample in range(4):
        rows.trajectory(f"t{sample}", sample=sample, verdict="wrong")
    judged = rows.judge(**ON)
    assert judged.named("no_better_than_chance") == set()
    stats = judged.result.question_stats.to_dicts()[0]
    assert (stats["chance"], stats["chance_p"], stats["pass_rate"]) == (0.25, 1.0, 0.0)


def test_frames_that_sufficed_become_evidence(rows):
    rows.video()
    for question in ("carried", "single", "several", "fails", "none"):
        rows.question(question, **FOUR)
    both = ((10.0, 14.0), (40.0, 44.0))
    rows.trajectory("c", "carried", zooms=2)
    rows.probe("c", "sufficiency", True, question_id="carried", windows=both)
    for zoom, stays in ((1, True), (2, False)):
        rows.probe("c", "leave_one_out", stays, zoom=zoom, question_id="carried")
    rows.trajectory("s", "single")
    rows.probe("s", "sufficiency", True, question_id="single", windows=both[:1])
    for name, windows in (("v1", ((10.0, 14.0),)), ("v2", ((12.0, 18.0),)), ("v3", ((30.0, 31.0),))):
        rows.trajectory(name, "several", sample=int(name[1]))
        rows.probe(name, "sufficiency", True, question_id="several", windows=windows)
    rows.trajectory("f", "fails")
    rows.probe("f", "sufficiency", True, question_id="fails", windows=both[:1])
    rows.probe("f", "elsewhere", True, question_id="fails")
    rows.trajectory("n", "none")
    rows.probe("n", "sufficiency", False, question_id="none", windows=both)
    stats = rows.judge(**ON).result.question_stats
    found = {
        question: [(one["start_s"], one["end_s"]) for one in windows or ()]
        for question, windows in stats.select("question_id", "found_evidence").iter_rows()
    }
    assert found == {
        "carried": [(40.0, 44.0)],
        "single": [(10.0, 14.0)],
        "several": [(10.0, 18.0), (30.0, 31.0)],
        "fails": [],
        "none": [],
    }


def test_sql_and_python_agree_about_chance(tmp_path):
    connection = Lake(tmp_path).connect()
    sql_functions.register(connection)
    for kind, options in itertools.product(("choice", "yes_no", "text"), ([], ["a", "b"], ["a", "b", "c", "d"])):
        found = connection.execute("select chance_of(?, ?::varchar[], 0.07)", [kind, options]).fetchone()
        assert found == (pytest.approx(chance_of(kind, len(options), 0.07)),)
    for valid, chance in itertools.product((1, 4, 40), (0.05, 0.25, 0.5)):
        for correct in {0, 1, valid // 2, valid}:
            found = connection.execute("select chance_tail(?, ?, ?)", [correct, valid, chance]).fetchone()
            assert found == (pytest.approx(tail(correct, valid, chance), rel=1e-9),)


def test_the_right_letter_moves_with_its_option():
    question = {"options": ["red", "green", "blue", "black"], "answer": "B"}
    for places in range(4):
        moved = with_moved_options(question, places)
        assert moved["options"][ord(moved["answer"]) - ord("A")] == "green"
    assert with_moved_options({"options": [], "answer": "red"}, 2) == {"options": [], "answer": "red"}
