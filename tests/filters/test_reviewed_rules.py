"""Rules obey people, and people override the rules that the recipe lists."""

import pytest

from filters.rules import NEVER_OVERRIDDEN, RuleError, load_rules
from videozoomer.reviews import Journal
from videozoomer.settings.model import FilterSettings


def outcomes(rows, **settings) -> dict[str, list[str]]:
    verdicts = rows.judge(**settings).result.verdicts
    return dict(verdicts.select("trajectory_id", "reasons").iter_rows())


def decide(rows, subject: str, key: str, decision: str) -> None:
    Journal(rows.lake).decide("ann", subject, key, decision, None, None)


def test_a_dropped_trajectory_and_a_dropped_question(rows):
    rows.video()
    for question in ("q1", "q2"):
        rows.question(question, text=f"What is {question} about?")
    for name, question in (("a", "q1"), ("b", "q1"), ("c", "q2")):
        rows.trajectory(name, question)
    before = outcomes(rows)
    assert not any(before.values())
    decide(rows, "trajectory", "a", "drop")
    decide(rows, "question", "q2", "drop")
    assert outcomes(rows) == {"a": ["reviewed_drop"], "b": [], "c": ["reviewed_drop_question"]}
    assert outcomes(rows, skip_rules=("reviewed_drop",))["a"] == []
    decide(rows, "trajectory", "a", "clear")
    assert outcomes(rows)["a"] == []


def test_a_keep_overrides_the_rules_that_the_recipe_lists(rows):
    rows.video()
    rows.question()
    rows.trajectory("a", verdict="wrong")
    rows.trajectory("b", verdict="wrong")
    outcomes(rows)
    decide(rows, "trajectory", "a", "keep")
    assert outcomes(rows) == {"a": ["wrong_answer"], "b": ["wrong_answer"]}, "no rule is listed"
    found = outcomes(rows, review_overrides=("wrong_answer",))
    assert found == {"a": [], "b": ["wrong_answer"]}
    decide(rows, "trajectory", "a", "drop")
    assert outcomes(rows, review_overrides=("wrong_answer",))["a"] == ["wrong_answer", "reviewed_drop"]


def test_a_kept_question_overrides_rules_about_questions(rows):
    rows.video()
    rows.question()
    rows.trajectory("right")
    for name in ("w1", "w2", "w3"):
        rows.trajectory(name, verdict="wrong")
    strict = {"min_pass_rate": 0.9, "review_overrides": ("pass_rate_too_low",)}
    assert outcomes(rows, **strict)["right"] == ["pass_rate_too_low"]
    decide(rows, "trajectory", "right", "keep")
    assert outcomes(rows, **strict)["right"] == ["pass_rate_too_low"], "a trajectory's keep is not its question's"
    decide(rows, "question", "q1", "keep")
    assert outcomes(rows, **strict)["right"] == []


def test_a_kept_trajectory_does_not_crowd_out_others_it_is_added(rows):
    rows.video()
    rows.question()
    for name in ("a", "b", "c"):
        rows.trajectory(name, sample=ord(name))
    found = outcomes(rows, max_trajectories=1)
    dropped = [name for name, reasons in found.items() if reasons]
    assert len(dropped) == 2
    decide(rows, "trajectory", dropped[0], "keep")
    now = outcomes(rows, max_trajectories=1, review_overrides=("too_many_of_a_question", "repeats_another"))
    assert {name for name, reasons in now.items() if not reasons} == {*found, dropped[0]} - {*dropped[1:]}


@pytest.mark.parametrize(
    ("names", "message"),
    [(["no_rule"], "no rules"), (["leaked_video"], "no review overrides"), (["no_video"], "no rev")],
)
def test_what_cannot_be_overridden_is_refused(rows, names, message):
    rows.video()
    with pytest.raises(RuleError, match=message):
        rows.judge(review_overrides=tuple(names))


def test_the_rules_that_are_never_overridden_exist():
    assert {rule.name for rule in load_rules()} >= NEVER_OVERRIDDEN


def test_overrides_change_the_digest_and_their_absence_does_not():
    assert FilterSettings().digest() == FilterSettings(review_overrides=()).digest()
    assert FilterSettings().digest() != FilterSettings(review_overrides=("wrong_answer",)).digest()
