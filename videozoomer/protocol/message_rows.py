"""Conversations as column `messages` of table `trajectories`, and back.

Why rows share dictionaries: every trajectory of a video has the same overview, 129 parts for 64 frames, and a step
keeps all its rows until it writes them. Do not change what `to_rows` returns. `to_rows_plainly` is the reference that
shares nothing; a test compares them.

Figure: 2 KB a row against 26 (12 x) by `python -m benchmarks.fast_path rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from videozoomer.protocol.messages import Image, Message, Part, Text

if TYPE_CHECKING:
    from videozoomer.lake.rows import MessageRow, PartRow


def to_rows(messages: Sequence[Message]) -> list[MessageRow]:
    """Messages with the same parts before their last one, such as an overview, share dictionaries."""
    return [{"role": message.role, "train": message.train, "parts": _shared_parts(message)} for message in messages]


def to_rows_plainly(messages: Sequence[Message]) -> list[MessageRow]:
    return [
        {"role": message.role, "train": message.train, "parts": [_part_row(part) for part in message.parts]}
        for message in messages
    ]


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


def _part_row(part: Part) -> PartRow:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text, "frame_id": None, "time_s": None}
    return {"type": "image", "text": None, "frame_id": part.frame_id, "time_s": part.time_s}


def _shared_parts(message: Message) -> list[PartRow]:
    return [*_remembered_parts(message.parts[:-1]), *(_part_row(part) for part in message.parts[-1:])]


@lru_cache(maxsize=128)
def _remembered_parts(parts: tuple[Part, ...]) -> tuple[PartRow, ...]:
    return tuple(_part_row(part) for part in parts)
