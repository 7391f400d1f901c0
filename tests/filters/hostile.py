"""Wrong and right answers in every dress, for the hostile tests.

A template is the statement (a denial, a bound, a correction, a hedge, an abstention) or the dress around it.
"""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import strategies as st

from filters.grading import grade
from videozoomer.protocol.question import Question


def _templates() -> dict[str, list[str]]:
    """The sections of `answers/hostile.templates.txt`; ⏎ is a new line, and quotes keep spaces."""
    found: dict[str, list[str]] = {}
    lines = (Path(__file__).parent / "answers" / "hostile.templates.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if re.fullmatch(r"\[[a-z_]+\]", line):
            section = found.setdefault(line.strip("[]"), [])
        else:
            quoted = re.fullmatch(r'"(\s.*|.*\s|)"', line)
            bare = quoted[1] if quoted else line
            section.append(bare.replace("⏎", "\n").replace("<ZWSP>", "\u200b").replace("<BOM>", "\ufeff"))
    return found


TEMPLATES = _templates()
DRESSES = TEMPLATES["dresses"]
PLAIN_DRESSES = [dress for dress in DRESSES if not dress.startswith(("{{", "\\", "$"))]
"""Those in which a whole sentence, with quotes and brackets of its own, may stand."""
ABSTENTIONS = TEMPLATES["abstentions"]


def asked(kind, truth, options=()):
    return Question(
        question_id="q", video_uri="v", split="train", question="What?", answer=truth, answer_type=kind, options=options
    )


def dressed(statements, dresses=PLAIN_DRESSES):
    return st.tuples(statements, st.sampled_from(dresses)).map(lambda pair: pair[1].format(pair[0]))


def filled(templates, **values):
    """The templates with their fields, as a strategy."""
    return st.sampled_from(templates).map(lambda template: template.format(**values))


def never(verdict, question, answer):
    result = grade(question, answer)
    assert result.verdict != verdict, f"{question.answer!r} {question.options} {answer!r}: {result}"


WRONG_OF_RIGHT = TEMPLATES["wrong_of_right"]
