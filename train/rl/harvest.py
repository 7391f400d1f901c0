"""Good rollouts of RL as trajectories to imitate: the third stage (rejection-sampled fine-tuning).

What is taken into the lake is judged there by the same rules as everything else; what is looked at here is what only
rollouts have: whether a zoom overlapped the evidence, and whether a group's many episodes say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from filters.grading import grade_rows
from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.rl import HarvestSettings
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import FrameError

PARTITION = "rollouts.harvested"
"""Of the tables trajectories, grades and frames."""


def harvest(
    run: Path, questions: ShardSet, lake: Lake, readers: ReaderPool, settings: HarvestSettings
) -> dict[str, int]:
    """Put the good rollouts of a training run into the lake; returns how many were left out, by reason.

    `run` is the training's folder, `questions` the data set that it played. Zoomed frames are read from the videos again
    and must come out with the same ids.
    """
    asked = {question.question_id: question for question in questions.questions("train")}
    left_out: Counter[str] = Counter()
    chosen = list(_with_frames(_chosen(_rollouts(run), asked, settings, left_out), asked, questions, readers, left_out))
    rows = [{name: row[name] for name in CATALOG["trajectories"].schema} for row, _ in chosen]
    frames = {frame["frame_id"]: frame for _, own in chosen for frame in own}
    lake.write("frames", list(frames.values()), PARTITION)
    lake.write("trajectories", rows, PARTITION)
    lake.write("grades", grade_rows(rows, [question.to_shard_row() for question in asked.values()]), PARTITION)
    return dict(left_out)


def _rollouts(run: Path) -> list[dict]:
    paths = sorted((run / "trajectories").glob("round-*.parquet"))
    return [row for path in paths for row in pl.read_parquet(path).to_dicts()]


def _chosen(
    rows: Sequence[dict], asked: dict[str, PlayableQuestion], settings: HarvestSettings, left_out: Counter[str]
) -> list[dict]:
    """The best of each question, no two of which looked at the same."""
    good: dict[str, list[dict]] = {}
    for row in rows:
        if reason := _reason(row, asked.get(row["question_id"]), settings):
            left_out[reason] += 1
        else:
            good.setdefault(row["question_id"], []).append(row)
    chosen = []
    for _, several in sorted(good.items()):
        several.sort(
            key=lambda row: (-(row["overlap"] or 0.0), row["frames_shown"], row["output_tokens"], row["trajectory_id"])
        )
        distinct = {_looked(row): row for row in reversed(several)}
        best = [row for row in several if distinct[_looked(row)] is row]
        left_out["looked where another one did"] += len(several) - len(best)
        left_out["beyond per_question"] += len(best[settings.per_question :])
        chosen += best[: settings.per_question]
    return chosen


def _reason(row: dict, question: PlayableQuestion | None, settings: HarvestSettings) -> str | None:
    if question is None:
        return "not a training question"
    if row["verdict"] != "correct":
        return "wrong answer" if row["verdict"] == "wrong" else "failed or not judged"
    if not row["well_formed"]:
        return "bad format"
    if question.evidence and row["zooms"] and (row["overlap"] or 0.0) < settings.min_overlap:
        return "zoomed elsewhere"
    return None


def _looked(row: dict) -> tuple:
    """What was zoomed, to half a second."""
    zooms = [turn for turn in row["turns"] if turn["action"] == "zoom"]
    return tuple((round(2 * turn["start_s"]), round(2 * turn["end_s"]), turn["fps"]) for turn in zooms)


def _with_frames(
    rows: Sequence[dict],
    asked: dict[str, PlayableQuestion],
    questions: ShardSet,
    readers: ReaderPool,
    left_out: Counter[str],
) -> Iterator[tuple[dict, list[dict]]]:
    for row in rows:
        shown = _zoomed(row)
        try:
            read = readers.frames_at(asked[row["question_id"]].video_uri, list(shown.values())) if shown else []
        except FrameError:
            left_out["a frame cannot be read again"] += 1
            continue
        if [frame.frame_id for frame in read] != list(shown):
            left_out["a frame is not what it was"] += 1
            continue
        yield (
            row,
            [
                {
                    "frame_id": frame.frame_id,
                    "video_id": row["video_id"],
                    "time_s": frame.time_s,
                    "width": frame.width,
                    "height": frame.height,
                    "jpeg": frame.jpeg,
                }
                for frame in read
            ],
        )


def _zoomed(row: dict) -> dict[str, float]:
    """Ids and times of the frames that the episode's zooms showed."""
    parts = [part for message in row["messages"][2:] for part in message["parts"] if part["type"] == "image"]
    return {part["frame_id"]: part["time_s"] for part in parts}
