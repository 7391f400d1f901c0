"""Opening the policy to fine-tune, and choosing what of it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.policy.checkpoint import Policy, freeze_vision, load_policy, with_lora
from train.policy.collate import DataError
from train.policy.frame_features import FrameFeatures, tower_for_features
from train.policy.frame_pixels import FramePixels
from train.run.deepspeed_engine import parameter_size
from train.run.flops import TowerFlops
from train.run.phase_timer import PhaseTimer
from train.run.process_group import ProcessInfo, barrier
from train.sft.packing import attend_within_trajectories
from videozoomer.settings.model import HOW_TO_TRAIN, Recipe
from videozoomer.settings.policy import TinyModel
from videozoomer.settings.sft import SftSettings
from videozoomer.shards.read import ShardSet

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedModel


def open_policy(shards: ShardSet, out: Path, recipe: Recipe, config: dict[str, Any], process: ProcessInfo) -> Policy:
    """The recipe's checkpoint, or a random tiny one built from the data set's own texts.

    `config` is DeepSpeed's.

    Raises:
        CheckpointError: the recipe's checkpoint is no Qwen-VL.
        DataError: the recipe names nothing to train.
    """
    import torch

    if not recipe.trains:
        raise DataError(f"recipe {recipe.name} trains nothing: {HOW_TO_TRAIN}")
    min_pixels = recipe.policy.train_min_pixels or recipe.protocol.min_pixels
    max_pixels = recipe.policy.train_max_pixels or recipe.protocol.max_pixels
    dtype = torch.bfloat16 if process.bf16 else torch.float32
    source: str | Path | None = recipe.policy.checkpoint
    if source is None:
        source = out / "start"
        if process.is_main:
            _build_tiny(shards, source, recipe, min_pixels, max_pixels)
        barrier()
    if recipe.sft.zero_stage == 3:
        from transformers.integrations import HfDeepSpeedConfig

        # While this object exists, `from_pretrained` partitions the weights over the processes as it reads them.
        partitioning = HfDeepSpeedConfig(config)
        policy = load_policy(source, min_pixels=min_pixels, max_pixels=max_pixels, dtype=dtype)
        del partitioning
        return policy
    return load_policy(source, min_pixels=min_pixels, max_pixels=max_pixels, dtype=dtype)


def _build_tiny(shards: ShardSet, target: Path, recipe: Recipe, min_pixels: int, max_pixels: int) -> None:
    from train.policy.tiny import build_tiny

    texts = [
        part["text"]
        for row in shards.trajectories()
        for message in row["messages"]
        for part in message["parts"]
        if part["text"]
    ]
    sizes = recipe.policy.tiny or TinyModel()
    build_tiny(sizes, texts, target, min_pixels=min_pixels, max_pixels=max_pixels, seed=recipe.sft.seed)


def make_trainable(policy: Policy, recipe: Recipe) -> PreTrainedModel | PeftModel:
    """Freeze, add adapters, enable activation checkpointing. Afterwards, what requires a gradient is trained.

    Raises:
        DataError: the recipe combines adapters with ZeRO-3.
    """
    model: PreTrainedModel | PeftModel = policy.model
    if recipe.policy.lora_rank:
        if recipe.sft.zero_stage == 3:
            raise DataError(
                "adapters are merged before saving, which ZeRO-3 does not support; set sft.zero_stage to 2 with "
                "policy.lora_rank"
            )
        model = with_lora(policy.model, recipe.policy.lora_rank)
    elif recipe.policy.freeze_vision:
        freeze_vision(policy.model)
    if recipe.sft.packing:
        attend_within_trajectories(policy.model)
    if recipe.sft.gradient_checkpointing:
        policy.model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model


def frame_source(
    policy: Policy, pixels: FramePixels, settings: SftSettings, timer: PhaseTimer
) -> FramePixels | FrameFeatures:
    """Features where the tower is frozen and a cache is configured, otherwise pixels; times the tower either way."""
    tower = policy.model.model.visual
    cost = TowerFlops.of(policy.model)
    folder = Path(settings.vision_cache_folder) if settings.vision_cache_folder else None
    if any(weight.requires_grad for weight in tower.parameters()) or not (settings.vision_cache_gb or folder):
        timer.watch(tower, cost)
        return pixels
    tower = tower_for_features(policy.model, settings.zero_stage)
    timer.watch(tower, cost)
    pixels.disable_cache()
    return FrameFeatures(tower, pixels, memory_bytes=int(settings.vision_cache_gb * 2**30), folder=folder)


def count_parameters(model: nn.Module, *, trained_only: bool = False) -> int:
    return sum(parameter_size(p) for p in model.parameters() if p.requires_grad or not trained_only)
