"""A tiny data set of real JPEGs and real episodes, and tiny random policies of both architectures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Picture
from sft_runs import tiny

from videozoomer.protocol import Episode, FrameRef, Protocol, Task, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.messages import to_rows
from videozoomer.shards.read import ShardSet
from videozoomer.shards.write import write_dataset

ARCHITECTURES = ("qwen2_5_vl", "qwen3_vl")
ZOOM = '<think>Red begins at {at}.00 s.</think><video_zoom>{{"segment": [{at}, {end}], "fps": 1}}</video_zoom>'
ANSWER = "<think>It is {word}.</think><answer>{letter}</answer>"


def a_frame(video_id: str, seed: int, time_s: float, size: tuple[int, int] = (84, 56)) -> dict:
    rng = np.random.default_rng(seed)
    picture = Picture.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)).resize(size)
    out = io.BytesIO()
    picture.save(out, "JPEG")
    jpeg = out.getvalue()
    return {
        "frame_id": frame_id_of(jpeg),
        "video_id": video_id,
        "time_s": time_s,
        "width": size[0],
        "height": size[1],
        "jpeg": jpeg,
    }


def an_episode(frames: list[dict], number: int) -> Episode:
    refs = [FrameRef(frame["frame_id"], frame["time_s"]) for frame in frames]
    episode = Episode(
        Task("Which colour?", ("red", "blue"), "choice", 12.0), refs[:4], Protocol(), load_prompts(), author="student"
    )
    episode.step(ZOOM.format(at=number % 4, end=number % 4 + 2))
    episode.show(refs[4:6])
    episode.step(ANSWER.format(word=("red", "blue")[number % 2], letter="AB"[number % 2]))
    return episode


def a_reflection(frames: list[dict], number: int) -> Episode:
    repaired = Episode.reflecting_on(an_episode(frames, number), "I looked in the wrong place.")
    repaired.step(ZOOM.format(at=6, end=8))
    repaired.show([FrameRef(frame["frame_id"], frame["time_s"]) for frame in frames[6:8]])
    repaired.step(ANSWER.format(word="blue", letter="B"))
    return repaired


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> ShardSet:
    """Twelve trajectories on four videos, every third a reflection; the last video is held out."""
    target = tmp_path_factory.mktemp("data") / "sft"
    rows, frames = [], {}
    for number in range(12):
        video = f"video{number // 3}"
        own = [a_frame(video, number // 3 * 100 + index, float(index)) for index in range(8)]
        kind = "reflection" if number % 3 == 2 else "exemplar"
        played = (a_reflection if kind == "reflection" else an_episode)(own, number)
        shown = {ref for message in played.transcript for ref in message.frame_ids}
        frames |= {frame["frame_id"]: frame for frame in own if frame["frame_id"] in shown}
        rows.append(
            {
                "id": f"t{number:02d}",
                "question_id": f"q{number}",
                "video_id": video,
                "kind": kind,
                "split": "validation" if number >= 9 else "train",
                "messages": to_rows(played.transcript),
                "zooms": played.zooms,
                "answer": played.answer,
            }
        )
    write_dataset("sft", target, rows, frames.values(), about={}, max_rows=100)
    return ShardSet(target)


@pytest.fixture(scope="session", params=ARCHITECTURES)
def any_checkpoint(request, shards, tmp_path_factory):
    return _build(request.param, shards, tmp_path_factory)


@pytest.fixture(scope="session")
def checkpoint(shards, tmp_path_factory):
    return _build("qwen2_5_vl", shards, tmp_path_factory)


def _build(architecture, shards, tmp_path_factory):
    from train.policy.tiny import build_tiny

    texts = [
        part["text"]
        for row in shards.rows()
        for message in row["messages"]
        for part in message["parts"]
        if part["text"]
    ]
    return build_tiny(
        tiny(architecture),
        texts,
        tmp_path_factory.mktemp(architecture) / "model",
        min_pixels=784,
        max_pixels=8000,
        seed=0,
    )
