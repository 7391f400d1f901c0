"""Good RL rollouts as trajectories for the third stage: rejection-sampled fine-tuning.

The lake's rules apply to harvested rollouts as to all others. This module checks what is specific to rollouts: whether
a zoom overlapped the evidence, and whether episodes of one group are near duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from filters.grading import grade_rows
from train.rl.records import EXTRA, RoundRow
from videozoomer.lake.lake import Lake
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import FrameRow
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.rl import HarvestSettings
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import FrameError

PARTITION = "rollouts.harvested"
"""Partition of the tables trajectories, grades and frames that the harvest writes."""


def harvest(
    run: Path | None, questions: ShardSet, lake: Lake, readers: ReaderPool, settings: HarvestSettings
) -> dict[str, int]:
    """Write the good rollouts of a training run to the lake; returns the number left out per reason.

    `run` is the training's output folder, None if nothing was trained; `questions` is the data set it played. Reads
    zoomed frames from the videos again; their ids must match.
    """
    known = {question.question_id: question for question in questions.questions("train")}
    left_out: Counter[str] = Counter()
    best = _best_per_question(_rollouts(run), known, settings, left_out)
    harvested = list(_with_frames(best, known, readers, left_out))
    rows = [{name: value for name, value in row.items() if name not in EXTRA} for row, _ in harvested]
    frames = {frame["frame_id"]: frame for _, own in harvested for frame in own}
    lake.write("frames", list(frames.values()), PARTITION)
    lake.write("trajectories", rows, PARTITION)
    lake.write("grades", grade_rows(rows, [question.to_shard_row() for question in known.values()]), PARTITION)
    return dict(left_out)


def _rollouts(run: Path | None) -> list[RoundRow]:
    paths = sorted((run / "trajectories").glob("round-*.parquet")) if run else []
    return [row for path in paths for row in rows_as(RoundRow, pl.read_parquet(path))]


def _best_per_question(
    rows: Sequence[RoundRow], known: Mapping[str, PlayableQuestion], settings: HarvestSettings, left_out: Counter[str]
) -> list[RoundRow]:
    """The best rollouts of each question, without two that zoomed to the same segments."""
    good: dict[str, list[RoundRow]] = {}
    for row in rows:
        if reason := _reason(row, known.get(row["question_id"]), settings):
            left_out[reason] += 1
        else:
            good.setdefault(row["question_id"], []).append(row)
    chosen: list[RoundRow] = []
    for _, candidates in sorted(good.items()):
        candidates.sort(
            key=lambda row: (-(row["overlap"] or 0.0), row["frames_shown"], row["output_tokens"], row["trajectory_id"])
        )
        distinct = {_segments(row): row for row in reversed(candidates)}
        best = [row for row in candidates if distinct[_segments(row)] is row]
        left_out["same zooms as a better rollout"] += len(candidates) - len(best)
        left_out["beyond per_question"] += len(best[settings.per_question :])
        chosen += best[: settings.per_question]
    return chosen


def _reason(row: RoundRow, question: PlayableQuestion | None, settings: HarvestSettings) -> str | None:
    if question is None:
        return "not a training question"
    if row["verdict"] != "correct":
        return "wrong answer" if row["verdict"] == "wrong" else "failed or not graded"
    if not row["well_formed"]:
        return "bad format"
    # Frames that sufficed in a probe need not be the only ones; a right answer from others is as good.
    known = question.evidence and not question.evidence_found
    if known and row["zooms"] and (row["overlap"] or 0.0) < settings.min_overlap:
        return "zoomed elsewhere"
    return None


def _segments(row: RoundRow) -> tuple[tuple[int, int, float | None], ...]:
    """Zoomed segments and rates, times rounded to half a second."""
    zooms = [turn for turn in row["turns"] if turn["action"] == "zoom"]
    return tuple((round(2 * (turn["start_s"] or 0)), round(2 * (turn["end_s"] or 0)), turn["fps"]) for turn in zooms)


def _with_frames(
    rows: Sequence[RoundRow], known: Mapping[str, PlayableQuestion], readers: ReaderPool, left_out: Counter[str]
) -> Iterator[tuple[RoundRow, list[FrameRow]]]:
    """Each rollout with the frames of its zooms; leaves out rollouts whose frames cannot be reproduced."""
    for row in rows:
        shown = _zoomed(row)
        try:
            read = readers.frames_at(known[row["question_id"]].video_uri, list(shown.values())) if shown else []
        except FrameError:
            left_out["unreadable frame"] += 1
            continue
        if [frame.frame_id for frame in read] != list(shown):
            left_out["frame differs from the one played"] += 1
            continue
        frames: list[FrameRow] = [
            {
                "frame_id": frame.frame_id,
                "video_id": row["video_id"],
                "time_s": frame.time_s,
                "width": frame.width,
                "height": frame.height,
                "jpeg": frame.jpeg,
            }
            for frame in read
        ]
        yield row, frames


def _zoomed(row: RoundRow) -> dict[str, float]:
    """Ids of the frames that the episode's zooms returned -> their times in seconds."""
    parts = [part for message in row["messages"][2:] for part in message["parts"]]
    return {
        part["frame_id"]: part["time_s"]
        for part in parts
        if part["frame_id"] is not None and part["time_s"] is not None
    }
