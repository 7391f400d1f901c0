"""The checkpoint that a finished run leaves, and its hash."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy, save_policy
from train.run.deepspeed_engine import full_weights
from train.run.process_group import ProcessInfo
from videozoomer.lake.atomic import replaced_folder
from videozoomer.shards.manifest import sha256_of

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine


def save_weights(
    engine: DeepSpeedEngine,
    policy: Policy,
    target: Path,
    *,
    zero_stage: int,
    process: ProcessInfo,
    adapters: bool = False,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a standard checkpoint folder atomically, with adapters merged. Every process must call it.

    `weights` replace the engine's where ZeRO-3 has partitioned those.
    """
    if weights is None:
        weights = full_weights(engine, zero_stage)
    if not process.is_main:
        return
    if adapters:
        policy = replace(policy, model=engine.module.merge_and_unload())
    with replaced_folder(target) as partial:
        save_policy(policy, partial, weights)


def weights_hash(checkpoint: Path) -> str:
    digests = [sha256_of(path) for path in sorted(checkpoint.glob("*.safetensors"))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
