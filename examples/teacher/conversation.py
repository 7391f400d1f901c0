"""Reads a chat request: frames with their times, the question, earlier attempts, zooms left.

Only the text and pictures of the request count; nothing about the video comes from elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from examples.teacher.sight import Sight
from videozoomer.protocol.parsing import Answer, Zoom, parse_reply

_TAG = re.compile(r"<frame(\d+)_time(-?\d+(?:\.\d+)?)s>\s*$")
_QUESTION = re.compile(r"Question:\s*(.+?)\s*$", re.M)
_DURATION = re.compile(r"lasts (\d+(?:\.\d+)?) s")
_OPTION = re.compile(r"^([A-Z])[.)]\s+(.+?)\s*$", re.M)
_JUDGE = re.compile(
    r"Question:\s*(?P<question>.+?)\nReference:\s*(?P<expected>.*?)\nCandidate:\s*(?P<given>.*?)(?:\n\n|\Z)", re.S
)


class BadContent(ValueError):
    """A message contains something this server cannot read."""


@dataclass(frozen=True, slots=True)
class Look:
    time_s: float
    sight: Sight
    key: bytes
    """Hash of the picture: equal pictures are misread equally."""


@dataclass(slots=True)
class Attempt:
    """An earlier zoom of the conversation and its result."""

    zoom: Zoom | None
    looks: list[Look] = field(default_factory=list)
    error: str | None = None


@dataclass(slots=True)
class Conversation:
    system: str = ""
    text: str = ""
    """Text of the first user message."""
    last_text: str = ""
    overview: list[Look] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    question: str | None = None
    options: tuple[str, ...] = ()
    how: str = ""
    """The line that states the answer format."""
    duration_s: float | None = None
    judge: dict[str, str] | None = None
    pictures: int = 0
    picture_pixels: int = 0
    digest: bytes = b""
    """Hash of all text and pictures."""
    opening: bytes = b""
    """Hash of question and overview: constant during an episode."""

    @property
    def looks(self) -> list[Look]:
        """All frames seen so far, by time."""
        every = [*self.overview, *(look for attempt in self.attempts for look in attempt.looks)]
        return sorted(every, key=lambda look: look.time_s)

    @property
    def zooms(self) -> list[Attempt]:
        """Attempts that returned frames."""
        return [
            attempt
            for attempt in self.attempts
            if attempt.looks
            and attempt.zoom is not None
            and attempt.zoom.fps > 0
            and attempt.zoom.end_s > attempt.zoom.start_s
        ]

    @property
    def may_zoom(self) -> int:
        """Remaining zooms."""
        if "<video_zoom>" not in self.system and "video_zoom" not in self.system + self.text:
            return 0
        if "No further zoom" in self.last_text:
            return 0
        left = re.search(r"zooms left:\s*(\d+)", self.last_text)
        if left:
            return int(left[1])
        allowed = re.search(r"at most (\d+) times", self.system)
        return max(0, (int(allowed[1]) if allowed else 4) - len(self.attempts))

    @property
    def budget(self) -> int:
        """Frame budget of one zoom."""
        found = re.search(r"returns at most (\d+) frames", self.system)
        return int(found[1]) if found else 16

    @property
    def asked_to_reflect(self) -> bool:
        return bool(self.attempts) and "did not lead to a right answer" in self.last_text

    @property
    def end_s(self) -> float:
        return (
            self.duration_s if self.duration_s is not None else max((look.time_s for look in self.looks), default=0.0)
        )


def read_conversation(messages: Sequence[dict], look: Callable[[str], tuple[bytes, Sight]]) -> Conversation:
    """Read the messages of a request; `look` maps a base64 picture to its key and recognition result.

    Raises:
        BadContent: a part is of an unsupported kind (a remote URL, audio).
        examples.teacher.sight.NotAnImage: a picture cannot be decoded.
    """
    chat = Conversation()
    whole, opening = hashlib.sha1(), hashlib.sha1()
    first_user = True
    for message in messages:
        role = message["role"]
        text, looks, keys = _read_parts(message.get("content"), look)
        for piece in (role.encode(), text.encode("utf-8", "replace"), *keys):
            whole.update(piece + b"\0")
        chat.pictures += len(keys)
        chat.picture_pixels += sum(one.sight.pixels for one in looks)
        if role in ("system", "developer"):
            chat.system += text
        elif role == "assistant":
            parsed = parse_reply(text)
            chat.attempts.append(
                Attempt(
                    parsed if isinstance(parsed, Zoom) else None,
                    error="answered" if isinstance(parsed, Answer) else None,
                )
            )
        elif first_user:
            first_user = False
            chat.text, chat.overview = text, looks
            _read_question(chat, text)
            for piece in ((chat.question or text).encode("utf-8", "replace"), *keys):
                opening.update(piece)
        elif chat.attempts:
            chat.attempts[-1].looks += looks
            found = re.search(r"Error:\s*(.+?)(?:</tool_response>|\n|$)", text)
            if found and not looks:
                chat.attempts[-1].error = found[1]
        if role not in ("assistant", "system", "developer"):
            chat.last_text = text
    chat.digest, chat.opening = whole.digest(), opening.digest()
    return chat


def _read_parts(content: object, look: Callable[[str], tuple[bytes, Sight]]) -> tuple[str, list[Look], list[bytes]]:
    if content is None:
        return "", [], []
    if isinstance(content, str):
        return content, [], []
    if not isinstance(content, list):
        raise BadContent("the content of a message must be a string or a list of parts")
    texts: list[str] = []
    looks: list[Look] = []
    keys: list[bytes] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url":
            value = part.get("image_url")
            url = value.get("url") if isinstance(value, dict) else value
            if not isinstance(url, str) or not url.startswith("data:image/") or ";base64," not in url:
                raise BadContent("images must come as data:image/...;base64, URLs; this server opens no other address")
            key, sight = look(url.split(";base64,", 1)[1])
            tag = _TAG.search(texts[-1]) if texts else None
            looks.append(Look(float(tag[2]) if tag else float(len(looks)), sight, key))
            keys.append(key)
        else:
            raise BadContent(f"message parts must be text or image_url, not {kind!r}")
    return "".join(texts), looks, keys


def _read_question(chat: Conversation, text: str) -> None:
    judged = _JUDGE.search(text)
    if judged:
        chat.judge = {name: value.strip() for name, value in judged.groupdict().items()}
        return
    asked = _QUESTION.search(text)
    chat.question = asked[1] if asked else None
    rest = text[asked.end() :] if asked else ""
    chat.options = tuple(match[2] for match in _OPTION.finditer(rest))
    how = [line for line in rest.splitlines() if line.startswith("Answer with") or line.startswith("Answer in")]
    chat.how = how[-1] if how else ""
    lasts = _DURATION.search(text)
    chat.duration_s = float(lasts[1]) if lasts else None
