"""The rows of each kind of data set, declared like the tables of the lake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from videozoomer.lake.catalog import FLOAT, FRAMES, INT, MESSAGE, TEXT, TEXTS, WINDOW
from videozoomer.lake.schema import Column, Table

Kind = Literal["sft", "rl", "evaluation"]

SPLIT = Column("split", TEXT, "`train`, `validation` or `evaluation`; every row of a video has the same")

SFT = Table(
    "sft",
    "one verified trajectory to imitate",
    ("id",),
    (
        Column("id", TEXT, "id of the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "hash of the source video"),
        Column("kind", TEXT, "`exemplar`, `reflection` or `rollout`"),
        SPLIT,
        Column(
            "messages",
            pl.List(MESSAGE),
            "the conversation as it was played, frames by id; the loss is taken on assistant messages whose `train` is true",
        ),
        Column("zooms", INT, "zooms that returned frames"),
        Column("answer", TEXT, "the final answer"),
    ),
    row="sft_shard",
)
_QUESTION = (
    Column("question_id", TEXT, "the question"),
    Column("video_id", TEXT, "hash of the source video"),
    Column("video_uri", TEXT, "where the video lies, for zooms"),
    Column("duration_s", FLOAT, "length of the video in seconds"),
    Column("batch", TEXT, "ingest batch of the video"),
    SPLIT,
    Column("question", TEXT, "the question"),
    Column("options", TEXTS, "options of a multiple choice, in order; empty for an open question"),
    Column("answer", TEXT, "the right answer; a letter for a multiple choice"),
    Column("answer_type", TEXT, "`choice`, `number`, `time`, `yes_no`, `order` or `text`"),
    Column("topic", TEXT, "kind of question, for breakdowns", required=False),
    Column("evidence", pl.List(WINDOW), "windows in which the answer is seen, in seconds; empty where unknown"),
    Column("overview_frame_ids", TEXTS, "frames of the overview, in order"),
    Column("overview_times_s", pl.List(FLOAT), "their presentation times in seconds"),
)
RL = Table(
    "rl",
    "one question to play episodes on",
    ("question_id",),
    (
        *_QUESTION,
        Column(
            "pass_rate",
            FLOAT,
            "the teacher's correct answers over its judged ones; null where none was judged",
            required=False,
        ),
        Column("valid", INT, "the teacher's judged episodes"),
        Column("correct", INT, "those that were right"),
    ),
    row="rl_shard",
)
EVALUATION = Table(
    "evaluation",
    "one question to evaluate on, never to train on",
    ("question_id",),
    _QUESTION,
    row="evaluation_shard",
)

ROWS: dict[str, Table] = {"sft": SFT, "rl": RL, "evaluation": EVALUATION}
"""Kind of data set -> declaration of its rows."""
SPLITS: dict[str, tuple[str, ...]] = {
    "sft": ("train", "validation"),
    "rl": ("train", "validation"),
    "evaluation": ("evaluation",),
}
"""Kind of data set -> splits its rows may have."""
FRAME_ROWS = FRAMES
"""Frames in a data set are rows of the lake's own table."""


def frame_ids(kind: str, row: Mapping[str, Any]) -> list[str]:
    """Frames that a row refers to, in order of appearance, with repetitions."""
    if kind == "sft":
        return [part["frame_id"] for message in row["messages"] for part in message["parts"] if part["type"] == "image"]
    return list(row["overview_frame_ids"])
