"""What a reply says: exactly one of a zoom, an answer, or a fault with a sentence for the player."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

THINK, ZOOM, ANSWER = "think", "video_zoom", "answer"
STOP = f"</{ZOOM}>"
"""Generation stops at this tag; where a server cannot stop there, `cut_reply` cuts afterwards."""

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.S)
_ZOOM = re.compile(rf"<{ZOOM}>(.*?)</{ZOOM}>", re.S)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.S)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_STRICT = re.compile(
    rf"\s*<think>(?:(?!<think>|</think>|<answer>|<{ZOOM}>).)*</think>\s*(?:<{ZOOM}>.*?</{ZOOM}>|<answer>.*?</answer>)\s*", re.S
)


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
    """Read a reply. Text inside `<think>` is never a call or an answer; numbers are checked by the episode."""
    text = cut_reply(reply)
    thoughts = _THOUGHT.findall(text)
    thought = thoughts[0].strip() if thoughts else ""
    rest = _THOUGHT.sub("", text)
    calls, answers = _ZOOM.findall(rest), _ANSWER.findall(rest)
    well_formed = _STRICT.fullmatch(text) is not None
    if calls and answers:
        return Fault("both", "A turn holds either one zoom call or one answer, not both.", thought)
    if len(answers) > 1:
        return Fault("several", "Give exactly one answer.", thought)
    if calls:
        return _read_call(calls[0], thought, well_formed)
    if answers:
        answer = _unboxed(answers[0])
        if not answer:
            return Fault("empty_answer", "The answer between <answer> and </answer> is empty.", thought)
        return Answer(answer, thought, well_formed)
    if f"<{ZOOM}>" in rest:
        return Fault("unclosed", f"The zoom call is not closed with </{ZOOM}>.", thought)
    if "<answer>" in rest:
        return Fault("unclosed", "The answer is not closed with </answer>.", thought)
    return Fault("nothing", "The turn holds neither a zoom call nor an answer.", thought)


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
    found = _BOXED.search(answer)
    return (found.group(1) if found else answer).strip()
