"""What a thought concludes, and whether that is another answer: a function that a rule calls from SQL.

Only a clear other conclusion counts. A thought that concludes nothing, several things or something unclear passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from videozoomer.protocol.options import index_of, letter_of

if TYPE_CHECKING:
    import duckdb

CONCLUSION = re.compile(
    r"\b(?:answer(?:\s+(?:is|must be|should be|would be|has to be)|\s*[:=])|answers the question:|hence,?"
    r"|makes (?:it|that)|(?:correct|right) (?:option|choice|letter) is"
    r"|I (?:choose|pick|select|conclude(?: that it is)?|go with|answer))"
    r"\s+(?:therefore\s+|thus\s+|clearly\s+)?(?P<what>[^\n!?;]{1,100}?)(?=[.](?:\s|$)|[!?;\n]|$)",
    re.I,
)
END = 300
"""Characters at the end of a thought in which its conclusion stands."""
UNDONE = re.compile(r"\b(?:wait|actually|but|however|not|rather|instead|correction|unless|if)\b|\bno,", re.I)
"""Words that take a conclusion back, within it or after it."""
LETTER = re.compile(
    r"^\W*(?:(?:option|choice|letter)\s+)?\W*([A-Z])(?:\W*$|[).:,\]*]|\s+(?:\(|because|since|as|for)\b)"
)
NUMBER = re.compile(r"(?<![\w.:])-?\d+(?:[.,]\d+)*(?![\w:])")
NUMBER_WORDS = {
    word: value
    for value, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
}
OTHER_TIME_S = 5.0
"""Seconds from which a concluded time is another one; graders allow less."""
SHORT_WORDS = 6
"""Words of a conclusion that can be compared with an answer in words; a longer one is an explanation."""
STOP_WORDS = frozenset("a an the is are was were it its of in on at to and that this there his her their with".split())


def concludes_otherwise(thought: str, answer: str, answer_type: str, options: Sequence[str]) -> bool:
    """Whether the last conclusion of a thought is clearly another answer than the right one."""
    thought = thought[-END:]
    conclusions = list(CONCLUSION.finditer(thought))
    if not conclusions or UNDONE.search(thought, conclusions[-1].start()):
        return False
    said = conclusions[-1]["what"].strip()
    if options:
        return _other_option(said, answer, options)
    if answer_type == "yes_no":
        first, right = re.match(r"\W*(yes|no)\b", said, re.I), answer.strip().lower()
        return first is not None and right in ("yes", "no") and first[1].lower() != right
    if answer_type in ("number", "time"):
        return _other_number(said, answer, OTHER_TIME_S if answer_type == "time" else 0.0)
    return answer_type == "text" and _other_words(said, answer, thought)


def _other_option(said: str, answer: str, options: Sequence[str]) -> bool:
    right = index_of(answer, len(options))
    if right is None:
        return False
    plain, texts = _plain(said), [_plain(option) for option in options]
    named = {index for index, text in enumerate(texts) if text and _contains(plain, text)}
    if len(named) > 1:
        # 'a red disc' names the disc that is red, not also the option 'disc'.
        named -= {
            one
            for one in named
            for other in named
            if texts[one] != texts[other] and _contains(texts[other], texts[one])
        }
    if letter := LETTER.match(said):
        named |= {index for index in range(len(options)) if letter_of(index) == letter[1]}
    return bool(named) and right not in named


def _other_number(said: str, answer: str, tolerance: float) -> bool:
    ours, theirs = _numbers(said), _numbers(answer)
    return len(ours) == 1 and len(theirs) == 1 and abs(ours[0] - theirs[0]) > max(tolerance, 1e-6)


def _numbers(text: str) -> list[float]:
    clock = re.findall(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?![\d:])", text)
    found = [60.0 * int(minutes) + int(seconds) for minutes, seconds in clock]
    found += [float(number) for number in re.findall(NUMBER, text) if re.fullmatch(r"-?\d+(?:\.\d+)?", number)]
    return found + [float(NUMBER_WORDS[word]) for word in _plain(text).split() if word in NUMBER_WORDS]


def _other_words(said: str, answer: str, thought: str) -> bool:
    ours, theirs = ([word for word in _plain(text).split() if word not in STOP_WORDS] for text in (said, answer))
    if not theirs or not 0 < len(ours) <= SHORT_WORDS or not answer.isascii() or not said.isascii():
        return False
    mentioned = _plain(thought).split()
    return not any(_alike(word, other) for word in theirs for other in mentioned)


def _alike(word: str, other: str) -> bool:
    """Forms of one word share their beginning: play, plays, player."""
    size = max(3, min(len(word), len(other)) - 2)
    return word == other or word[:size] == other[:size]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _contains(text: str, part: str) -> bool:
    return f" {part} " in f" {text} "


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the function callable from SQL under its own name."""
    connection.create_function(
        "concludes_otherwise", concludes_otherwise, ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR[]"], "BOOLEAN"
    )
