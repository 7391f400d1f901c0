"""What the page shows, gathered from the tables as plain JSON values. Frames stand by id; each is stored once."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from distill.records import overview_of
from eval.conditions import condition_of
from videozoomer.lake.lake import Lake

PLAIN = (
    "question_id", "video_id", "kind", "player", "sample", "temperature", "max_zooms", "status", "failure", "answer", "zooms",
    "frames_shown", "well_formed", "input_tokens", "output_tokens", "cost_usd", "parent_id", "protocol_version", "prompt_version",
)  # fmt: skip
"""Columns of `trajectories` that are shown as they are."""
TURN = (
    "reply",
    "author",
    "action",
    "start_s",
    "end_s",
    "fps",
    "answer",
    "fault",
    "fault_text",
    "well_formed",
    "finish_reason",
)


def trajectories(lake: Lake, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The named trajectories in that order, each with its grade and verdict and with its frames as [id, time_s]."""
    wanted = pl.col("trajectory_id").is_in(list(ids))
    rows = {
        row["trajectory_id"]: row for row in lake.scan("trajectories").filter(wanted).collect().iter_rows(named=True)
    }
    grades = {row["trajectory_id"]: row for row in lake.scan("grades").filter(wanted).collect().iter_rows(named=True)}
    verdicts = {
        row["trajectory_id"]: row for row in lake.scan("verdicts").filter(wanted).collect().iter_rows(named=True)
    }
    return [_trajectory(rows[i], grades.get(i), verdicts.get(i)) for i in ids if i in rows]


def _trajectory(row: dict, grade: dict | None, verdict: dict | None) -> dict[str, Any]:
    trained = [message["train"] for message in row["messages"] if message["role"] == "assistant"]
    turns = []
    for number, turn in enumerate(row["turns"]):
        shown = {name: turn[name] for name in TURN}
        shown["train"] = trained[number] if number < len(trained) else None
        shown["frames"] = [
            list(pair) for pair in zip(turn["frame_ids"] or [], turn["frame_times_s"] or [], strict=True)
        ]
        turns.append(shown)
    return {
        "id": row["trajectory_id"],
        **{name: row[name] for name in PLAIN},
        "condition": condition_of(row),
        "overview": [[frame.frame_id, frame.time_s] for frame in overview_of(row)],
        "turns": turns,
        "verdict": grade["verdict"] if grade else None,
        "grader": grade["grader"] if grade else None,
        "detail": grade["detail"] if grade else None,
        "hit": grade["hit"] if grade else None,
        "best_iou": grade["best_iou"] if grade else None,
        "outcome": verdict["outcome"] if verdict else None,
        "reasons": list(verdict["reasons"]) if verdict else [],
    }


def frame_ids(trajectory: dict[str, Any]) -> list[str]:
    return [
        frame_id
        for frame_id, _ in [*trajectory["overview"], *(f for turn in trajectory["turns"] for f in turn["frames"])]
    ]


def questions(lake: Lake, ids: Iterable[str]) -> dict[str, dict]:
    columns = ["question_id", "question", "options", "answer", "answer_type", "topic", "evidence", "split", "video_uri"]
    rows = lake.scan("questions", columns=columns).filter(pl.col("question_id").is_in(sorted(set(ids)))).collect()
    return {row.pop("question_id"): row for row in rows.iter_rows(named=True)}


def videos(lake: Lake, ids: Iterable[str]) -> dict[str, dict]:
    """Duration and shots (starts and ends in seconds) of each video."""
    wanted = sorted(set(ids))
    rows = (
        lake.scan("videos", columns=["video_id", "uri", "duration_s"])
        .filter(pl.col("video_id").is_in(wanted))
        .collect()
    )
    found = {
        row["video_id"]: {"uri": row["uri"], "duration_s": row["duration_s"], "shots": []}
        for row in rows.iter_rows(named=True)
    }
    shots = lake.scan("shots", columns=["video_id", "index", "start_s", "end_s"]).filter(
        pl.col("video_id").is_in(wanted)
    )
    for video_id, start_s, end_s in (
        shots.sort("video_id", "index").select("video_id", "start_s", "end_s").collect().iter_rows()
    ):
        if video_id in found:
            found[video_id]["shots"].append([start_s, end_s])
    return found


def frame_sizes(lake: Lake, ids: Iterable[str]) -> dict[str, int]:
    """Bytes of each stored frame; one that is not stored is not in the answer."""
    rows = lake.scan("frames", columns=["frame_id", "jpeg"]).filter(pl.col("frame_id").is_in(sorted(set(ids))))
    return dict(
        rows.select("frame_id", pl.col("jpeg").bin.size().cast(pl.Int64)).unique("frame_id").collect().iter_rows()
    )


def frames(lake: Lake, ids: Iterable[str]) -> dict[str, str]:
    """Frame id -> JPEG in base64."""
    rows = (
        lake.scan("frames", columns=["frame_id", "jpeg"]).filter(pl.col("frame_id").is_in(sorted(set(ids)))).collect()
    )
    return {frame_id: base64.b64encode(jpeg).decode() for frame_id, jpeg in rows.sort("frame_id").iter_rows()}


def reasons(named: Iterable[str]) -> dict[str, str]:
    """Reason -> what the rule of that name drops; reasons that are no rule (a failed call, say) stand for themselves."""
    from filters.rules import load_rules

    wanted = set(named)
    return {rule.name: rule.drops for rule in load_rules() if rule.name in wanted}
