"""A pool of frames and questions about videos that do not exist."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from distill.items import EpisodeJob
from distill.storage.frames import FrameStore
from videozoomer.protocol import FrameRef, Protocol, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.video.types import Frame

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")


def jpeg_frame(seed: int, time_s: float) -> Frame:
    """A frame of the protocol's size; its JPEG has about 10 KB."""
    coarse = np.random.default_rng(seed).integers(0, 255, (15, 20, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((360, 272), Image.Resampling.BICUBIC).save(out, "JPEG", quality=60)
    jpeg = out.getvalue()
    return Frame(frame_id_of(jpeg), time_s, time_s, 360, 272, jpeg)


class World:
    """Questions about videos made from a pool of frames. Zooms return frames of the pool: decoding is not measured."""

    def __init__(self, store: FrameStore, *, videos: int, overview: int = 64, remember: bool = True) -> None:
        """Without `remember`, overviews are rebuilt on demand, so that the world itself takes no memory."""
        self.shown: dict[int, tuple[FrameRef, ...]] = {}
        self.pool = [jpeg_frame(index, float(index)) for index in range(256)]
        self.videos, self.overview, self.store = videos, overview, store
        for video in range(videos):
            frames = self.frames_of(video)
            store.put(frames, f"v{video}")
            if remember:
                self.shown[video] = tuple(FrameRef(frame.frame_id, frame.time_s) for frame in frames)

    def frames_of(self, video: int) -> list[Frame]:
        # Bytes after the end of the picture make a new frame id at no cost.
        frames = []
        for index in range(self.overview):
            plain = self.pool[(video * 7 + index) % len(self.pool)]
            jpeg = plain.jpeg + video.to_bytes(4, "big")
            frames.append(Frame(frame_id_of(jpeg), 2.0 * index, 2.0 * index, 360, 272, jpeg))
        return frames

    def jobs(self, count: int) -> Iterator[EpisodeJob]:
        last = -1
        shown: tuple[FrameRef, ...] = ()
        for index in range(count):
            if (video := index * self.videos // count) != last:
                last = video
                shown = self.shown.get(video) or tuple(
                    FrameRef(frame.frame_id, frame.time_s) for frame in self.frames_of(video)
                )
            item = QuestionItem(
                f"q{index:06d}",
                f"v{video}",
                f"v{video}",
                "bench-0000",
                f"What is number {index}?",
                ("a circle", "a square"),
                "choice",
                2.0 * self.overview,
                shown,
            )
            yield EpisodeJob(item, "exemplar")

    def frames_at(self, uri: str, times_s: Sequence[float]) -> list[Frame]:
        start = int(times_s[0] * 2) % 128
        return self.pool[start : start + len(times_s)]
