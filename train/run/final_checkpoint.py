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
    from transformers import PreTrainedModel


def save_weights(
    engine: DeepSpeedEngine,
    policy: Policy,
    target: Path,
    *,
    zero_stage: int,
    process: ProcessInfo,
    adapters: bool = False,
    weights: dict[str, torch.Tensor] | None = None,
    untied: bool = False,
) -> None:
    """Write a standard checkpoint folder atomically, with adapters merged. Every process must call it.

    `weights` replace the engine's where ZeRO-3 has partitioned those. `untied` names an output layer that is tied to
    the embedding once more, as `lm_head.weight`; `from_pretrained` reads the same model from it.
    """
    if weights is None:
        weights = full_weights(engine, zero_stage)
    if not process.is_main:
        return
    if adapters:
        policy = replace(policy, model=engine.module.merge_and_unload())
    with replaced_folder(target) as partial:
        save_policy(policy, partial, with_head(policy.model, weights) if untied else weights)


def with_head(model: PreTrainedModel, weights: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
    """All weights, with a copy of the embedding as the output layer where the two are tied."""
    found = dict(model.state_dict() if weights is None else weights)
    head = model.get_output_embeddings()
    if head is not None and model.config.tie_word_embeddings:
        found["lm_head.weight"] = head.weight.detach().clone()
    return found


def weights_hash(checkpoint: Path) -> str:
    digests = [sha256_of(path) for path in sorted(checkpoint.glob("*.safetensors"))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
