"""Generates the sample world: video files, question files, and deliberate faults in some of them.

    world = make_world(Path("world"), seed=0)        # fourteen videos of two to six minutes
    world = make_world(Path("world"), size="small")  # four of half a minute, for tests

Deterministic in the seed. `ground_truth.json` records what was painted where; only tests read it.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from examples.world.encode import EncodeError, encode, re_encode, suffix
from examples.world.painter import paint
from examples.world.plan import Outline, VideoPlan, plan_video
from examples.world.questions import Question, again, ask

__all__ = ["EncodeError", "World", "WorldError", "make_world"]

VERSION = 2
"""Incremented whenever the same seed would give different files."""
Size = Literal["full", "small"]
Progress = Callable[[str, int, int], None]
"""Called with the name of a finished file, the number finished, and the total."""

FULL_PLAN = (
    Outline("tape-01.mp4", "train", 124, 24),
    Outline("tape-02.mp4", "train", 150, 24),
    Outline("tape-03.mp4", "train", 150, 25, "hevc"),
    Outline("tape-04.mp4", "train", 140, 30, variable_rate=True),
    Outline("tape-05.mp4", "train", 210, 24),
    Outline("tape-06.mp4", "train", 126, 25),
    Outline("tape-07.mp4", "train", 330, 24),
    Outline("upload-08.mp4", "train", 136, 25, copy_of="reel-02.mp4"),
    Outline("reel-01.mp4", "evaluation", 128, 24),
    Outline("reel-02.mp4", "evaluation", 136, 25),
    Outline("reel-03.webm", "evaluation", 170, 24, "vp9"),
    Outline("reel-04.mp4", "evaluation", 200, 30),
    Outline("reel-05.mp4", "evaluation", 120, 24),
    Outline("reel-06.mp4", "evaluation", 126, 24),
)
_SMALL = (
    Outline("tape-01.mp4", "train", 32, 24),
    Outline("tape-02.mp4", "train", 36, 25, variable_rate=True),
    Outline("upload-03.mp4", "train", 30, 24, copy_of="reel-01.mp4"),
    Outline("reel-01.mp4", "evaluation", 30, 24),
)
CORRUPT, NO_VIDEO, MISSING = "damaged.mp4", "notes.mp4", "lost.mp4"


class WorldError(RuntimeError):
    """The sample world cannot be written to this folder."""


@dataclass(frozen=True, slots=True)
class World:
    root: Path

    @property
    def train_videos(self) -> Path:
        return self.root / "train" / "videos"

    @property
    def train_questions(self) -> Path:
        return self.root / "train" / "questions.jsonl"

    @property
    def evaluation_videos(self) -> Path:
        return self.root / "evaluation" / "videos"

    @property
    def evaluation_questions(self) -> Path:
        return self.root / "evaluation" / "questions.jsonl"

    @property
    def ground_truth(self) -> Path:
        """For tests: `videos` (file -> scenes, transitions and events with their times) and `questions` (id ->
        needs).
        """
        return self.root / "ground_truth.json"

    def truth(self) -> dict:
        return json.loads(self.ground_truth.read_text())


def make_world(target: Path, seed: int = 0, progress: Progress | None = None, *, size: Size = "full") -> World:
    """Write the world into a folder; keep it if the same world is already there.

    Raises:
        WorldError: the folder holds something else.
        EncodeError: ffmpeg could not write a file.
    """
    world, made_with = World(Path(target)), {"version": VERSION, "seed": seed, "size": size}
    if world.ground_truth.is_file():
        truth = world.truth()
        if truth["made_with"] == made_with and all(
            _has(world.root / file, length) for file, length in truth["files"].items()
        ):
            return world
    elif world.root.is_dir() and any(path.name not in ("train", "evaluation") for path in world.root.iterdir()):
        raise WorldError(f"{world.root} contains other files; choose an empty folder for the sample world")
    world.ground_truth.unlink(missing_ok=True)
    world.train_videos.mkdir(parents=True, exist_ok=True)
    world.evaluation_videos.mkdir(parents=True, exist_ok=True)

    outlines = FULL_PLAN if size == "full" else _SMALL
    plans = plan_videos(outlines, seed)
    _write_videos(world, plans, progress)
    _write_damaged(world, plans, seed)
    questions = ask_about(plans, seed, most=10 if size == "full" else 5)
    for split, path in (("train", world.train_questions), ("evaluation", world.evaluation_questions)):
        names = {plan.outline.name for plan in plans if plan.outline.split == split}
        rows = [
            question.row()
            for question in questions
            if question.video in names or (split == "train" and question.video in (CORRUPT, NO_VIDEO, MISSING))
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    world.ground_truth.write_text(json.dumps(_truth(world, plans, questions, made_with), indent=1))
    return world


def _has(path: Path, length: int) -> bool:
    return path.is_file() and path.stat().st_size == length


def _folder(world: World, outline: Outline) -> Path:
    return world.train_videos if outline.split == "train" else world.evaluation_videos


def plan_videos(outlines: tuple[Outline, ...], seed: int) -> list[VideoPlan]:
    plans: dict[str, VideoPlan] = {}
    for outline in sorted(outlines, key=lambda outline: outline.copy_of is not None):
        if outline.copy_of is None:
            plans[outline.name] = plan_video(outline, random.Random(f"{seed} {outline.name}"))
        else:
            plans[outline.name] = VideoPlan(outline, plans[outline.copy_of].scenes)
    return [plans[outline.name] for outline in outlines]


def _write_videos(world: World, plans: list[VideoPlan], progress: Progress | None) -> None:
    """Encode two at a time, longest first; encode a copy right after its original."""
    copies = {plan.outline.copy_of: plan.outline for plan in plans if plan.outline.copy_of}

    def write(plan: VideoPlan) -> list[str]:
        target = _folder(world, plan.outline) / plan.outline.name
        assert target.suffix == suffix(plan.outline)
        encode(paint(plan), plan.outline, target)
        copy = copies.get(plan.outline.name)
        if copy is None:
            return [target.name]
        re_encode(target, _folder(world, copy) / copy.name)
        return [target.name, copy.name]

    originals = [plan for plan in plans if plan.outline.copy_of is None]
    originals.sort(
        key=lambda plan: (plan.outline.codec == "hevc", plan.outline.duration_s * plan.outline.fps), reverse=True
    )
    done = 0
    with ThreadPoolExecutor(2) as pool:
        for future in as_completed([pool.submit(write, plan) for plan in originals]):
            for name in future.result():
                done += 1
                if progress is not None:
                    progress(name, done, len(plans))


def _write_damaged(world: World, plans: list[VideoPlan], seed: int) -> None:
    """A video with an overwritten index, and a text file with a video's name."""
    whole = bytearray((_folder(world, plans[0].outline) / plans[0].outline.name).read_bytes())
    noise = random.Random(f"{seed} damage")
    start, end = 40, len(whole) // 4
    whole[start:end] = noise.randbytes(end - start)
    (world.train_videos / CORRUPT).write_bytes(whole)
    (world.train_videos / NO_VIDEO).write_text(
        "Shopping: batteries, tape, a longer cable.\nThis is a note, not a video.\n"
    )


def ask_about(plans: list[VideoPlan], seed: int, most: int) -> list[Question]:
    questions: list[Question] = []
    by_video = {
        plan.outline.name: ask(
            plan,
            random.Random(f"{seed} questions {plan.outline.name}"),
            most if plan.outline.split == "train" else most - 2,
        )
        for plan in plans
    }
    for plan in plans:
        own = by_video[plan.outline.name]
        if plan.outline.copy_of:
            # A leak: the re-encoded evaluation video brings two of its questions along.
            own = own[: most - 2]
            texts = {question.question for question in own}
            leaked = [q for q in by_video[plan.outline.copy_of] if q.needs == "zoom" and q.question not in texts][:2]
            stem = plan.outline.name.rsplit(".", 1)[0]
            own = [
                *own,
                *(
                    dataclasses.replace(q, id=f"{stem}-x{n}", video=plan.outline.name, twin_of=q.id)
                    for n, q in enumerate(leaked, 1)
                ),
            ]
        questions += own
    rng = random.Random(f"{seed} again")
    originals = [q for q in questions if q.needs == "zoom" and q.video.startswith("tape")]
    picked = rng.sample(originals, min(8, len(originals) // 3))
    questions += [again(question, 2, rng, exact=number % 2 == 0) for number, question in enumerate(picked)]
    for name in (CORRUPT, NO_VIDEO, MISSING):
        questions.append(
            dataclasses.replace(originals[0], id=f"{name.rsplit('.', 1)[0]}-q01", video=name, evidence=(), twin_of=None)
        )
    return questions


def _truth(world: World, plans: list[VideoPlan], questions: list[Question], made_with: dict) -> dict:
    files = sorted(path for path in world.root.rglob("*") if path.is_file())
    return {
        "made_with": made_with,
        "files": {str(path.relative_to(world.root)): path.stat().st_size for path in files},
        "videos": {
            plan.outline.name: {
                **dataclasses.asdict(plan.outline),
                "scenes": [dataclasses.asdict(scene) for scene in plan.scenes],
                "transitions": [
                    {
                        "kind": scene.way_in,
                        "start_s": scene.start_s - scene.way_in_s / 2,
                        "end_s": scene.start_s + scene.way_in_s / 2,
                    }
                    for scene in plan.scenes[1:]
                ],
            }
            for plan in plans
        },
        "damaged": {CORRUPT: "bytes overwritten", NO_VIDEO: "a text", MISSING: "does not exist"},
        "questions": {
            question.id: {"needs": question.needs, "twin_of": question.twin_of, "video": question.video}
            for question in questions
        },
    }
