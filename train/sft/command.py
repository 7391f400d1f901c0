"""Supervised fine-tuning on verified trajectories.

    python -m train.sft --shards DIR --out DIR --recipe FILE
    torchrun --nproc_per_node 8 -m train.sft ...        (or the `deepspeed` launcher: the same arguments)

Writes to --out: metrics.jsonl (one line per step), summary.json, checkpoint/ (readable by `from_pretrained`),
tensorboard/ and, while it runs, state/. A killed run with the same recipe and data resumes from state/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from train.run.command import add_common_arguments, training_process
from train.sft.training import train
from videozoomer.settings.model import Recipe
from videozoomer.shards.read import ShardSet


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.sft", description="Supervised fine-tuning on verified trajectories."
    )
    parser.add_argument("--shards", type=Path, required=True, help="SFT data set (folder with manifest.json)")
    add_common_arguments(parser)
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())
    with training_process(recipe.sft.bf16, given.out) as process:
        train(ShardSet(given.shards), given.out, recipe, process)
