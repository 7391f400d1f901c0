"""Tiny recipes, and fine-tuning started as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from videozoomer.settings.model import Endpoint, PolicySettings, Recipe, SftSettings, Source, TinyModel
from videozoomer.shards.read import ShardSet


def tiny(architecture: str = "qwen2_5_vl") -> TinyModel:
    return TinyModel(
        architecture=architecture,
        hidden_size=32,
        layers=2,
        heads=2,
        key_value_heads=1,
        vision_hidden_size=32,
        vision_layers=2,
        vocabulary=512,
    )


def a_recipe(**sft) -> Recipe:
    chosen = {
        "learning_rate": 5e-3,
        "batch_size": 4,
        "micro_batch_size": 2,
        "max_steps": 6,
        "epochs": 10,
        "zero_stage": 0,
        "bf16": False,
        "gradient_checkpointing": False,
        "checkpoint_steps": 2,
    }
    return Recipe(
        name="test",
        home="unused",
        sources=(Source(name="s", videos="v", questions="q"),),
        teacher=Endpoint(base_url="http://unused"),
        policy=PolicySettings(tiny=tiny(), train_min_pixels=784, train_max_pixels=8000),
        sft=SftSettings(**chosen | sft),
    )


def run_sft(
    shards: ShardSet, out, recipe: Recipe, *, launcher: tuple[str, ...] = ("-m", "train.sft")
) -> subprocess.CompletedProcess:
    """Run fine-tuning in its own process, in an environment without a compiler."""
    command, bare = _started(shards, out, recipe, launcher)
    return subprocess.run(command, env=bare, capture_output=True, text=True, timeout=200, cwd=out)


def kill_sft(shards: ShardSet, out: Path, recipe: Recipe, *, after_steps: int) -> int:
    """Start fine-tuning and SIGKILL it after `after_steps` lines in metrics.jsonl; returns the lines it wrote."""
    command, bare = _started(shards, out, recipe, ("-m", "train.sft"))
    metrics = out / "metrics.jsonl"

    def done() -> int:
        return metrics.read_text().count("\n") if metrics.exists() else 0

    with (
        (out / "stderr").open("w") as errors,
        subprocess.Popen(command, env=bare, stdout=errors, stderr=errors, cwd=out) as run,
    ):
        while done() < after_steps and run.poll() is None:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        assert run.wait(timeout=60) == -signal.SIGKILL, (out / "stderr").read_text()[-3000:]
    return done()


def _started(
    shards: ShardSet, out: Path, recipe: Recipe, launcher: tuple[str, ...]
) -> tuple[list[str], dict[str, str]]:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "recipe.json"
    path.write_text(recipe.model_dump_json())
    bare = {
        "HOME": str(out),
        "PATH": os.path.dirname(sys.executable),
        "TORCH_EXTENSIONS_DIR": str(out / "extensions"),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, *launcher, "--shards", str(shards.path), "--out", str(out), "--recipe", str(path)]
    return command, bare
