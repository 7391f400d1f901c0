"""A conversation in neutral form: it refers to frames by id, so it can be hashed, stored and rendered anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

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
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @cached_property
    def frame_ids(self) -> tuple[str, ...]:
        return tuple([part.frame_id for part in self.parts if isinstance(part, Image)])


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
