"""How others grade multiple choice, for figures to compare with theirs; each is written anew from its description.

They read a letter and never say `unknown`. They know nothing of other answer types, which stay ours.

- `paper`, VideoZoomer's own evaluation: the last capital letter before a full stop, or the whole answer if that is one
  letter.
- `lmms_eval`, on Video-MME, MLVU and LongVideoBench: leads such as 'The answer is' are cut; then the first capital
  letter that is one of the benchmark's (A to D, or as many as the question has options), wherever it stands.

Both read letters inside words: 'Both cars stop.' is B for `lmms_eval`. Where it finds no letter, lmms-eval draws an
option at random on LongVideoBench; here that is wrong, so its figure there is higher by the share of such answers over
the number of options.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from filters.graders.choice import read
from filters.graders.grade import Grade, Verdict, graded
from videozoomer.protocol.options import LETTERS, letter_of
from videozoomer.protocol.question import Question

Rule = Literal["ours", "paper", "lmms_eval"]
RULES: tuple[Rule, ...] = ("paper", "lmms_eval")
"""Those that are not ours."""
_LEADS = re.compile(
    r"The (?:(?:best|correct) answer is|answer is|answer|(?:best|correct) option is)|Best (?:answer|option):"
)
_FEWEST = 4
"""The benchmarks look for A to D at least, whatever a question has."""


def letter_by(rule: Rule, answer: str, options: int) -> str | None:
    """The letter that a rule reads in an answer to a question with so many options; None if it reads none.

    Raises:
        ValueError: the rule is `ours`, which reads more than letters, or unknown.
    """
    if rule == "paper":
        found = re.findall(r"([A-Z])\.", answer)
        lone = re.fullmatch(r"\s*\(?([A-Z])\)?\s*", answer)
        return found[-1] if found else lone[1] if lone else None
    if rule == "lmms_eval":
        first = re.search(f"[{LETTERS[: max(_FEWEST, options)]}]", _LEADS.sub("", answer.strip()))
        return first[0] if first else None
    raise ValueError(f"{rule!r} is not a rule that reads a letter; use 'paper' or 'lmms_eval'")


def compare_by(rule: Rule, question: Question, answer: str) -> Grade:
    """The grade of a multiple choice by another rule."""
    truth = read(question.answer, question.options)
    if truth.kind != "option":
        return graded("unknown", rule, f"the question's own answer {question.answer!r} names none of its options")
    expected, given = letter_of(truth.index), letter_by(rule, answer, len(question.options))
    verdict: Verdict = "correct" if given == expected else "wrong"
    return graded(verdict, rule, f"reads {given or 'no letter'}, expected {expected}")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An answer that two rules grade differently."""

    trajectory_id: str
    question_id: str
    right: str
    answer: str
    ours: Verdict
    theirs: Verdict


def counts(found: Iterable[Disagreement]) -> list[dict[str, str | int]]:
    """How many of each pair of verdicts: rows of `ours`, `theirs`, `answers`."""
    counted = Counter((one.ours, one.theirs) for one in found)
    return [{"ours": ours, "theirs": theirs, "answers": number} for (ours, theirs), number in sorted(counted.items())]


def as_markdown(found: list[Disagreement], rule: Rule, limit: int = 50) -> str:
    """The counts and the first answers, for a page or an asset's metadata."""
    lines = [f"| ours | {rule} | answers |", "| --- | --- | --- |"]
    lines += [f"| {row['ours']} | {row['theirs']} | {row['answers']} |" for row in counts(found)]
    lines += ["", f"| trajectory | right | answer | ours | {rule} |", "| --- | --- | --- | --- | --- |"]
    for one in found[:limit]:
        said = re.sub(r"\s+", " ", one.answer).replace("|", "\\|")[:120]
        lines.append(f"| {one.trajectory_id} | {one.right} | {said} | {one.ours} | {one.theirs} |")
    return "\n".join(lines)
