"""A tiny data set of real JPEGs and real episodes, and tiny random policies of both architectures."""

from __future__ import annotations

import pytest
from builders import answer_reply, continued, frame_row, played, refs_of, zoom_reply
from sft_runs import tiny

from videozoomer.protocol import Episode, Task
from videozoomer.protocol.message_rows import to_rows
from videozoomer.shards.read import ShardSet
from videozoomer.shards.write import write_dataset

ARCHITECTURES = ("qwen2_5_vl", "qwen3_vl")
SIZE = (84, 56)


def an_episode(frames: list[dict], number: int) -> Episode:
    shown, at = refs_of(frames), number % 4
    return played(
        Task("Which colour?", ("red", "blue"), "choice", 12.0),
        shown[:4],
        zoom_reply(at, at + 2, thought=f"Red begins at {at}.00 s."),
        shown[4:6],
        answer_reply("AB"[number % 2], thought=f"It is {('red', 'blue')[number % 2]}."),
        author="student",
    )


def a_reflection(frames: list[dict], number: int) -> Episode:
    return continued(
        Episode.reflecting_on(an_episode(frames, number), "I looked in the wrong place."),
        zoom_reply(6, 8, thought="Red begins at 6.00 s."),
        refs_of(frames)[6:8],
        answer_reply("B", thought="It is blue."),
    )


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> ShardSet:
    """Twelve trajectories on four videos, every third a reflection; the last video is held out."""
    target = tmp_path_factory.mktemp("data") / "sft"
    rows, frames = [], {}
    for number in range(12):
        video = f"video{number // 3}"
        own = [frame_row(video, float(index), number // 3 * 100 + index, SIZE) for index in range(8)]
        kind = "reflection" if number % 3 == 2 else "exemplar"
        episode = (a_reflection if kind == "reflection" else an_episode)(own, number)
        shown = {ref for message in episode.transcript for ref in message.frame_ids}
        frames |= {frame["frame_id"]: frame for frame in own if frame["frame_id"] in shown}
        rows.append(
            {
                "id": f"t{number:02d}",
                "question_id": f"q{number}",
                "video_id": video,
                "kind": kind,
                "split": "validation" if number >= 9 else "train",
                "messages": to_rows(episode.transcript),
                "zooms": episode.zooms,
                "answer": episode.answer,
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
