"""A conversation in neutral form: frames stand in it by id, so it can be hashed, stored and rendered anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from zoom.protocol import frame_tag

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class FrameRef:
    """A frame as the protocol knows it: which one, and when."""

    frame_id: str
    """Hash of the JPEG's bytes."""
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
    """For an assistant message: whether the loss is taken on it. False for a failed turn that a reflection repairs."""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @cached_property
    def frame_ids(self) -> tuple[str, ...]:
        return tuple([part.frame_id for part in self.parts if type(part) is Image])

    @cached_property
    def outline(self) -> tuple[tuple[str, ...], bytes]:
        """The parts as what hashes and compares fast: their texts and frame ids, and which of them are texts."""
        return tuple([part.text if type(part) is Text else part.frame_id for part in self.parts]), bytes([type(part) is Text for part in self.parts])


def tagged(frames: Sequence[FrameRef]) -> tuple[Part, ...]:
    """Each frame preceded by its tag."""
    return _tagged(tuple(frames))


@lru_cache(maxsize=128)
def _tagged(frames: tuple[FrameRef, ...]) -> tuple[Part, ...]:
    # All questions of a video have the same overview.
    return tuple(part for index, frame in enumerate(frames) for part in (Text(frame_tag(index, frame.time_s)), Image(frame.frame_id, frame.time_s)))


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same parts with neighbouring texts joined, so that one conversation has one form."""
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and out and isinstance(out[-1], Text):
            out[-1] = Text(out[-1].text + part.text)
        elif not (isinstance(part, Text) and not part.text):
            out.append(part)
    return tuple(out)


def to_rows(messages: Sequence[Message]) -> list[dict]:
    """Messages as the `messages` column of the trajectories table holds them."""
    return [
        {
            "role": message.role,
            "train": message.train,
            "parts": [
                {"type": "text", "text": part.text, "frame_id": None, "time_s": None}
                if isinstance(part, Text)
                else {"type": "image", "text": None, "frame_id": part.frame_id, "time_s": part.time_s}
                for part in message.parts
            ],
        }
        for message in messages
    ]


def from_rows(rows: Sequence[dict]) -> tuple[Message, ...]:
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
