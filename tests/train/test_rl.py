"""Reinforcement learning, run as a user runs it: a real video, a real data set, groups with scripted differences."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from rl_runs import SCRIPT, a_rl_recipe, two_questions

from distill.chat_server import ChatServer, completion
from train.policy.checkpoint import load_policy
from train.rl import training as rl
from train.rl.harvest import harvest
from train.rl.records import EXTRA
from train.run.final_checkpoint import weights_hash
from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.settings.rl import HarvestSettings, RolloutServer
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rl_shards(tmp_path_factory) -> ShardSet:
    return two_questions(tmp_path_factory.mktemp("rl"))


def run(
    shards: ShardSet, checkpoint: Path, out: Path, *, die_at: int = 0, processes: int = 1, zero_stage: int = 0
) -> subprocess.CompletedProcess:
    """`die_at`: the pass of training at which the process is killed."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(a_rl_recipe(zero_stage).model_dump_json())
    arguments = ["--shards", shards.path, "--policy", checkpoint, "--out", out, "--recipe", out / "recipe.json"]
    return start(out, arguments, die_at=die_at, processes=processes)


def start(
    folder: Path, arguments: list, *, die_at: int = 0, processes: int = 1, several: str = "no"
) -> subprocess.CompletedProcess:
    (folder / "script.py").write_text(SCRIPT)
    bare = {
        "HOME": str(folder),
        "PATH": os.path.dirname(sys.executable),
        "TORCH_EXTENSIONS_DIR": str(folder / "extensions"),
        "OMP_NUM_THREADS": "1",
        "DIE_AT": str(die_at),
        "SEVERAL": several,
        "PYTHONPATH": str(Path(rl.__file__).parents[2]),
    }
    launcher = (
        [] if processes == 1 else ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    )
    command = [sys.executable, *launcher, folder / "script.py", *arguments]
    return subprocess.run(list(map(str, command)), env=bare, capture_output=True, text=True, timeout=600, cwd=folder)


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def runs(rl_shards, checkpoint, tmp_path_factory) -> tuple[Path, list[tuple[str, str]]]:
    """Folders `finished`, `served`, and `full` and `limited`, where all episodes of one question are right.

    Also the calls that the server received, each with the hash of the weights it named.
    """
    folder = tmp_path_factory.mktemp("rl_runs")
    tokenizer = load_policy(checkpoint).tokenizer
    sent: list[tuple[str, str]] = []
    turns = itertools.count()

    def answer(body) -> dict:
        looked = any(message["role"] == "assistant" for message in body["messages"])
        text = (
            f"<think>b</think><answer>{'AB'[next(turns) % 2]}</answer><|im_end|>"
            if looked
            else '<think>a</think><video_zoom>{"segment": [1, 3], "fps": 2}</video_zoom>'
        )
        ids = tokenizer(text)["input_ids"]
        reply = completion(
            identity="1",
            model="policy",
            text=text,
            finish_reason="stop",
            stop=None,
            prompt_tokens=1,
            completion_tokens=len(ids),
        )
        # The same for every token, so that every token is corrected.
        reply["choices"][0] |= {
            "token_ids": ids,
            "logprobs": {"content": [{"token": "", "logprob": -7.0} for _ in ids]},
        }
        return reply

    def take(body) -> dict:
        sent.append((body["method"], weights_hash(Path(body["kwargs"]["weights_path"]))))
        return {"results": [None]}

    with ChatServer(
        answer, {"id": "policy"}, more={"/collective_rpc": take, "/reset_prefix_cache": lambda _: {}}
    ) as server:
        server.start()
        given = {
            "finished": {},
            "full": {"steps": 2},
            "limited": {"steps": 1, "redraws": 0},
            "served": {
                "steps": 2,
                "engine": "server",
                "server": RolloutServer(base_url=server.base_url, model="policy", max_gap=20),
            },
        }
        for name, more in given.items():
            (folder / name).mkdir()
            (folder / name / "recipe.json").write_text(a_rl_recipe(0, **more).model_dump_json())
        done = start(folder, [rl_shards.path, checkpoint, *(folder / name for name in given)], several="yes")
        server.shutdown()
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, sent


@pytest.fixture(scope="module")
def finished(runs) -> Path:
    return runs[0] / "finished"


def test_metrics_of_a_round(finished):
    rounds = metrics(finished)
    assert [facts["step"] for facts in rounds] == [1, 2, 3, 4, 5]
    for facts in rounds:
        assert (facts["groups"], facts["groups_dropped"], facts["failed"], facts["unknown"]) == (2, 0, 0, 0)
        assert (facts["accuracy"], facts["zoom_rate"], facts["zooms"], facts["hit_rate"]) == (0.5, 1.0, 1.0, 1.0)
        # Half are right and get 0.9 + 0.1 + 0.5; the others get the format part only.
        assert facts["reward"] == pytest.approx((1.5 + 0.1) / 2)
        assert facts["sampling_gap"] < 1e-3 and facts["clip_share"] == 0.0
    assert rounds[0]["kl"] == pytest.approx(0, abs=1e-6) and rounds[-1]["kl"] > 0
    assert {path.name for path in finished.iterdir()} >= {"summary.json", "checkpoint", "trajectories"} and not (
        finished / "state"
    ).exists()


def test_rewarded_answers_become_more_likely(finished, checkpoint, rl_shards):
    from train.policy.collate import Sample, collate
    from train.policy.frame_pixels import FramePixels
    from videozoomer.protocol.message_rows import from_rows

    rows = pl.read_parquet(finished / "trajectories" / "round-00001.parquet").to_dicts()
    messages = {
        row["answer"]: from_rows(row["messages"])[:2] + from_rows(row["messages"])[-1:]
        for row in rows
        if row["question_id"] == "q0"
    }

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
    CATALOG["trajectories"].conform(table.drop(EXTRA))
    assert table.height == 8 and table["trajectory_id"].n_unique() == 8
    right = table.filter(pl.col("verdict") == "correct")
    assert right["answer"].unique().to_list() == ["A"] and (right["advantage"] > 0).all() and right.height == 4
    assert set(pl.concat([pl.read_parquet(path) for path in paths])["overview_budget"]) <= {2, 4}


def test_a_run_killed_within_a_step_resumes_identically(rl_shards, checkpoint, finished, tmp_path):
    """kill -9 in the third of the four passes of round 3; it resumes from the state of round 2."""
    out = tmp_path / "killed"
    assert run(rl_shards, checkpoint, out, die_at=11).returncode == -signal.SIGKILL
    assert len(metrics(out)) == 2
    resumed = run(rl_shards, checkpoint, out)
    assert resumed.returncode == 0 and "resuming from round 2" in resumed.stderr
    for one, other in zip(metrics(out), metrics(finished), strict=True):
        for name in ("loss", "kl", "entropy", "reward"):
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-5), name


def test_two_processes_learn_the_same_as_one(rl_shards, checkpoint, finished, tmp_path):
    """One group per process and ZeRO-2: weights differ by at most 2e-5 after five rounds at rate 1e-3."""
    out = tmp_path / "two"
    done = run(rl_shards, checkpoint, out, processes=2, zero_stage=2)
    assert done.returncode == 0, done.stderr[-3000:]
    for one, other in zip(metrics(out), metrics(finished), strict=True):
        for name in ("loss", "kl", "entropy", "reward", "groups", "rollouts", "gradient_norm"):
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-5), name
    assert pl.read_parquet(out / "trajectories" / "round-00003.parquet").height == 8
    (one, other) = (load_policy(folder / "checkpoint").model.state_dict() for folder in (out, finished))
    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name], rtol=0, atol=2e-5, msg=name)


def test_groups_that_do_not_vary_are_replaced_until_the_round_is_full(runs):
    for facts in metrics(runs[0] / "full"):
        assert facts["groups_learnt"] == 2 and facts["groups_missing"] == 0
        assert facts["groups_dropped"] == facts["groups"] - 2
    first = metrics(runs[0] / "full")[0]
    assert first["draws"] > 1 and first["groups_dropped"] > 0
    rows = pl.read_parquet(runs[0] / "full" / "trajectories" / "round-00001.parquet")
    assert rows.filter(pl.col("advantage").is_not_null()).height == 8 and rows.height == 4 * first["groups"]


def test_redraws_have_a_limit(runs):
    facts = metrics(runs[0] / "limited")[0]
    assert (facts["draws"], facts["groups"], facts["groups_learnt"], facts["groups_missing"]) == (1, 2, 1, 1)


def test_a_server_plays_with_the_weights_of_each_round(runs):
    folder, sent = runs
    assert [method for method, _ in sent] == ["reload_weights"] * 2 and len({digest for _, digest in sent}) == 2
    for facts in metrics(folder / "served"):
        assert facts["hit_rate"] == 1.0 and facts["groups_learnt"] > 0
        # The tiny policy gives a token about -6, more than the server's -7, so the correction is above 1 and at most 2.
        assert facts["sampling_gap"] > 0.1 and 1 < facts["importance"] <= 2


def test_good_rollouts_are_harvested_once(rl_shards, finished, tmp_path):
    """All twenty right rollouts zoomed to the same segment, on two questions."""
    lake = Lake(tmp_path)
    with ReaderPool(784, 8000) as readers:
        left_out = harvest(finished, rl_shards, lake, readers, HarvestSettings(min_overlap=0.4))
        rows = lake.read("trajectories")
        assert (
            sorted(rows["question_id"]) == ["q0", "q1"]
            and set(rows["kind"]) == {"rollout"}
            and set(rows["answer"]) == {"A"}
        )
        assert {name: count for name, count in left_out.items() if count} == {
            "wrong answer": 20,
            "same zooms as a better rollout": 18,
        }
        assert set(lake.read("grades")["verdict"]) == {"correct"} and lake.read("grades")["best_iou"].to_list() == [
            0.5,
            0.5,
        ]
        zoomed = {frame for row in rows.to_dicts() for turn in row["turns"] for frame in turn["frame_ids"]}
        assert set(lake.read("frames")["frame_id"]) == zoomed
        # The zoom of two seconds has an IoU of 0.5 with the evidence of one second.
        strict = harvest(finished, rl_shards, lake, readers, HarvestSettings(min_overlap=0.6))
    assert strict["zoomed elsewhere"] == 20 and lake.read("trajectories").is_empty()
