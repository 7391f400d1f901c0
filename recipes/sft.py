"""The section `sft`: supervised fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from recipes.settings import Positive, Settings, Share


class SftSettings(Settings):
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the data."""
    max_steps: Positive | None = None
    """Stop after so many optimiser steps."""
    learning_rate: Annotated[float, Field(gt=0)] = 5e-6
    """Peak learning rate; cosine to zero."""
    warmup_share: Share = 0.1
    """Share of steps over which the rate rises."""
    batch_size: Positive = 64
    """Trajectories of one optimiser step, over all devices."""
    micro_batch_size: Positive = 1
    """Trajectories of one forward pass on one device."""
    max_tokens: Positive = 32_768
    """Longer trajectories are left out, and counted."""
    zero_stage: Literal[0, 1, 2, 3] = 3
    """DeepSpeed ZeRO stage."""
    bf16: bool = True
    """Train in bfloat16 where the device has it."""
    gradient_checkpointing: bool = True
    """Recompute activations to save memory."""
    failed_turn_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Loss weight of the failed turns of a reflection; the paper's recipe would be 1."""
    checkpoint_steps: Positive = 50
    """Steps after which the state is saved, so that a killed run goes on from there."""
    processes: Positive = 1
    """Processes (devices) on this machine."""
    seed: int = 0
    """Seed of the order and of a random model."""
