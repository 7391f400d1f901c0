"""A conversation in neutral form: it refers to frames by id, so it can be hashed, stored and rendered anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any, Literal

from videozoomer.protocol.protocol import frame_tag

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class FrameRef:
    """A frame as the protocol sees it: its id and its time."""

    frame_id: str
    """From `videozoomer.protocol.frame_id`."""
    time_s: float
    """Presentation time in the video, in seconds."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    frame_id: str
    time_s: float


Part = Text | Image


@dataclass(frozen=True)
class Message:
    role: Role
    parts: tuple[Part, ...]
    train: bool = True
    """For an assistant message: whether training takes loss on it. False for a failed turn in a reflection."""

    @property
    def text(self) -> str:
        return "".join(compress(*self.outline))

    @cached_property
    def frame_ids(self) -> tuple[str, ...]:
        return tuple([part.frame_id for part in self.parts if isinstance(part, Image)])

    @cached_property
    def outline(self) -> tuple[tuple[str, ...], bytes]:
        """The parts in a form that hashes and compares fast: their texts and frame ids, and which of them are texts."""
        return tuple([part.text if isinstance(part, Text) else part.frame_id for part in self.parts]), bytes(
            [isinstance(part, Text) for part in self.parts]
        )


def tagged(frames: Sequence[FrameRef]) -> tuple[Part, ...]:
    """Each frame preceded by its tag."""
    return _tagged(tuple(frames))


@lru_cache(maxsize=128)
def _tagged(frames: tuple[FrameRef, ...]) -> tuple[Part, ...]:
    # All questions of a video have the same overview.
    return tuple(
        part
        for index, frame in enumerate(frames)
        for part in (Text(frame_tag(index, frame.time_s)), Image(frame.frame_id, frame.time_s))
    )


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same parts with neighbouring texts joined, so that equal conversations have equal parts."""
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and out and isinstance(out[-1], Text):
            out[-1] = Text(out[-1].text + part.text)
        elif not (isinstance(part, Text) and not part.text):
            out.append(part)
    return tuple(out)


def to_rows(messages: Sequence[Message]) -> list[dict]:
    """Messages as column `messages` of table `trajectories`.

    Do not change the rows: messages with the same parts before their last one, such as an overview, share dictionaries.
    """
    return [{"role": message.role, "train": message.train, "parts": _part_rows(message)} for message in messages]


def _part_rows(message: Message) -> list[dict]:
    texts, kinds = message.outline
    times_s = [part.time_s if isinstance(part, Image) else None for part in message.parts]
    head = _remembered_rows(texts[:-1], kinds[:-1], tuple(times_s[:-1]))
    return [*head, *_rows(texts[-1:], kinds[-1:], times_s[-1:])]


def _rows(texts: Sequence[str], kinds: bytes, times_s: Sequence[float | None]) -> tuple[dict, ...]:
    return tuple(
        [
            {"type": "text", "text": text, "frame_id": None, "time_s": None}
            if is_text
            else {"type": "image", "text": None, "frame_id": text, "time_s": time_s}
            for text, is_text, time_s in zip(texts, kinds, times_s, strict=True)
        ]
    )


_remembered_rows = lru_cache(maxsize=128)(_rows)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The inverse of `to_rows`."""
    return tuple(
        Message(
            row["role"],
            tuple(
                Text(part["text"]) if part["type"] == "text" else Image(part["frame_id"], part["time_s"])
                for part in row["parts"]
            ),
            train=row["train"],
        )
        for row in rows
    )
