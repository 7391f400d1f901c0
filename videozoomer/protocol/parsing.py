"""Parses a reply into exactly one of a zoom, an answer, or a fault with a sentence for the player."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

THINK, ZOOM, ANSWER = "think", "video_zoom", "answer"
STOP = f"</{ZOOM}>"
"""Generation stops at this tag; for servers that cannot stop there, `cut_reply` cuts the reply."""

_TAG = re.compile(rf"<(/?)({THINK}|{ZOOM}|{ANSWER})>")
_BOX = "\\boxed{"


@dataclass(frozen=True, slots=True)
class Zoom:
    start_s: float
    end_s: float
    fps: float
    thought: str
    well_formed: bool
    """Whether the reply is exactly one thought followed by one call."""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    thought: str
    well_formed: bool


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    """`bad_json`, `bad_fields`, `both`, `several`, `unclosed`, `empty_answer`, `nothing`; from the episode also
    `reversed`, `empty_segment`, `bad_rate`, `over_budget`, `outside`, `unreadable`,
    `no_zoom_left`."""
    text: str
    """A sentence that the player reads."""
    thought: str = ""


def cut_reply(reply: str) -> str:
    """The reply up to and including its first closing zoom tag, as if generation had stopped there."""
    head, tag, _ = reply.partition(STOP)
    return head + tag


def parse_reply(reply: str) -> Zoom | Answer | Fault:
    """Parse a reply. Text inside `<think>`, closed or not, is never a call or an answer. The episode checks numbers."""
    read = _read(cut_reply(reply))
    thought = read.thoughts[0].strip() if read.thoughts else ""
    if read.calls and read.answers:
        return Fault("both", "A turn holds either one zoom call or one answer, not both.", thought)
    if len(read.answers) > 1:
        return Fault("several", "Give exactly one answer.", thought)
    if read.unclosed is not None:
        return Fault("unclosed", _UNCLOSED[read.unclosed], thought)
    if read.calls:
        return _read_call(read.calls[0], thought, read.well_formed)
    if read.answers:
        answer = _unboxed(read.answers[0])
        if not answer:
            return Fault("empty_answer", "The answer between <answer> and </answer> is empty.", thought)
        return Answer(answer, thought, read.well_formed)
    return Fault("nothing", "The turn holds neither a zoom call nor an answer.", thought)


_UNCLOSED = {
    THINK: "The reasoning is not closed with </think>, so what follows it does not count.",
    ZOOM: f"The zoom call is not closed with </{ZOOM}>, or holds another tag.",
    ANSWER: "The answer is not closed with </answer>, or holds another tag.",
}


@dataclass(frozen=True, slots=True)
class _Read:
    thoughts: list[str]
    calls: list[str]
    answers: list[str]
    unclosed: str | None
    """Name of the first tag that was opened and not closed correctly."""
    well_formed: bool


def _read(text: str) -> _Read:
    """Split a reply at its tags in one pass, because a reply can be long, malformed and full of tags."""
    bodies: dict[str, list[str]] = {THINK: [], ZOOM: [], ANSWER: []}
    order: list[str] = []
    strict, unclosed = True, None
    inside, began, ended = None, 0, 0
    for tag in _TAG.finditer(text):
        closing, name = tag[1] == "/", tag[2]
        if inside is None:
            strict = strict and not closing and not text[ended : tag.start()].strip()
            ended = tag.end()
            if not closing:
                inside, began = name, tag.end()
        elif closing and name == inside:
            bodies[name].append(text[began : tag.start()])
            order.append(name)
            inside, ended = None, tag.end()
        else:
            # Reasoning may mention tags. A call or an answer that contains one was not closed where it should be.
            strict = False
            unclosed = unclosed if inside == THINK else unclosed or inside
    strict = strict and not text[ended:].strip() and order in ([THINK, ZOOM], [THINK, ANSWER])
    return _Read(bodies[THINK], bodies[ZOOM], bodies[ANSWER], unclosed or inside, strict)


def _read_call(body: str, thought: str, well_formed: bool) -> Zoom | Fault:
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return Fault("bad_json", "The zoom call is not valid JSON.", thought)
    if not isinstance(call, dict):
        return Fault("bad_fields", 'The zoom call must be a JSON object with "segment" and "fps".', thought)
    segment = call.get("segment")
    bounds = [_finite(bound) for bound in segment] if isinstance(segment, list) else []
    if len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return Fault("bad_fields", '"segment" must be two numbers: start and end in seconds.', thought)
    fps = _finite(call.get("fps"))
    if fps is None:
        return Fault("bad_fields", '"fps" must be a number of frames per second.', thought)
    return Zoom(bounds[0], bounds[1], fps, thought, well_formed)


def _finite(value: object) -> float | None:
    """A JSON number as a float; None for anything else, for NaN, and for what overflows."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _unboxed(answer: str) -> str:
    """The content of the first closed \\boxed{...}, or the answer unchanged."""
    start = answer.find(_BOX)
    depth = 1 if start >= 0 else 0
    for index in range(start + len(_BOX), len(answer) if depth else 0):
        depth += {"{": 1, "}": -1}.get(answer[index], 0)
        if not depth:
            return answer[start + len(_BOX) : index].strip()
    return answer.strip()
