"""From tables to what players see: questions with their videos and overviews, without the truth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from assets.videos import PARTITION as OVERVIEW_FRAMES
from videozoomer.lake import Lake
from videozoomer.lake.reading import iterate_as
from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.messages import FrameRef
from videozoomer.protocol.question import Question, QuestionItem

if TYPE_CHECKING:
    from distill.storage.frames import FrameStore


def playable(lake: Lake, batch: str, split: str | None = None) -> list[QuestionItem]:
    """Questions of a batch that can be played (neither they nor their video is quarantined), in order of id."""
    questions = lake.read("questions", [batch]).filter(pl.col("status") == "ok")
    if split is not None:
        questions = questions.filter(pl.col("split") == split)
    videos = lake.read("videos", [batch], ["uri", "video_id", "status", "duration_s"]).filter(pl.col("status") == "ok")
    overviews: dict[str, list[FrameRef]] = {}
    for row in lake.read("overviews", [batch]).sort("video_id", "index").iter_rows(named=True):
        overviews.setdefault(row["video_id"], []).append(FrameRef(row["frame_id"], row["time_s"]))
    bad_spans: dict[str, list[Window]] = {}
    for row in lake.read("bad_spans", [batch]).sort("video_id", "index").iter_rows(named=True):
        bad_spans.setdefault(row["video_id"], []).append(Window(row["start_s"], row["end_s"]))
    joined = questions.join(videos, left_on="video_uri", right_on="uri", suffix="_video").sort("question_id")
    return [
        Question.from_row(row)
        .with_video(
            video_id=row["video_id"],
            batch=batch,
            duration_s=row["duration_s"],
            overview=tuple(overviews[row["video_id"]]),
            bad_spans=tuple(bad_spans.get(row["video_id"], ())),
        )
        .item
        for row in iterate_as(_PlayableRow, joined)
    ]


class _PlayableRow(QuestionRow):
    """A row of `questions` joined with its video."""

    video_id: str
    duration_s: float


def put_overview_frames(lake: Lake, batch: str, store: FrameStore) -> None:
    """Copy a batch's overview frames to a stage's frame store."""
    put_frames(lake, [OVERVIEW_FRAMES.format(batch=batch)], store)


def put_frames(lake: Lake, partitions: Iterable[str], store: FrameStore) -> None:
    """Copy frames from the lake to a stage's frame store."""
    from videozoomer.video.types import Frame

    for partition in partitions:
        frames = lake.read("frames", [partition])
        for (video_id,), group in frames.group_by(["video_id"]):
            store.put(
                (
                    Frame(row["frame_id"], row["time_s"], row["time_s"], row["width"], row["height"], row["jpeg"])
                    for row in group.iter_rows(named=True)
                ),
                video_id,
            )
