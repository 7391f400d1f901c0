"""Gathers the page's data from the tables as plain JSON values. Frames are stored once and referenced by id."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from distill.records import overview_of
from eval.conditions import condition_of
from videozoomer.lake.lake import Lake

COLUMNS = (
    "question_id", "video_id", "kind", "player", "sample", "temperature", "max_zooms", "status", "failure", "answer",
    "zooms", "frames_shown", "well_formed", "input_tokens", "output_tokens", "cost_usd", "parent_id",
    "protocol_version", "prompt_version",
)  # fmt: skip
"""Columns of `trajectories` that the page gets unchanged."""
TURN_FIELDS = (
    "reply", "author", "action", "start_s", "end_s", "fps", "answer", "fault", "fault_text", "well_formed",
    "finish_reason",
)  # fmt: skip
"""Fields of a turn that the page gets unchanged."""


def trajectories(lake: Lake, ids: Sequence[str], partitions: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The named trajectories in that order, each with its grade, its verdict and its frames as [id, time_s].

    Where the partitions that have them are known, no other is read.
    """
    rows, grades = (_by_trajectory(lake, table, ids, partitions) for table in ("trajectories", "grades"))
    verdicts = _by_trajectory(lake, "verdicts", ids)
    return [_trajectory(rows[i], grades.get(i), verdicts.get(i)) for i in ids if i in rows]


def _by_trajectory(
    lake: Lake, table: str, ids: Sequence[str], partitions: Sequence[str] | None = None
) -> dict[str, dict[str, Any]]:
    rows = lake.scan(table, partitions).filter(pl.col("trajectory_id").is_in(list(ids))).collect()
    return {row["trajectory_id"]: row for row in rows.iter_rows(named=True)}


def _trajectory(row: dict[str, Any], grade: dict[str, Any] | None, verdict: dict[str, Any] | None) -> dict[str, Any]:
    trained = [message["train"] for message in row["messages"] if message["role"] == "assistant"]
    turns = []
    for number, turn in enumerate(row["turns"]):
        shown = {name: turn[name] for name in TURN_FIELDS}
        shown["train"] = trained[number] if number < len(trained) else None
        frames = zip(turn["frame_ids"] or [], turn["frame_times_s"] or [], strict=True)
        shown["as_written"] = (row["as_written"][number] or None) if row["as_written"] else None
        shown["frames"] = [list(frame) for frame in frames]
        turns.append(shown)
    return {
        "id": row["trajectory_id"],
        **{name: row[name] for name in COLUMNS},
        "condition": condition_of(row),
        "overview": [[frame.frame_id, frame.time_s] for frame in overview_of(row)],
        "turns": turns,
        **{name: grade[name] if grade else None for name in ("verdict", "grader", "detail", "hit", "best_iou")},
        "outcome": verdict["outcome"] if verdict else None,
        "reasons": list(verdict["reasons"]) if verdict else [],
    }


def frames_of(trajectory: dict[str, Any]) -> list[tuple[str, float]]:
    """Ids and times of the frames of the overview and of all zooms."""
    zoomed = (frame for turn in trajectory["turns"] for frame in turn["frames"])
    return [(frame_id, time_s) for frame_id, time_s in [*trajectory["overview"], *zoomed]]


def frame_ids(trajectory: dict[str, Any]) -> list[str]:
    """Ids of the frames of the overview and of all zooms."""
    return [frame_id for frame_id, _ in frames_of(trajectory)]


def questions(lake: Lake, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Question id -> the columns that the page shows."""
    columns = ["question_id", "question", "options", "answer", "answer_type", "topic", "evidence", "split", "video_uri"]
    rows = lake.scan("questions", columns=columns).filter(pl.col("question_id").is_in(sorted(set(ids)))).collect()
    return {row.pop("question_id"): row for row in rows.iter_rows(named=True)}


def videos(lake: Lake, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Video id -> its file, its duration, and its shots and bad spans as [start_s, end_s]."""
    wanted = pl.col("video_id").is_in(sorted(set(ids)))
    rows = lake.scan("videos", columns=["video_id", "uri", "duration_s"]).filter(wanted).collect()
    found: dict[str, dict[str, Any]] = {
        video_id: {"uri": uri, "duration_s": duration_s, "shots": [], "bad_spans": []}
        for video_id, uri, duration_s in rows.iter_rows()
    }
    for table in ("shots", "bad_spans"):
        spans = lake.scan(table, columns=["video_id", "index", "start_s", "end_s"]).filter(wanted)
        for video_id, _, start_s, end_s in spans.sort("video_id", "index").collect().iter_rows():
            if video_id in found:
                found[video_id][table].append([start_s, end_s])
    return found


def frame_sizes(lake: Lake, ids: Iterable[str]) -> dict[str, int]:
    """Frame id -> bytes of its JPEG, for the frames that are stored."""
    rows = lake.scan("frames", columns=["frame_id", "jpeg"]).filter(pl.col("frame_id").is_in(sorted(set(ids))))
    sizes = rows.select("frame_id", pl.col("jpeg").bin.size().cast(pl.Int64)).unique("frame_id").collect()
    return dict(sizes.iter_rows())


def frames(lake: Lake, ids: Iterable[str]) -> dict[str, str]:
    """Frame id -> JPEG in base64."""
    rows = lake.scan("frames", columns=["frame_id", "jpeg"]).filter(pl.col("frame_id").is_in(sorted(set(ids))))
    return {frame_id: base64.b64encode(jpeg).decode() for frame_id, jpeg in rows.sort("frame_id").collect().iter_rows()}


def reasons(names: Iterable[str]) -> dict[str, str]:
    """Reason -> what its rule drops. Other reasons, such as a failed call, are left out; their names say enough."""
    from filters.rules import load_rules

    wanted = set(names)
    return {rule.name: rule.drops for rule in load_rules() if rule.name in wanted}
