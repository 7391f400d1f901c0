"""Frames, replies, episodes and rows for the tests of every room: one set of builders."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Picture

from videozoomer.lake import CATALOG
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.video.types import Frame


def jpeg(seed: int | str, size: tuple[int, int] = (56, 42)) -> bytes:
    """A real JPEG of coarse noise: equal seeds give equal bytes, different seeds different pictures."""
    number = seed if isinstance(seed, int) else int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    noise = np.random.default_rng(number).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    out = io.BytesIO()
    Picture.fromarray(noise).resize(size).save(out, "JPEG")
    return out.getvalue()


def frame(time_s: float, seed: int | str, size: tuple[int, int] = (56, 42)) -> Frame:
    """A frame as a reader returns it."""
    data = jpeg(seed, size)
    return Frame(frame_id_of(data), time_s, time_s, *size, data)


def frames_at(uri: str, times_s: Sequence[float]) -> list[Frame]:
    """Stands in for a reader: the same picture for the same file and time, another for any other."""
    return [frame(time_s, f"{uri}:{time_s:.3f}") for time_s in times_s]


def frame_row(video_id: str, time_s: float, seed: int | str, size: tuple[int, int] = (56, 42)) -> dict[str, Any]:
    """A row of table `frames`."""
    data = jpeg(seed, size)
    return row(
        "frames",
        frame_id=frame_id_of(data),
        video_id=video_id,
        time_s=time_s,
        width=size[0],
        height=size[1],
        jpeg=data,
    )


def refs_of(frames: Sequence[dict[str, Any] | Frame]) -> list[FrameRef]:
    """The frames as the protocol knows them."""
    return [
        FrameRef(one["frame_id"], one["time_s"]) if isinstance(one, dict) else FrameRef(one.frame_id, one.time_s)
        for one in frames
    ]


def row(table: str, **values: Any) -> dict[str, Any]:
    """A row of a table with every declared column; those not given are null.

    Raises:
        KeyError: a value names no column of the table.
    """
    declared = [column.name for column in CATALOG[table].columns]
    if unknown := sorted(values.keys() - set(declared)):
        raise KeyError(f"table {table} has no column {unknown[0]!r}")
    return dict.fromkeys(declared) | values


def zoom_reply(start_s: Any, end_s: Any, fps: Any = 1, thought: str = "I look closer.") -> str:
    """A turn that zooms; values are written as JSON writes them, valid or not."""
    call = f'{{"segment": [{json.dumps(start_s)}, {json.dumps(end_s)}], "fps": {json.dumps(fps)}}}'
    return f"<think>{thought}</think>\n<video_zoom>{call}</video_zoom>"


def answer_reply(answer: str, thought: str = "I see it.") -> str:
    """A turn that answers."""
    return f"<think>{thought}</think><answer>{answer}</answer>"


def played(
    task: Task,
    overview: Sequence[FrameRef],
    *steps: str | Sequence[FrameRef],
    author: str = "policy",
    protocol: Protocol | None = None,
) -> Episode:
    """An episode after these steps: a reply is a string, the frames of the zoom before it a list."""
    return continued(Episode(task, overview, protocol or Protocol(), load_prompts(), author=author), *steps)


def continued(episode: Episode, *steps: str | Sequence[FrameRef]) -> Episode:
    """The same episode after further steps."""
    for step in steps:
        if isinstance(step, str):
            episode.step(step)
        else:
            episode.show(step)
    return episode
