"""What a reply says: exactly one of a zoom, an answer, or a fault with a sentence for the player."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

THINK, ZOOM, ANSWER = "think", "video_zoom", "answer"
STOP = f"</{ZOOM}>"
"""Generation stops at this tag; where a server cannot stop there, `cut_reply` cuts afterwards."""

_TAG = re.compile(rf"<(/?)({THINK}|{ZOOM}|{ANSWER})>")
_BOX = "\\boxed{"


@dataclass(frozen=True, slots=True)
class Zoom:
    start_s: float
    end_s: float
    fps: float
    thought: str
    well_formed: bool
    """Whether the reply is, to the letter, one thought and then one call."""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    thought: str
    well_formed: bool


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    """`bad_json`, `bad_fields`, `both`, `several`, `unclosed`, `empty_answer`, `nothing`; from the episode also
    `reversed`, `empty_segment`, `bad_rate`, `over_budget`, `outside`, `no_zoom_left`."""
    text: str
    """A sentence that the player is shown."""
    thought: str = ""


def cut_reply(reply: str) -> str:
    """The reply up to and with its first closing zoom tag, as if generation had stopped there."""
    head, tag, _ = reply.partition(STOP)
    return head + tag


def parse_reply(reply: str) -> Zoom | Answer | Fault:
    """Read a reply. Text inside `<think>`, closed or not, is never a call or an answer; the episode checks numbers."""
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
    """Name of the first tag that was opened and not rightly closed."""
    well_formed: bool


def _read(text: str) -> _Read:
    """Split a reply at its tags, in one pass over them: a reply may be long, broken and full of tags."""
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
            # Reasoning may speak of tags; a call or an answer that holds one was not closed where it should have been.
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
    segment, fps = call.get("segment"), call.get("fps")
    if not (isinstance(segment, list) and len(segment) == 2 and all(map(_is_number, segment))):
        return Fault("bad_fields", '"segment" must be two numbers: start and end in seconds.', thought)
    if not _is_number(fps):
        return Fault("bad_fields", '"fps" must be a number of frames per second.', thought)
    return Zoom(float(segment[0]), float(segment[1]), float(fps), thought, well_formed)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _unboxed(answer: str) -> str:
    """What stands in the first closed \\boxed{...}, or the answer as it is."""
    start = answer.find(_BOX)
    depth = 1 if start >= 0 else 0
    for place in range(start + len(_BOX), len(answer) if depth else 0):
        depth += {"{": 1, "}": -1}.get(answer[place], 0)
        if not depth:
            return answer[start + len(_BOX) : place].strip()
    return answer.strip()
