"""One decision of a person, and which decisions there are.

A later decision of the same slot replaces an earlier one: `drop` replaces `keep`, a tag only itself.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Subject = Literal["trajectory", "question", "pair"]
DECISIONS: dict[str, dict[str, str]] = {
    "trajectory": {
        "keep": "verdict",
        "drop": "verdict",
        "clear": "verdict",
        "judged": "judged",
        "tag": "tag",
        "untag": "tag",
        "note": "note",
    },
    "question": {
        "keep": "verdict",
        "drop": "verdict",
        "clear": "verdict",
        "answer": "answer",
        "tag": "tag",
        "untag": "tag",
        "note": "note",
    },
    "pair": {"leak": "verdict", "no_leak": "verdict", "clear": "verdict", "note": "note"},
}
"""Subject -> decision -> its slot."""
JUDGEMENTS = ("good", "bad", "unsure")
"""Values of `judged`: what a blind look at a trajectory of the kept set says. They measure; no rule obeys them."""
LONGEST = 4000
"""Characters of a value."""


class ReviewError(ValueError):
    """A decision that cannot be recorded; the message says why."""


class Review(BaseModel):
    """A row of table `reviews`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Subject
    key: str = Field(min_length=1, max_length=LONGEST)
    decision: str
    value: str | None = Field(default=None, max_length=LONGEST)
    who: str = Field(min_length=1, max_length=200)
    at: str
    content: str = Field(min_length=1, max_length=200)

    @field_validator("at")
    @classmethod
    def _utc(cls, value: str) -> str:
        """In UTC with microseconds, so that texts sort as times do."""
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError("the time has no zone; write it as 2026-01-31T12:00:00.000000+00:00")
        return time.astimezone(UTC).isoformat(timespec="microseconds")

    @model_validator(mode="after")
    def _known(self) -> Review:
        decisions = DECISIONS[self.subject]
        if self.decision not in decisions:
            raise ValueError(f"there is no decision {self.decision!r} about a {self.subject}; use {sorted(decisions)}")
        if self.decision in ("tag", "untag") and not (self.value or "").strip():
            raise ValueError("a tag needs a name")
        if self.decision == "judged" and self.value not in JUDGEMENTS:
            raise ValueError(f"a judgement is one of {JUDGEMENTS}")
        if self.decision == "answer":
            answers_of(self.value)
        return self

    @property
    def slot(self) -> str:
        slot = DECISIONS[self.subject][self.decision]
        return f"tag:{self.value}" if slot == "tag" else slot


def answers_of(value: str | None) -> tuple[str, str]:
    """Of a corrected key: the answer that the question file gives, and the correct one.

    Raises:
        ValueError: the value is something else.
    """
    try:
        known = json.loads(value or "")
        given, correct = known["from"], known["to"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError('a corrected key is written as {"from": "A", "to": "B"}') from error
    if not (isinstance(given, str) and isinstance(correct, str) and correct.strip()):
        raise ValueError('a corrected key is written as {"from": "A", "to": "B"}')
    return given, correct


def answer_value(given: str, correct: str) -> str:
    return json.dumps({"from": given, "to": correct}, ensure_ascii=False)
