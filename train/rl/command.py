"""Multi-turn GRPO: the policy plays questions in groups and learns from the differences within each group.

    python -m train.rl --shards DIR --policy CHECKPOINT --out DIR --recipe FILE
    torchrun --nproc_per_node 8 -m train.rl ...         (or the `deepspeed` launcher: the same arguments)

Writes to --out: metrics.jsonl (one line per round), trajectories/ (every rollout with verdict, reward and advantage),
summary.json, checkpoint/ (readable by `from_pretrained`), tensorboard/ and, while it runs, state/, from which a killed
run resumes. Every process plays its share of a round's questions with the model it trains and learns from them. With
`rl.engine: server`, a server plays; it receives the weights through engine/ before each round.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from train.rl.training import train
from train.run.command import add_common_arguments, training_process
from videozoomer.settings.model import Recipe
from videozoomer.shards.read import ShardSet


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.rl", description="Multi-turn GRPO: the policy plays questions in groups and learns."
    )
    parser.add_argument("--shards", type=Path, required=True, help="RL data set (folder with manifest.json)")
    parser.add_argument("--policy", required=True, help="checkpoint to start from, such as the fine-tuned policy")
    add_common_arguments(parser)
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())
    with training_process(recipe.rl.bf16, given.out) as process:
        train(ShardSet(given.shards), given.policy, given.out, recipe, process)
