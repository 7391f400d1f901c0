"""Films that were never filmed: pictures drawn by PIL, questions about them, and episodes really played.

Nothing is random without the seed.
"""

from __future__ import annotations

import hashlib
import io
import random

from builders import zoom_reply
from PIL import Image, ImageDraw, ImageFont

from distill.records import turn_row
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.message_rows import to_rows

SCENES = ("harbour", "forest", "desert", "night street", "kitchen", "snow field")
COLOURS = ("#31708e", "#3c7a4b", "#c9a66b", "#2b2d42", "#a44a3f", "#dfe7ec")
TOPICS = ("which", "how many", "when", "yes or no")
DURATION_S = 120.0
SCENE_S = DURATION_S / len(SCENES)


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
                "frame_id": frame_id,
                "video_id": f"video{video}",
                "time_s": time_s,
                "width": self.width,
                "height": self.height,
                "jpeg": jpeg,
            },
        )
        return FrameRef(frame_id, time_s)


def event_s(video: int, scene: int) -> float:
    return scene * SCENE_S + 3.4 + (video * 5 + scene * 3) % 13


def digit(video: int, scene: int) -> int:
    return (video * 3 + scene * 7 + 1) % 10


def question_about(video: int, scene: int, split: str) -> dict:
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
        "question_id": f"question{video}{scene}",
        "source": "synthetic",
        "video_uri": f"videos/video{video}.mp4",
        "split": split,
        "question": text,
        "options": options,
        "answer": answer,
        "answer_type": answer_type,
        "topic": topic,
        "evidence": [{"start_s": start_s, "end_s": start_s + 1.5}] if scene != 5 else [],
        "status": "ok",
        "reason": None,
    }


def play(
    question: dict,
    video: int,
    overview: list[FrameRef],
    painter: Painter,
    rng: random.Random,
    kind: str,
    player: str,
    sample: int,
    skill: float,
    max_zooms: int,
) -> tuple[dict, dict]:
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
    parent = identifier(question, "student", "student", 0, max_zooms, len(overview)) if kind == "reflection" else None
    row = {
        "trajectory_id": identifier(question, kind, player, sample, max_zooms, len(overview)),
        "question_id": question["question_id"],
        "video_id": f"video{video}",
        "batch": "synthetic-0000",
        "kind": kind,
        "player": player,
        "sample": sample,
        "temperature": 1.0,
        "max_zooms": max_zooms,
        "status": status,
        "failure": "timeout" if failed else None,
        "answer": episode.answer,
        "turns": [turn_row(turn) for turn in episode.turns],
        "as_written": None,
        "served_models": None,
        "messages": to_rows(episode.transcript),
        "zooms": episode.zooms,
        "frames_shown": episode.frames_shown,
        "well_formed": episode.well_formed,
        "input_tokens": 1200 + 258 * episode.frames_shown,
        "output_tokens": 60 * len(episode.turns),
        "cost_usd": 0.0004 * episode.frames_shown,
        "parent_id": parent,
        "protocol_version": "1",
        "prompt_version": prompts.version,
    }
    verdict = "unknown" if status == "failed" else "correct" if status == "answered" and right else "wrong"
    known = bool(question["evidence"]) and not failed
    grade = {
        "trajectory_id": row["trajectory_id"],
        "question_id": question["question_id"],
        "batch": "synthetic-0000",
        "verdict": verdict,
        "grader": "fixture 1",
        "detail": f"{episode.answer} against {question['answer']}",
        "hit": hit if known else None,
        "best_iou": (0.3 if hit else 0.0) if known else None,
    }
    return row, grade


def identifier(question: dict, *how: object) -> str:
    return hashlib.sha256(f"{question['question_id']}-{how}".encode()).hexdigest()[:32]
