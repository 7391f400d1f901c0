"""What packing, length-sorted steps and cached vision features save in fine-tuning, on one data set.

    python -m benchmarks.sft_ways runs/demo/shards/sft

Equal random policy (frozen tower), seed and one thread; each variant in a separate process, alternating over rounds.
Prints tokens per CPU second over all steps but the first (median and extremes over rounds), shares of time and peak
memory (medians).
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

from benchmarks.step_times import run_sft
from videozoomer.settings.model import Endpoint, PolicySettings, Recipe, SftSettings, Source

PHASES = ("loading", "vision", "forward", "backward", "optimiser")


def main(
    shards: Path,
    steps: int = 5,
    batch: int = 8,
    micro: int = 4,
    packing_tokens: int = 12_000,
    rounds: int = 1,
    part: str = "",
) -> None:
    if part:
        return _train(shards, Path(part))
    with tempfile.TemporaryDirectory() as folder:
        packed: dict[str, object] = {"packing": True, "packing_tokens": packing_tokens, "max_tokens": packing_tokens}
        kept: dict[str, object] = {"vision_cache_gb": 2.0, "vision_cache_folder": f"{folder}/features"}
        ways: dict[str, dict[str, object]] = {
            "padded, sorted within a step": {},
            "padded, sorted over 8 steps": {"length_window": 8},
            "packed": packed,
            "padded, features cached on first use": kept,
            "padded, all features precomputed": kept,
            "packed, all features precomputed": packed | kept,
        }
        found: dict[str, list[tuple[dict, float]]] = {name: [] for name in ways}
        for round_ in range(rounds):
            for number, (name, settings) in enumerate(ways.items()):
                found[name].append(_run(shards, Path(folder) / f"{round_}-{number}", steps, batch, micro, settings))
                print(f"{name}: {found[name][-1][1]:.0f}", flush=True)
        for name, runs in found.items():
            rates = [rate for _, rate in runs]
            middle = {
                key: statistics.median(summary[key] for summary, _ in runs)
                for key in runs[0][0]
                if key.endswith("_share") or key == "peak_memory_mb"
            }
            shares = ", ".join(f"{phase} {middle[f'{phase}_share']:.0%}" for phase in PHASES)
            print(
                f"{name}: {statistics.median(rates):.0f} tokens per CPU second ({min(rates):.0f} to {max(rates):.0f}), "
                f"padding {middle['padding_share']:.1%}, {shares}, {middle['peak_memory_mb']:.0f} MB"
            )


def _run(shards: Path, out: Path, steps: int, batch: int, micro: int, settings: dict) -> tuple[dict, float]:
    """Summary, and tokens per CPU second over all steps but the first."""
    chosen = {
        "max_steps": steps,
        "batch_size": batch,
        "micro_batch_size": micro,
        "learning_rate": 1e-3,
        "zero_stage": 0,
        "bf16": False,
        "gradient_checkpointing": False,
        "vision_cache_gb": 0,
    }
    recipe = Recipe(
        name="bench",
        home=str(out),
        sources=(Source(name="s", videos="none", questions="none"),),
        teacher=Endpoint(base_url="http://none"),
        policy=PolicySettings(train_min_pixels=784, train_max_pixels=3136),
        sft=SftSettings(**chosen | settings),
    )
    out.mkdir()
    (out / "recipe.json").write_text(recipe.model_dump_json())
    command = [sys.executable, "-m", "benchmarks.sft_ways", str(shards), "--part", str(out)]
    done = subprocess.run(
        command,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    ends = json.loads(done.stdout.splitlines()[-1])
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return json.loads((out / "summary.json").read_text()), sum(line["tokens"] for line in lines[1:]) / (
        ends[-1] - ends[0]
    )


def _train(shards: Path, out: Path) -> None:
    """Print the CPU time at the end of each step. Validation is kept to one row."""
    ends = run_sft(shards, out, out / "recipe.json")
    print(json.dumps(ends))


if __name__ == "__main__":
    typer.run(main)
