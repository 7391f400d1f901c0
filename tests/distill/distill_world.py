"""Synthetic frames and questions for tests and benchmarks of distillation; JPEGs are real, videos are not."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from distill.storage.frames import FrameStore
from videozoomer.protocol import FrameRef
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.video.types import Frame


def make_frame(uri: str, time_s: float, size: tuple[int, int] = (56, 42)) -> Frame:
    """The same picture for the same place and time, another for any other."""
    drawn = hashlib.sha256(f"{uri}:{time_s:.3f}".encode()).digest()
    picture = Image.new("RGB", size, tuple(drawn[:3]))
    ImageDraw.Draw(picture).ellipse((drawn[3] % 20, drawn[4] % 20, 30, 30), fill=tuple(drawn[5:8]))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    jpeg = out.getvalue()
    return Frame(frame_id_of(jpeg), time_s, time_s, *size, jpeg)


def frames_at(uri: str, times_s: Sequence[float]) -> list[Frame]:
    return [make_frame(uri, time_s) for time_s in times_s]


def make_items(
    store: FrameStore, count: int, *, videos: int = 2, overview: int = 4, duration_s: float = 60.0
) -> list[QuestionItem]:
    shown = {}
    for video in range(videos):
        times = [duration_s * index / overview for index in range(overview)]
        frames = frames_at(f"video{video}", times)
        store.put(frames, f"v{video}")
        shown[video] = tuple(FrameRef(frame.frame_id, frame.time_s) for frame in frames)
    return [
        QuestionItem(
            question_id=f"q{index:05d}",
            video_id=f"v{index % videos}",
            video_uri=f"video{index % videos}",
            batch="demo-0000",
            question=f"What is number {index}?",
            options=("a circle", "a square"),
            answer_type="choice",
            duration_s=duration_s,
            overview=shown[index % videos],
        )
        for index in range(count)
    ]
