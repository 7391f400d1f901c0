"""Where an answer says what it concludes: after its last marker ('the answer is', '答案是'), without leads, and what
follows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from filters.graders.phrases import ABSTAINS, HEDGED, LEAD, MARKER, NEGATED

_BOUNDARY = re.compile(r"(?<=[^\W\d_]{2}[.!?;])\s+|(?<=[\d)\"'%\]][.!?;])\s+(?=\D)|(?<=[。！？；!?;])\s*|\n+")
_PUNCTUATION = " \t\n:,-.;*#>=|"
_OPENING = re.compile(r"(?:#+(?=\s)|[\s:,;*•·‣◦▪●]+|[.\-](?=\s))+")
"""Punctuation that opens no number: the point of `.5`, the minus of `-5` and the sign of `>3` are left alone."""
_MAX_LEADS = 8


@dataclass(frozen=True, slots=True)
class Conclusion:
    said: str
    """The concluding sentence, without leads."""
    rest: str
    """What follows it; an explanation, or a correction."""
    before: str
    """What precedes its marker; empty without one."""
    marked: bool
    """Whether a marker leads to it."""
    doubt: str | None
    """Why the conclusion is not the player's own: its marker is denied or supposed."""

    @property
    def whole(self) -> str:
        return f"{self.said}\n{self.rest}".strip()


def conclude(text: str) -> Conclusion:
    """The conclusion of an undressed answer."""
    start, before, doubt = 0, "", None
    for found in MARKER.finditer(text):
        if not text[found.end() :].strip(_PUNCTUATION + "\"'"):
            continue
        start, before = found.end(), text[: found.start()]
        clause = _BOUNDARY.split(before)[-1] if before else ""
        doubt = "denies or only supposes its conclusion" if _doubted(clause) else None
    body = without_leads(text[start:])
    said, *rest = _BOUNDARY.split(body, maxsplit=1)
    return Conclusion(said.strip(), rest[0].strip() if rest else "", before.strip(), start > 0, doubt)


def _doubted(clause: str) -> bool:
    return bool(clause) and (NEGATED.search(clause) is not None or HEDGED.search(clause) is not None)


def without_leads(text: str) -> str:
    """Without 'So,', 'I think it is', 'Based on the frames,' and the like at the start."""
    text = _OPENING.sub("", text.strip(), count=1) if _OPENING.match(text.strip()) else text.strip()
    for _ in range(_MAX_LEADS):
        found = LEAD.match(text)
        if found is None or not found.end() or not text[found.end() :].strip(_PUNCTUATION):
            break
        text = text[found.end() :].lstrip(" \t\n:,")
    return text


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _BOUNDARY.split(text) if part and part.strip()]


def gives_none(text: str) -> bool:
    """Whether the whole answer says that the player has none ('I cannot tell', '不知道')."""
    return len(text) < 200 and ABSTAINS.search(text) is not None
