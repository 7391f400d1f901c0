"""What packing, length-sorted steps and kept vision features save in fine-tuning, on one data set.

    python -m benchmarks.sft_ways runs/demo/shards/sft

The same random policy (tower frozen), the same seed, one thread; every way in a process of its own, in turn, round
after round. Prints the median over all steps of tokens a second, and over the rounds shares of time and peak memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from recipes.model import Endpoint, PolicySettings, Recipe, SftSettings, Source

PHASES = ("loading", "vision", "forward", "backward", "optimiser")


def main(shards: Path, steps: int = 5, batch: int = 8, micro: int = 4, packing_tokens: int = 12_000, rounds: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = {"packing": True, "packing_tokens": packing_tokens, "max_tokens": packing_tokens}
        kept = {"vision_cache_folder": f"{folder}/features"}
        ways = {
            "padded, sorted within a step": {}, "padded, sorted over 8 steps": {"length_window": 8}, "packed": packed,
            "padded, features kept, as they come": kept, "padded, all features known": kept, "packed, all features known": packed | kept,
        }
        found: dict[str, list[tuple[dict, list[float]]]] = {name: [] for name in ways}
        for round_ in range(rounds):
            for number, (name, settings) in enumerate(ways.items()):
                found[name].append(_run(shards, Path(folder) / f"{round_}-{number}", steps, batch, micro, settings))
        for name, runs in found.items():
            rates = [rate for _, run in runs for rate in run]
            middle = {key: statistics.median(summary[key] for summary, _ in runs) for key in runs[0][0] if key.endswith("_share") or key == "peak_memory_mb"}
            shares = ", ".join(f"{phase} {middle[f'{phase}_share']:.0%}" for phase in PHASES)
            print(f"{name}: {statistics.median(rates):.0f} tokens/s, padding {middle['padding_share']:.1%}, {shares}, {middle['peak_memory_mb']:.0f} MB")


def _run(shards: Path, out: Path, steps: int, batch: int, micro: int, settings: dict) -> tuple[dict, list[float]]:
    """Summary, and tokens a second of every step but the first."""
    chosen = {"max_steps": steps, "batch_size": batch, "micro_batch_size": micro, "learning_rate": 1e-3, "zero_stage": 0, "bf16": False,
              "gradient_checkpointing": False, "vision_cache_gb": 0}
    recipe = Recipe(
        name="bench", home=str(out), sources=(Source(name="s", videos="none", questions="none"),), teacher=Endpoint(base_url="http://none"),
        policy=PolicySettings(train_min_pixels=784, train_max_pixels=3136), sft=SftSettings(**chosen | settings),
    )
    out.mkdir()
    (out / "recipe.json").write_text(recipe.model_dump_json())
    command = [sys.executable, "-m", "train.sft", "--shards", str(shards), "--out", str(out), "--recipe", str(out / "recipe.json")]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return json.loads((out / "summary.json").read_text()), [line["tokens_per_second"] for line in lines[1:]]


if __name__ == "__main__":
    typer.run(main)
