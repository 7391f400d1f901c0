"""Zoom calls that are not to the letter, but whose meaning is beyond doubt, rewritten into the protocol's form.

Teachers write numbers as text, times as minutes and seconds, a comma or a code fence too many, or a tool call as they
were trained to. What could mean two things is not read: then the player gets the fault that the letter demands.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from videozoomer.protocol.parsing import STOP, THINK, ZOOM, Answer, Zoom, parse_reply

_MAX_CALL = 2000
_THOUGHT = re.compile(rf"\s*<{THINK}>.*?</{THINK}>", re.S)
_CALL = re.compile(
    rf"(?:```\w*\s*)?(?:<{ZOOM}>(?P<call>[^<]*){STOP}|<tool_call>(?P<tool>[^<]*)</tool_call>|(?P<bare>[^<`]*))\s*(?:```)?"
)
"""One call, in a code fence or not."""
_FENCED = re.compile(r"\s*```\w*\s*(.*?)\s*```\s*", re.S)
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"\\]*")|'(?P<quoted>[^'"\\]*)'|(?P<clock>\d+(?::\d+)+(?:\.\d+)?)|"""
    r"""(?P<number>-?\d+(?:\.\d+)?)|(?P<mark>[][{}:,]))\s*""",
    re.ASCII,
)
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?: ?(?:s|sec|secs|seconds?))?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,2}):([0-5]\d)|(\d{1,3})):([0-5]\d(?:\.\d{1,6})?)", re.ASCII)
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)(?: ?fps)?", re.ASCII)
_TOOLS = frozenset({ZOOM, "zoom", "functions.video_zoom"})
_BOUNDS = (("start", "end"), ("start_s", "end_s"), ("start_time", "end_time"))


def as_meant(reply: str) -> str | None:
    """The turn in the protocol's form, which `parse_reply` reads; the thought stays as it is.

    None if the reply is to the letter, or if it is not beyond doubt that it means one zoom.
    """
    strict = parse_reply(reply)
    if isinstance(strict, Answer) or (isinstance(strict, Zoom) and strict.well_formed):
        return None
    thought = found[0] if (found := _THOUGHT.match(reply)) else ""
    rest = reply[len(thought) :].strip()
    shape = _CALL.fullmatch(rest) if len(rest) <= _MAX_CALL else None
    if shape is None:
        return None
    body = shape["call"] or shape["tool"] or shape["bare"] or ""
    if (values := _values(body, named=shape["tool"] is not None)) is None:
        return None
    start_s, end_s, fps = map(_plain, values)
    call = f'<{ZOOM}>{{"segment": [{start_s}, {end_s}], "fps": {fps}}}{STOP}'
    written = f"{thought}\n{call}" if thought else call
    read = parse_reply(written)
    if not isinstance(read, Zoom) or (isinstance(strict, Zoom) and not read.well_formed):
        return None
    return written


def _values(body: str, *, named: bool) -> tuple[float, float, float] | None:
    """Start, end and rate of a call; `named`: it must name its tool."""
    call = _object(body)
    if call is not None and "name" in call:
        given = call.get("arguments", call.get("parameters"))
        if len(call) != 2 or call["name"] not in _TOOLS:
            return None
        call = _object(given) if isinstance(given, str) else given
    elif named:
        return None
    if not isinstance(call, dict):
        return None
    fps = _rate(call.get("fps"))
    bounds = _bounds({name: value for name, value in call.items() if name != "fps"})
    return None if fps is None or bounds is None else (*bounds, fps)


def _bounds(given: Any) -> tuple[float, float] | None:
    if isinstance(given, dict):
        # Further keys could say how the numbers are meant: none may stand beside these.
        if given.keys() == {"segment"}:
            inner = given["segment"]
            return _bounds(_parsed(inner) if isinstance(inner, str) else inner)
        pair = next((pair for pair in _BOUNDS if given.keys() == set(pair)), None)
        return None if pair is None else _bounds([given[name] for name in pair])
    if not isinstance(given, list) or len(given) != 2:
        return None
    read = [_time(value) for value in given]
    if read[0] is None or read[1] is None:
        return None
    (start_s, start_is_clock), (end_s, end_is_clock) = read[0], read[1]
    # 1:30 beside 95 may be minutes and seconds beside anything.
    if start_is_clock != end_is_clock and (end_s if start_is_clock else start_s) != 0:
        return None
    return start_s, end_s


def _time(value: Any) -> tuple[float, bool] | None:
    """Seconds, and whether they were written as minutes and seconds."""
    if (number := _number(value)) is not None:
        return number, False
    if not isinstance(value, str):
        return None
    if found := _SECONDS.fullmatch(value.strip()):
        return float(found[1]), False
    if found := _CLOCK.fullmatch(value.strip()):
        hours, minutes = int(found[1] or 0), int(found[2] or found[3])
        return round(hours * 3600 + minutes * 60 + float(found[4]), 6), True
    return None


def _rate(value: Any) -> float | None:
    if isinstance(value, str):
        found = _RATE.fullmatch(value.strip())
        return float(found[1]) if found else None
    return _number(value)


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _plain(value: float) -> str:
    return json.dumps(int(value) if value.is_integer() else value)


def _object(text: str) -> dict[str, Any] | None:
    found = _parsed(text)
    return found if isinstance(found, dict) else None


def _parsed(text: str) -> Any:
    """The value in a text that is JSON but for quotes, unquoted times, trailing commas and a code fence; else None."""
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1]
    for written in (text, _repaired(text)):
        if written is None:
            continue
        try:
            return json.loads(written, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            continue
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are in lower case.

    Raises:
        ValueError: a key stands twice.
    """
    found = {name.strip().lower(): value for name, value in pairs}
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _repaired(text: str) -> str | None:
    """JSON from tokens; None where the text holds anything else."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        if not (token := _TOKEN.match(text, position)):
            return None
        position = token.end()
        kind = token.lastgroup
        if token["mark"] in ("]", "}") and tokens and tokens[-1] == ",":
            tokens.pop()
        tokens.append(json.dumps(token[kind]) if kind in ("quoted", "clock") else token[kind or "mark"])
    return " ".join(tokens)
