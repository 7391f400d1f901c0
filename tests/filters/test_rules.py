"""How rules are read and run: candidates, order, reasons, errors."""

from pathlib import Path

import pytest

from filters.rules import RuleError, in_order, load_rules, read_rule, run_rules
from videozoomer.settings.model import FilterSettings


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


def test_every_rule_returns_its_own_name_and_has_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*_rules.py"))
    for rule in load_rules():
        assert f"'{rule.name}' as reason" in rule.sql, rule.name
        assert f'"{rule.name}"' in tests, f"rule {rule.name} has no test"


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("select 1", r"lone.sql.*lacks \['level'"),
        ("-- level: video\n-- order: 1\n-- drops: a\n-- why: b\nselect 1", "level must be one of"),
        ("-- level: question\n-- order: 1\n-- drops: a\n-- why: b\nselect 1 as x", r"must return \(id, reason\)"),
        ("-- level: question\n-- order: 1\n-- drops: a\n-- why: b\nselect nothing", "its query fails"),
    ],
)
def test_a_broken_rule_is_named(rows, tmp_path, sql, complaint):
    (tmp_path / "lone.sql").write_text(sql)
    with pytest.raises(RuleError, match=complaint):
        run_rules(rows.save(), FilterSettings(), [read_rule(tmp_path / "lone.sql")])


def test_two_rules_cannot_share_their_order(tmp_path):
    path = tmp_path / "another.sql"
    path.write_text("-- level: question\n-- order: 10\n-- drops: a\n-- why: b\nselect 1")
    with pytest.raises(RuleError, match="both have order 10"):
        in_order([*load_rules(), read_rule(path)])


def test_a_new_rule_runs_with_those_of_the_project(rows, tmp_path):
    path = tmp_path / "too_short.sql"
    path.write_text(
        "-- level: question\n-- order: 90\n-- drops: a short question\n-- why: it is vague.\n"
        "select question_id as id, 'too_short' as reason from asked_questions where len(plain_question) < 5"
    )
    rows.video()
    rows.question("short", text="Why?")
    rows.question("long")
    stats = run_rules(rows.save(), FilterSettings(), in_order([*load_rules(), read_rule(path)])).question_stats
    assert dict(stats.select("question_id", "reasons").iter_rows()) == {"short": ["too_short"], "long": []}
