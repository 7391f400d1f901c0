"""A small lake as a finished run leaves it: pictures drawn by PIL, episodes really played, every table filled.

For tests of what reads tables (report, viewer, rules, command line). Nothing is random without the seed.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from synthetic_films import (
    DURATION_S,
    SCENE_S,
    SCENES,
    Painter,
    question_about,
)
from synthetic_films import play as play_episode

from eval.metrics import summarise
from filters.balance import measure
from videozoomer.lake.lake import Lake
from videozoomer.shards.manifest import FILE, Manifest, ShardFile


@dataclass(frozen=True)
class World:
    lake: Lake
    training: Path
    """Folder with metrics.jsonl and summary.json."""
    shards: Path
    """Folder of the SFT data set, of which only the manifest is there."""


def write_lake(root: Path, *, videos: int = 5, held_out: int = 3, width: int = 112, seed: int = 0) -> World:
    """The last `held_out` videos are the evaluation side; two more files are quarantined."""
    lake, painter, rng = Lake(root / "lake"), Painter(width), random.Random(seed)
    split = {video: "evaluation" if video >= videos - held_out else "train" for video in range(videos)}
    questions = [question_about(video, scene, split[video]) for video in range(videos) for scene in range(len(SCENES))]
    overviews = {video: [painter.frame(video, 10.0 * n + 0.01) for n in range(12)] for video in range(videos)}
    lake.write("videos", [_video(video) for video in range(videos)] + _quarantined())
    lake.write("shots", [row for video in range(videos) for row in _shots(video)])
    lake.write(
        "overviews",
        [
            {
                "video_id": f"video{video}",
                "index": n,
                "requested_s": 10.0 * n,
                "time_s": ref.time_s,
                "frame_id": ref.frame_id,
                "policy": "uniform",
            }
            for video, refs in overviews.items()
            for n, ref in enumerate(refs)
        ],
    )
    lake.write("questions", questions)
    rows, grades = [], []

    def play(
        question: dict, kind: str, player: str, sample: int, skill: float, *, max_zooms: int = 4, blind: bool = False
    ) -> None:
        video = int(question["video_uri"].removeprefix("videos/video").removesuffix(".mp4"))
        overview = [] if blind else overviews[video]
        row, grade = play_episode(question, video, overview, painter, rng, kind, player, sample, skill, max_zooms)
        rows.append(row)
        grades.append(grade)

    for question in (q for q in questions if q["split"] == "train"):
        for sample in range(3):
            play(question, "exemplar", "teacher", sample, 0.75)
        play(question, "probe", "teacher", 0, 0.2, max_zooms=0, blind=True)
        play(question, "student", "student", 0, 0.4)
        play(question, "reflection", "teacher", 0, 0.7)
    for question in (q for q in questions if q["split"] == "evaluation"):
        for player, skill in (("teacher", 0.85), ("policy", 0.45)):
            play(question, "evaluation", player, 0, skill)
            play(question, "evaluation", player, 0, skill / 2, max_zooms=0)
            play(question, "evaluation", player, 0, skill / 3, max_zooms=0, blind=True)
    lake.write("frames", list(painter.rows.values()))
    lake.write("trajectories", rows)
    lake.write("grades", grades)
    _write_verdicts(lake, rows, grades, questions)
    lake.write("evaluations", summarise(rows, grades, questions, resamples=300))
    lake.write(
        "leaks",
        [{"kind": "video_signature", "train_id": "video9", "evaluation_id": f"video{videos - 1}", "score": 0.91}],
    )
    lake.write("copies", [_near_miss()])
    return World(lake, _training(root), _manifest(root))


def _video(video: int) -> dict:
    return _any_video(f"videos/video{video}.mp4", "ok") | {
        "video_id": f"video{video}",
        "container": "mp4",
        "codec": "hevc" if video == 1 else "h264",
        "width": 640,
        "height": 360,
        "duration_s": DURATION_S,
        "average_fps": 25.0,
        "variable_rate": video == 2,
        "frames": 3000,
        "bytes": 2_400_000 + video,
        "has_audio": False,
        "keyframes_s": [10.0 * n for n in range(12)],
    }


def _near_miss() -> dict:
    return {
        "pair_id": "0a1b",
        "train_id": "video2",
        "evaluation_id": "video8",
        "status": "listed",
        "evidence": 21.4,
        "share": 0.517,
        "length_s": 61.25,
        "shift_s": 3.0,
        "speed": 1.0,
        "mirrored": False,
        "train_track": "whole",
        "evaluation_track": "centre",
        "basis": "motions",
    }


def _quarantined() -> list[dict]:
    return [
        _any_video("videos/broken.mp4", "quarantined")
        | {"reason": "unreadable", "detail": "No frame could be decoded; copy the file again."},
        _any_video("videos/notes.txt", "quarantined")
        | {"reason": "no_video", "detail": "The file holds no video stream; take it out."},
    ]


def _any_video(uri: str, status: str) -> dict:
    names = (
        "video_id",
        "reason",
        "detail",
        "container",
        "codec",
        "width",
        "height",
        "duration_s",
        "average_fps",
        "variable_rate",
        "frames",
        "bytes",
        "has_audio",
        "bit_depth",
        "transfer",
        "primaries",
        "matrix",
        "start_offset_s",
        "video_streams",
        "stream_index",
        "unreadable_s",
        "keyframes_s",
    )
    return {"uri": uri, "source": "synthetic", "batch": "synthetic-0000", "status": status} | dict.fromkeys(names)


def _shots(video: int) -> list[dict]:
    return [
        {
            "video_id": f"video{video}",
            "index": n,
            "start_s": n * SCENE_S,
            "end_s": (n + 1) * SCENE_S,
            "score": None if n == 0 else 31.0 + n,
            "detector": "adaptive 0.7.2",
        }
        for n in range(len(SCENES))
    ]


def _write_verdicts(lake: Lake, rows: list[dict], grades: list[dict], questions: list[dict]) -> None:
    verdicts, funnel = [], {}

    def count(stage: str, kind: str, reason: str = "") -> None:
        funnel[stage, kind, reason] = funnel.get((stage, kind, reason), 0) + 1

    for row, grade in zip(rows, grades, strict=True):
        if row["kind"] not in ("exemplar", "reflection"):
            continue
        reasons = [
            name
            for name, holds in (
                (row["failure"], row["status"] == "failed"),
                ("wrong_answer", grade["verdict"] == "wrong"),
                ("not_well_formed", row["status"] != "failed" and not row["well_formed"]),
                ("answered_without_video", row["question_id"].endswith("3")),
            )
            if holds
        ]
        outcome = "failed" if row["status"] == "failed" else "rejected" if reasons else "kept"
        verdicts.append(
            {
                "trajectory_id": row["trajectory_id"],
                "question_id": row["question_id"],
                "video_id": row["video_id"],
                "kind": row["kind"],
                "outcome": outcome,
                "reasons": reasons,
            }
        )
        count("asked", row["kind"])
        count(outcome, row["kind"], reasons[0] if reasons else "")
    stats = []
    for question in (q for q in questions if q["split"] == "train"):
        of_it = [
            g["verdict"]
            for r, g in zip(rows, grades, strict=True)
            if r["kind"] == "exemplar" and r["question_id"] == question["question_id"]
        ]
        valid, correct = sum(v != "unknown" for v in of_it), of_it.count("correct")
        dropped = question["question_id"].endswith("3")
        count("asked", "question")
        count("rejected" if dropped else "kept", "question", "answered_without_video" if dropped else "")
        stats.append(
            {
                "question_id": question["question_id"],
                "video_id": f"video{question['question_id'][-2]}",
                "split": "train",
                "samples": len(of_it),
                "valid": valid,
                "correct": correct,
                "pass_rate": correct / valid if valid else None,
                "answered_without_video": dropped,
                "answered_from_overview": None,
                "chance": None,
                "chance_p": None,
                "found_evidence": [],
                "reasons": ["answered_without_video"] if dropped else [],
            }
        )
    lake.write("verdicts", verdicts)
    lake.write("question_stats", stats)
    lake.write("funnel", [{"stage": s, "kind": k, "reason": r, "rows": n} for (s, k, r), n in funnel.items()])
    balance = measure(lake)
    lake.write("balance", balance.counts)
    lake.write("shifts", balance.shifts)


def _training(root: Path) -> Path:
    folder = root / "training"
    folder.mkdir()
    metrics, summary = folder / "metrics.jsonl", folder / "summary.json"
    losses = [2.9 * 0.93**step + 0.35 + 0.05 * (step % 3) for step in range(40)]
    metrics.write_text(
        "".join(
            json.dumps(
                {"step": step, "loss": loss, "learning_rate": 1e-4 * (1 - step / 40), "tokens_per_second": 900.0}
            )
            + "\n"
            for step, loss in enumerate(losses)
        )
    )
    summary.write_text(
        json.dumps(
            {
                "loss_before": losses[0],
                "loss_after": losses[-1],
                "steps": 40,
                "tokens": 61_000,
                "seconds": 68.0,
                "parameters": 1_050_000,
            }
        )
    )
    return folder


def _manifest(root: Path) -> Path:
    folder = root / "shards" / "sft"
    folder.mkdir(parents=True)
    named = (("data-train-00000.parquet", "rows", "train", 28), ("frames-00000.parquet", "frames", None, 402))
    manifest = Manifest(
        kind="sft",
        about={"recipe": "synthetic"},
        counts={"rows": 28, "frames": 402, "videos": 3},
        columns={"id": "String"},
        files=tuple(
            ShardFile(name=name, role=role, split=split, rows=rows, bytes=rows * 1_700, sha256="0" * 64)
            for name, role, split, rows in named
        ),
    )
    (folder / FILE).write_text(manifest.model_dump_json())
    return folder
