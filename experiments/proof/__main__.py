"""Runs the proof and writes its report. See `experiments/proof/__init__.py`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.proof.datasets import write_talks, write_warm_up
from experiments.proof.library import Library
from experiments.proof.plan import FULL, QUICK, Plan, recipe_for
from experiments.proof.report import write_report
from experiments.proof.stages import SeedRun, train


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="experiments.proof",
        description="Train a tiny policy of the true architecture to zoom. Finished stages are kept; rerun to resume.",
    )
    parser.add_argument("--quick", action="store_true", help="one seed and little data: the trend, in minutes")
    parser.add_argument("--home", type=Path, help="output folder (default: runs/proof or runs/proof-quick)")
    parser.add_argument("--seed", type=int, help="run only this seed; the warm-up must be finished")
    given = parser.parse_args(arguments)
    plan = QUICK if given.quick else FULL
    home = (given.home or Path("runs") / ("proof-quick" if given.quick else "proof")).absolute()
    if given.seed is not None:
        run_seed(home, plan, given.seed)
        return 0
    began_s = time.monotonic()
    warm_up(home, plan)
    # Seeds share the cores; each trains on one thread.
    with ThreadPoolExecutor(len(plan.seeds)) as pool:
        ends = list(pool.map(lambda seed: _seed_process(home, given.quick, seed), plan.seeds))
    if any(ends):
        print(f"a seed failed; its error is above. Run the same command again to resume. ({home})")
        return 1
    report = write_report(home, plan, seconds=time.monotonic() - began_s)
    print(report.text)
    print(f"report: {report.page}")
    return 0


def warm_up(home: Path, plan: Plan) -> Path:
    """Make the films and train the warm-up that every seed starts from, on two processes."""
    recipe = recipe_for(home, plan)
    home.mkdir(parents=True, exist_ok=True)
    shards, talks = home / "warm-up-shards", home / "talk-shards"
    began_s, films = time.monotonic(), plan.warmup_films + plan.train_films + plan.test_films
    _say(f"generating and ingesting {films} films (once; up to three minutes)")
    with Library(home / "films", "warmup", plan.warmup_films, recipe, seed=0, world=plan.world) as library:
        if not (shards / "manifest.json").is_file():
            write_warm_up(library, shards, plan.warmup_rows, talks=not plan.talk_steps)
        if plan.talk_steps and not (talks / "manifest.json").is_file():
            write_talks(library, talks, plan.warmup_rows)
    for split, count in (("train", plan.train_films), ("test", plan.test_films)):
        Library(home / "films", split, count, recipe, seed=0, world=plan.world)
    _say(f"{films} films ready ({time.monotonic() - began_s:.0f} s)")
    checkpoint: Path | None = None
    halves = [
        ("warm-up", shards, plan.warmup_steps, recipe.sft.learning_rate),
        ("talk", talks, plan.talk_steps, recipe.sft.learning_rate / 2),
    ]
    for name, rows, steps, rate in halves[: 2 if plan.talk_steps else 1]:
        began_s = time.monotonic()
        update = {"max_steps": steps, "micro_batch_size": recipe.sft.batch_size // 2, "learning_rate": rate}
        half = recipe.model_copy(update={"sft": recipe.sft.model_copy(update=update)})
        checkpoint = train("train.sft", home / name, rows, half, _say, start=checkpoint, processes=2)
        _say(f"{name}: {steps} steps ({time.monotonic() - began_s:.0f} s)")
    assert checkpoint is not None
    return checkpoint


def run_seed(home: Path, plan: Plan, seed: int) -> None:
    import torch

    # Seeds share the cores.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(plan.seeds)))
    warm = home / ("talk" if plan.talk_steps else "warm-up") / "checkpoint"
    SeedRun(home, plan, recipe_for(home, plan), warm, seed, lambda text: _say(f"seed {seed}  {text}")).run()


def _seed_process(home: Path, quick: bool, seed: int) -> int:
    command = [
        sys.executable,
        "-m",
        "experiments.proof",
        "--home",
        str(home),
        "--seed",
        str(seed),
        *(["--quick"] if quick else []),
    ]
    return subprocess.run(command).returncode


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
