"""A small lake as a finished run leaves it: pictures drawn by PIL, episodes really played, every table filled.

For tests of what reads tables (report, viewer, rules, command line). Nothing is random without the seed.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from dataclasses import dataclass
from pathlib import Path

from builders import turn_row, zoom_reply
from PIL import Image, ImageDraw, ImageFont

from eval.metrics import summarise
from videozoomer.lake.lake import Lake
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.message_rows import to_rows
from videozoomer.shards.manifest import FILE, Manifest, ShardFile

SCENES = ("harbour", "forest", "desert", "night street", "kitchen", "snow field")
COLOURS = ("#31708e", "#3c7a4b", "#c9a66b", "#2b2d42", "#a44a3f", "#dfe7ec")
TOPICS = ("which", "how many", "when", "yes or no")
DURATION_S = 120.0
SCENE_S = DURATION_S / len(SCENES)


@dataclass(frozen=True)
class World:
    lake: Lake
    training: Path
    """Folder with metrics.jsonl and summary.json."""
    shards: Path
    """Folder of the SFT data set, of which only the manifest is there."""


class Painter:
    """Draws a frame of a video at a time and keeps it, each once."""

    def __init__(self, width: int) -> None:
        self.width, self.height = width, width * 9 // 16
        self.rows: dict[str, dict] = {}

    def frame(self, video: int, time_s: float) -> FrameRef:
        scene = min(int(time_s // SCENE_S), len(SCENES) - 1)
        colour = COLOURS[(scene + video) % len(COLOURS)]
        image = Image.new("RGB", (self.width, self.height), colour)
        pen = ImageDraw.Draw(image)
        ground = self.height * (6 + scene % 3) // 10
        pen.rectangle((0, ground, self.width, self.height), fill="#00000020" if scene % 2 else "#4d4d4d")
        x = int((time_s * 13 + video * 31) % self.width)
        pen.ellipse((x - 6, ground - 12, x + 6, ground), fill="#f2efe9")
        if event_s(video, scene) <= time_s < event_s(video, scene) + 1.5:
            size = self.height // 2
            pen.rectangle((self.width // 2 - size // 2, 4, self.width // 2 + size // 2, 4 + size), fill="white")
            pen.text(
                (self.width // 2, 4 + size // 2), str(digit(video, scene)), "black", ImageFont.load_default(size), "mm"
            )
        out = io.BytesIO()
        image.save(out, "JPEG", quality=70)
        jpeg = out.getvalue()
        frame_id = frame_id_of(jpeg)
        self.rows.setdefault(
            frame_id,
            {
                "frame_id": frame_id, "video_id": f"video{video}", "time_s": time_s, "width": self.width,
                "height": self.height, "jpeg": jpeg,
            },
        )  # fmt: skip
        return FrameRef(frame_id, time_s)


def event_s(video: int, scene: int) -> float:
    return scene * SCENE_S + 3.4 + (video * 5 + scene * 3) % 13


def digit(video: int, scene: int) -> int:
    return (video * 3 + scene * 7 + 1) % 10


def write_lake(root: Path, *, videos: int = 5, held_out: int = 3, width: int = 112, seed: int = 0) -> World:
    """The last `held_out` videos are the evaluation side; two more files are quarantined."""
    lake, painter, rng = Lake(root / "lake"), Painter(width), random.Random(seed)
    split = {video: "evaluation" if video >= videos - held_out else "train" for video in range(videos)}
    questions = [_question(video, scene, split[video]) for video in range(videos) for scene in range(len(SCENES))]
    overviews = {video: [painter.frame(video, 10.0 * n + 0.01) for n in range(12)] for video in range(videos)}
    lake.write("videos", [_video(video) for video in range(videos)] + _quarantined())
    lake.write("shots", [row for video in range(videos) for row in _shots(video)])
    lake.write(
        "overviews",
        [
            {
                "video_id": f"video{video}", "index": n, "requested_s": 10.0 * n, "time_s": ref.time_s,
                "frame_id": ref.frame_id, "policy": "uniform",
            }
            for video, refs in overviews.items() for n, ref in enumerate(refs)
        ],
    )  # fmt: skip
    lake.write("questions", questions)
    rows, grades = [], []

    def play(
        question: dict, kind: str, player: str, sample: int, skill: float, *, max_zooms: int = 4, blind: bool = False
    ) -> None:
        video = int(question["video_uri"].removeprefix("videos/video").removesuffix(".mp4"))
        overview = [] if blind else overviews[video]
        row, grade = _play(question, video, overview, painter, rng, kind, player, sample, skill, max_zooms)
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
    return World(lake, _training(root), _manifest(root))


def _question(video: int, scene: int, split: str) -> dict:
    topic, start_s = TOPICS[scene % len(TOPICS)], event_s(video, scene)
    truth = digit(video, scene)
    text, options, answer, answer_type = {
        "which": (
            f"Which digit is shown in the {SCENES[scene]}?",
            [str((truth + n) % 10) for n in range(4)],
            "A",
            "choice",
        ),
        "how many": (f"How many digits are shown in the {SCENES[scene]}?", [], "1", "number"),
        "when": (f"When is a digit shown in the {SCENES[scene]}?", [], f"{start_s:.1f}", "time"),
        "yes or no": (f"Is the digit {truth} shown in the {SCENES[scene]}?", [], "yes", "yes_no"),
    }[topic]
    return {
        "question_id": f"question{video}{scene}", "source": "synthetic", "video_uri": f"videos/video{video}.mp4", "split": split,
        "question": text, "options": options, "answer": answer, "answer_type": answer_type, "topic": topic,
        "evidence": [{"start_s": start_s, "end_s": start_s + 1.5}] if scene != 5 else [], "status": "ok", "reason": None,
    }  # fmt: skip


def _video(video: int) -> dict:
    return _any_video(f"videos/video{video}.mp4", "ok") | {
        "video_id": f"video{video}", "container": "mp4", "codec": "hevc" if video == 1 else "h264", "width": 640, "height": 360,
        "duration_s": DURATION_S, "average_fps": 25.0, "variable_rate": video == 2, "frames": 3000, "bytes": 2_400_000 + video,
        "has_audio": False, "keyframes_s": [10.0 * n for n in range(12)], "signature": [video * 17 + n for n in range(120)],
    }  # fmt: skip


def _quarantined() -> list[dict]:
    return [
        _any_video("videos/broken.mp4", "quarantined")
        | {"reason": "unreadable", "detail": "No frame could be decoded; copy the file again."},
        _any_video("videos/notes.txt", "quarantined")
        | {"reason": "no_video", "detail": "The file holds no video stream; take it out."},
    ]


def _any_video(uri: str, status: str) -> dict:
    names = (
        "video_id", "reason", "detail", "container", "codec", "width", "height", "duration_s", "average_fps",
        "variable_rate", "frames", "bytes", "has_audio", "keyframes_s", "signature",
    )  # fmt: skip
    return {"uri": uri, "source": "synthetic", "batch": "synthetic-0000", "status": status} | dict.fromkeys(names)


def _shots(video: int) -> list[dict]:
    return [
        {
            "video_id": f"video{video}", "index": n, "start_s": n * SCENE_S, "end_s": (n + 1) * SCENE_S,
            "score": None if n == 0 else 31.0 + n, "detector": "adaptive 0.7.2",
        }
        for n in range(len(SCENES))
    ]  # fmt: skip


def _play(
    question: dict, video: int, overview: list[FrameRef], painter: Painter, rng: random.Random,
    kind: str, player: str, sample: int, skill: float, max_zooms: int,
) -> tuple[dict, dict]:  # fmt: skip
    """One episode by a scripted player that is right with probability `skill`."""
    protocol, prompts = Protocol(), load_prompts()
    task = Task(question["question"], tuple(question["options"]), question["answer_type"], DURATION_S)
    scene = int(question["question_id"][-1])
    at_s, right = event_s(video, scene), rng.random() < skill
    wrong = {"choice": "C", "number": "3", "time": "5", "yes_no": "no"}[question["answer_type"]]

    def zoom(start_s: float, length_s: float, fps: float, thought: str) -> list[float]:
        reply = zoom_reply(round(start_s, 1), round(start_s + length_s, 1), fps, thought)
        return episode.step(reply, finish_reason="stop", call_key=f"key{rng.random()}")

    episode = Episode(
        task,
        overview,
        protocol,
        prompts,
        max_zooms=max_zooms,
        author="student" if kind in ("student", "reflection") else "policy",
    )
    failed = kind == "exemplar" and rng.random() < 0.04
    hit = False
    if max_zooms and not failed:
        if kind == "reflection" or rng.random() < 0.3:
            times = zoom(
                max(0.0, (at_s + 30) % 100),
                6,
                2,
                "The overview shows the place, but nothing is written there. I look here first.",
            )
            episode.show([painter.frame(video, t) for t in times])
        if kind == "reflection":
            episode = Episode.reflecting_on(episode, prompts.openings[0])
        if rng.random() < 0.12:
            zoom(at_s, 30, 4, "A longer stretch at a high rate.")
        if right or rng.random() < 0.5:
            hit = right or rng.random() < 0.5
            start_s = min(max(0.0, at_s - 2 if hit else (at_s + 55) % 110), DURATION_S - 8)
            times = zoom(
                start_s,
                5,
                rng.choice([1, 2, 3]),
                f"The {SCENES[scene]} lies around here; a digit could hide between two frames.",
            )
            episode.show([painter.frame(video, t) for t in times])
    if not failed:
        given = question["answer"] if right else wrong
        if not right and rng.random() < 0.08:
            while episode.running:
                episode.step("I am not sure what to say.")
        else:
            episode.step(
                f"<think>I have seen enough of the {SCENES[scene]}.</think><answer>{given}</answer>",
                finish_reason="stop",
            )
    status = "failed" if failed else episode.status
    parent = _identifier(question, "student", "student", 0, max_zooms, len(overview)) if kind == "reflection" else None
    row = {
        "trajectory_id": _identifier(question, kind, player, sample, max_zooms, len(overview)), "question_id": question["question_id"],
        "video_id": f"video{video}", "batch": "synthetic-0000", "kind": kind, "player": player, "sample": sample,
        "temperature": 1.0, "max_zooms": max_zooms, "status": status, "failure": "timeout" if failed else None,
        "answer": episode.answer,
        "turns": [turn_row(turn) for turn in episode.turns],
        "messages": to_rows(episode.transcript), "zooms": episode.zooms, "frames_shown": episode.frames_shown,
        "well_formed": episode.well_formed, "input_tokens": 1200 + 258 * episode.frames_shown,
        "output_tokens": 60 * len(episode.turns), "cost_usd": 0.0004 * episode.frames_shown, "parent_id": parent,
        "protocol_version": "1", "prompt_version": prompts.version,
    }  # fmt: skip
    verdict = "unknown" if status == "failed" else "correct" if status == "answered" and right else "wrong"
    known = bool(question["evidence"]) and not failed
    grade = {
        "trajectory_id": row["trajectory_id"], "question_id": question["question_id"], "batch": "synthetic-0000", "verdict": verdict,
        "grader": "fixture 1", "detail": f"{episode.answer} against {question['answer']}",
        "hit": hit if known else None, "best_iou": (0.3 if hit else 0.0) if known else None,
    }  # fmt: skip
    return row, grade


def _identifier(question: dict, *how: object) -> str:
    return hashlib.sha256(f"{question['question_id']}-{how}".encode()).hexdigest()[:32]


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
                "trajectory_id": row["trajectory_id"], "question_id": row["question_id"], "video_id": row["video_id"],
                "kind": row["kind"], "outcome": outcome, "reasons": reasons,
            }
        )  # fmt: skip
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
                "question_id": question["question_id"], "video_id": f"video{question['question_id'][-2]}", "split": "train",
                "samples": len(of_it), "valid": valid, "correct": correct, "pass_rate": correct / valid if valid else None,
                "answered_without_video": dropped, "answered_from_overview": None,
                "reasons": ["answered_without_video"] if dropped else [],
            }
        )  # fmt: skip
    lake.write("verdicts", verdicts)
    lake.write("question_stats", stats)
    lake.write("funnel", [{"stage": s, "kind": k, "reason": r, "rows": n} for (s, k, r), n in funnel.items()])


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
