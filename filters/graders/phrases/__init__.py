"""How people lead to an answer, confirm it, doubt it and take it back, in the languages that models answer in.

One file a kind, one phrase (a regular expression) a line. A phrase that is missing makes an answer `unknown`, never
correct: what no list knows is not read.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def lines(name: str) -> tuple[str, ...]:
    """The phrases of a file, without its comments."""
    found = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in found if line and not line.startswith("# "))


def pattern(name: str, frame: str = "{}") -> re.Pattern[str]:
    """A pattern that finds any phrase of a file, ignoring case; `frame` is what stands around it, with `{}` for it."""
    return re.compile(frame.replace("{}", f"(?:{'|'.join(lines(name))})"), re.I)


def pairs(name: str) -> dict[str, str]:
    """A file of `this = that` lines."""
    return dict(line.split(" = ", 1) for line in lines(name))


MARKER = pattern("marker")
LEAD = pattern("lead")
AFFIRMED = pattern("affirmed")
BECAUSE = pattern("because")
CORRECTED = pattern("corrected")
TAKEN_BACK = pattern("taken_back")
HEDGED = pattern("hedged")
NEGATED = pattern("negated")
EVALUATED = pattern("evaluated")
ABSTAINS = pattern("abstains")
