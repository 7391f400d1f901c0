"""Accuracy and cost of the sample teacher on the sample world.

    python -m benchmarks.sample_teacher --samples 3

Plays every question through the real protocol, reader and graders, without HTTP. Prints accuracy with zoom, from the
overview alone and without frames; kinds of failures; how many of them one reflection repairs; and CPU time.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from examples.teacher import MODEL
from examples.teacher.completion import complete
from examples.teacher.sight import SightCache
from examples.world import World, make_world
from filters.grading import grade
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, Text, load_prompts
from videozoomer.protocol.evidence import Window, looks_hit
from videozoomer.protocol.question import Question
from videozoomer.video.overview import overview_times
from videozoomer.video.reader import ReaderPool


@dataclass
class Table:
    """One teacher, one world, and CPU time."""

    world: World
    reader: ReaderPool
    sights: SightCache = field(default_factory=SightCache)
    urls: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    cpu_s: float = 0.0

    def frames(self, uri: Path, times_s: Sequence[float]) -> list[FrameRef]:
        frames = self.reader.frames_at(str(uri), times_s)
        for frame in frames:
            self.urls.setdefault(frame.frame_id, "data:image/jpeg;base64," + base64.b64encode(frame.jpeg).decode())
        return [FrameRef(frame.frame_id, frame.time_s) for frame in frames]

    def play(self, episode: Episode, uri: Path, seed: int, temperature: float) -> Episode:
        while episode.running:
            messages = [
                {
                    "role": message.role,
                    "content": [
                        {"type": "text", "text": part.text}
                        if isinstance(part, Text)
                        else {"type": "image_url", "image_url": {"url": self.urls[part.frame_id]}}
                        for part in message.parts
                    ],
                }
                for message in episode.messages
            ]
            before_s = time.process_time()
            answer = complete(
                {"model": MODEL, "messages": messages, "temperature": temperature, "seed": seed}, self.sights
            )
            self.cpu_s += time.process_time() - before_s
            self.calls += 1
            times_s = episode.step(answer["choices"][0]["message"]["content"])
            if times_s:
                episode.show(self.frames(uri, times_s))
        return episode


def questions(world: World) -> list[tuple[dict, Path, dict]]:
    """(row, video, ground truth of the video), without duplicates and unreadable videos."""
    truth = world.truth()
    found = []
    for split, path in (("train", world.train_questions), ("evaluation", world.evaluation_questions)):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["video"] in truth["videos"] and "again" not in row["id"]:
                found.append((row, world.root / split / "videos" / row["video"], truth["videos"][row["video"]]))
    return found


def hit(episode: Episode, evidence: Sequence[Sequence[float]]) -> bool:
    return bool(looks_hit(episode.looks, [Window(start_s, end_s) for start_s, end_s in evidence]))


def main(samples: int = 2, seed: int = 0, folder: Path | None = None) -> None:
    """Play every question `samples` times at temperature 1 in each condition, and once at temperature 0."""
    import cv2

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary, ReaderPool(25_088, 100_352) as reader:
        began_s = time.monotonic()
        world = make_world(folder or Path(temporary), seed)
        print(f"world: {time.monotonic() - began_s:.1f} s")
        table, prompts, protocol = Table(world, reader), load_prompts(), Protocol()
        right: dict[str, list[bool]] = {}
        failed: list[tuple[Episode, dict, Path, Question]] = []
        for row, uri, video in questions(world):
            truth = Question(
                question_id=row["id"],
                video_uri=str(uri),
                split="evaluation",
                question=row["question"],
                options=tuple(row["options"]),
                answer=row["answer"],
                answer_type=row["type"],
                evidence=tuple(Window(start_s, end_s) for start_s, end_s in row["evidence"]),
            )
            task = Task(row["question"], tuple(row["options"]), row["type"], video["duration_s"])
            overview = table.frames(
                uri, overview_times(video["duration_s"], last_frame_s=video["duration_s"] - 1 / video["fps"])
            )
            for name, shown, zooms, temperature in (
                ("zoom", overview, 4, 1.0),
                ("overview", overview, 0, 1.0),
                ("blind", (), 0, 1.0),
                ("zoom, temperature 0", overview, 4, 0.0),
            ):
                for sample in range(samples if temperature else 1):
                    episode = table.play(
                        Episode(task, shown, protocol, prompts, max_zooms=zooms), uri, sample, temperature
                    )
                    correct = grade(truth, episode.answer).verdict == "correct"
                    right.setdefault(name, []).append(correct)
                    if name == "zoom" and not correct and episode.zooms:
                        failed.append((episode, row, uri, truth))
        for name, verdicts in right.items():
            print(f"{name}: {sum(verdicts) / len(verdicts):.1%} of {len(verdicts)}")
        missed = sum(not hit(episode, row["evidence"]) for episode, row, _, _ in failed)
        print(f"failed after a zoom: {len(failed)}, of which {missed} never saw the evidence in a zoom")
        tried = repaired = 0
        for number, (episode, _, uri, truth) in enumerate(failed):
            try:
                again = Episode.reflecting_on(episode, prompts.openings[number % len(prompts.openings)])
            except ValueError:
                continue  # no round left to repair it
            tried += 1
            repaired += grade(truth, table.play(again, uri, 1000 + number, 1.0).answer).verdict == "correct"
        print(f"reflections: {repaired} of {tried} repaired")
        print(
            f"{table.calls} calls, {len(table.urls)} frames, "
            f"{1000 * table.cpu_s / table.calls:.1f} CPU ms a call including new frames"
        )


if __name__ == "__main__":
    typer.run(main)
