"""The paper's and lmms-eval's rules, and where they and ours disagree."""

import pytest

from filters.graders.other_rules import as_markdown, counts, letter_by
from filters.grading import disagreements, grade, grade_rows
from videozoomer.protocol.question import Question
from videozoomer.settings.evaluation import EvalSettings

OPTIONS = ("2 cars", "3 cars", "4 cars", "5 cars")


def asked(answer="B", kind="choice", options=OPTIONS):
    return Question(
        question_id="q",
        video_uri="v",
        split="evaluation",
        question="How many?",
        answer=answer,
        answer_type=kind,
        options=options,
    )


@pytest.mark.parametrize(
    ("answer", "paper", "lmms_eval"),
    [
        ("B", "B", "B"),
        ("B. 3 cars", "B", "B"),
        ("(B)", "B", "B"),
        ("A is wrong. It is B.", "B", "A"),
        ("The answer is B.", "B", "B"),
        ("The best option is C", None, "C"),
        ("Best answer: D", None, "D"),
        ("Both cars stop", None, "B"),
        ("three cars", None, None),
        ("b", None, None),
        ("E", "E", None),
        ("A. is out, so B. it is", "B", "A"),
    ],
)
def test_each_rule_reads_its_letter(answer, paper, lmms_eval):
    assert (letter_by("paper", answer, 4), letter_by("lmms_eval", answer, 4)) == (paper, lmms_eval)


def test_lmms_eval_looks_for_as_many_letters_as_there_are_options():
    assert letter_by("lmms_eval", "E", 5) == "E" and letter_by("lmms_eval", "C", 2) == "C"


def test_another_rule_never_says_unknown_and_leaves_other_types_to_ours():
    assert grade(asked(), "Both lanes, perhaps").verdict == "unknown"
    assert grade(asked(), "Both lanes, perhaps", "lmms_eval").verdict == "correct"
    assert grade(asked(), "three cars", "paper").verdict == "wrong"
    assert grade(asked("3", "number", ()), "three", "lmms_eval").verdict == "correct"


def test_rules_that_read_no_letter_are_refused():
    with pytest.raises(ValueError, match="'paper' or 'lmms_eval'"):
        letter_by("ours", "B", 4)


def test_disagreements_are_counted_and_listed():
    question = asked().to_row("source")
    answers = {"t1": "B", "t2": "three cars", "t3": "Both, A|B?", "t4": "C", "t5": None}
    trajectories = [
        {"trajectory_id": name, "question_id": "q", "batch": "b", "status": "answered", "answer": answer, "turns": []}
        for name, answer in answers.items()
    ]
    found = disagreements(trajectories, [question], "lmms_eval")
    assert [(one.trajectory_id, one.ours, one.theirs) for one in found] == [
        ("t2", "correct", "wrong"),
        ("t3", "unknown", "correct"),
    ]
    assert {"ours": "correct", "theirs": "wrong", "answers": 1} in counts(found)
    assert "| t3 | B | Both, A\\|B? | unknown | correct |" in as_markdown(found, "lmms_eval")
    assert [row["verdict"] for row in grade_rows(trajectories, [question], "lmms_eval")] == [
        "correct",
        "wrong",
        "correct",
        "wrong",
        "wrong",
    ]


def test_an_evaluation_by_our_own_grader_keeps_its_digest():
    assert EvalSettings().digest() != EvalSettings(grader="paper").digest()
    assert "grader" in EvalSettings()._left_out()
