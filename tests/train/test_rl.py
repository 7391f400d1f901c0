"""Reinforcement learning, run as a user runs it: a real video, a real data set, groups that differ by script."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
import torch
from train_runs_rl import SCRIPT, a_rl_recipe

from shards.read import ShardSet
from shards.write import write_dataset
from tables.catalog import CATALOG
from train.policy import load_policy
from video.reader import ReaderPool


@pytest.fixture(scope="module")
def rl_shards(tmp_path_factory) -> ShardSet:
    """Two questions on one video of 12 seconds at 5 frames a second, a colour a second."""
    folder = tmp_path_factory.mktemp("rl")
    uri = str(folder / "video.mp4")
    rng = np.random.default_rng(0)
    with av.open(uri, "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _second in range(12):
            picture = np.broadcast_to(rng.integers(0, 255, 3, dtype=np.uint8), (64, 96, 3))
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    with ReaderPool(784, 8000) as readers:
        overview = readers.frames_at(uri, [0.0, 3.0, 6.0, 9.0])
    frames = {
        frame.frame_id: {"frame_id": frame.frame_id, "video_id": "v", "time_s": frame.time_s, "width": frame.width, "height": frame.height, "jpeg": frame.jpeg}
        for frame in overview
    }
    rows = [
        {"question_id": f"q{index}", "video_id": "v", "video_uri": uri, "duration_s": 12.0, "batch": "b", "split": "train", "question": text,
         "options": ["red", "blue"], "answer": "A", "answer_type": "choice", "topic": None, "evidence": [{"start_s": 1.5, "end_s": 2.5}],
         "overview_frame_ids": [frame.frame_id for frame in overview], "overview_times_s": [frame.time_s for frame in overview],
         "pass_rate": 0.5, "valid": 2, "correct": 1}
        for index, text in enumerate(("Which colour?", "Which one?"))
    ]
    write_dataset("rl", folder / "shards", rows, frames.values(), about={}, max_rows=10)
    return ShardSet(folder / "shards")


def run(shards: ShardSet, checkpoint: Path, out: Path, *, die_after: int = 0, zero_stage: int = 0) -> subprocess.CompletedProcess:
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(a_rl_recipe(zero_stage).model_dump_json())
    bare = {
        "HOME": str(out), "PATH": os.path.dirname(sys.executable), "TORCH_EXTENSIONS_DIR": str(out / "extensions"), "OMP_NUM_THREADS": "1",
        "DIE_AFTER": str(die_after),
    }
    command = [sys.executable, "-c", SCRIPT, "--shards", shards.path, "--policy", checkpoint, "--out", out, "--recipe", out / "recipe.json"]
    return subprocess.run(list(map(str, command)), env=bare, capture_output=True, text=True, timeout=200, cwd=out)


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(rl_shards, checkpoint, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("rl_finished")
    done = run(rl_shards, checkpoint, out)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_a_round_says_what_happened(finished):
    rounds = metrics(finished)
    assert [facts["step"] for facts in rounds] == [1, 2, 3, 4, 5]
    for facts in rounds:
        assert (facts["groups"], facts["groups_dropped"], facts["failed"], facts["unknown"]) == (2, 0, 0, 0)
        assert (facts["accuracy"], facts["zoom_rate"], facts["zooms"], facts["hit_rate"]) == (0.5, 1.0, 1.0, 1.0)
        # Half of them are right, for 0.9 + 0.1 + 0.5; the others only keep to the format.
        assert facts["reward"] == pytest.approx((1.5 + 0.1) / 2)
        assert facts["sampling_gap"] < 1e-3 and facts["clip_share"] == 0.0
    assert rounds[0]["kl"] == pytest.approx(0, abs=1e-6) and rounds[-1]["kl"] > 0
    assert {path.name for path in finished.iterdir()} >= {"summary.json", "checkpoint", "trajectories"} and not (finished / "state").exists()


def test_what_was_rewarded_has_become_likelier(finished, checkpoint, rl_shards):
    from train.collate import Sample, collate
    from train.pixels import FramePixels
    from zoom.messages import from_rows

    rows = pl.read_parquet(finished / "trajectories" / "round-00001.parquet").to_dicts()
    messages = {row["answer"]: from_rows(row["messages"])[:2] + from_rows(row["messages"])[-1:] for row in rows if row["question_id"] == "q0"}

    def margin(folder: Path) -> float:
        policy = load_policy(folder)
        pixels = FramePixels(policy.image_processor, rl_shards.jpeg)
        found = {}
        for answer, talk in messages.items():
            batch = collate([Sample(answer, policy.chat.encode(talk, pixels.tokens))], policy, pixels)
            with torch.no_grad():
                logprobs = policy.model(**batch.inputs).logits.log_softmax(-1)
            found[answer] = float(logprobs.gather(-1, batch.targets[..., None]).sum())
        return found["A"] - found["B"]

    assert margin(finished / "checkpoint") > margin(checkpoint) + 0.05


def test_every_rollout_is_a_row_with_its_reward(finished):
    paths = sorted((finished / "trajectories").glob("*.parquet"))
    assert len(paths) == 5
    table = pl.read_parquet(paths[2])
    CATALOG["trajectories"].conform(table.drop("verdict", "reward", "advantage", "overview_budget"))
    assert table.height == 8 and table["trajectory_id"].n_unique() == 8
    right = table.filter(pl.col("verdict") == "correct")
    assert right["answer"].unique().to_list() == ["A"] and (right["advantage"] > 0).all() and right.height == 4
    assert set(pl.concat([pl.read_parquet(path) for path in paths])["overview_budget"]) <= {2, 4}


def test_a_killed_run_goes_on_the_same_way(rl_shards, checkpoint, finished, tmp_path):
    out = tmp_path / "killed"
    assert run(rl_shards, checkpoint, out, die_after=3).returncode == 9
    resumed = run(rl_shards, checkpoint, out)
    assert resumed.returncode == 0 and "going on from round 2" in resumed.stderr
    for one, other in zip(metrics(out), metrics(finished), strict=True):
        for name in ("loss", "kl", "entropy", "reward"):
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-5), name


def test_zero_2_learns_the_same(rl_shards, checkpoint, finished, tmp_path):
    out = tmp_path / "spread"
    done = run(rl_shards, checkpoint, out, zero_stage=2)
    assert done.returncode == 0, done.stderr[-3000:]
    for one, other in zip(metrics(out), metrics(finished), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3, abs=1e-4)
