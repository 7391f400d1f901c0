"""Questions about videos that do not exist, for tests of distillation; their frames are real JPEGs."""

from __future__ import annotations

from builders import frames_at

from distill.storage.frames import FrameStore
from videozoomer.protocol import FrameRef
from videozoomer.protocol.question import QuestionItem


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
