"""The section `sft`: supervised fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videozoomer.settings.base import Positive, Settings, Share

Weight = Annotated[float, Field(ge=0)]


class SftSettings(Settings):
    operational = frozenset({"vision_cache_gb", "vision_cache_folder", "peak_tflops"})

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
    """Trajectories of one forward pass on one device; with `packing`, packing_tokens decides instead."""
    length_window: Positive = 1
    """Steps that exchange trajectories so that each holds some of like length (their order stays random); 1 sorts within
    each step only. Useful where a step is few forward passes and lengths differ much."""
    packing: bool = False
    """Lay trajectories end to end in one row, without padding; none sees another."""
    packing_tokens: Positive | None = None
    """Tokens of a packed row, as many as a device has memory for; null takes max_tokens."""
    max_tokens: Positive = 32_768
    """Longer trajectories are left out, and counted."""
    zero_stage: Literal[0, 1, 2, 3] = 3
    """DeepSpeed ZeRO stage."""
    bf16: bool = True
    """Train in bfloat16 where the device has it."""
    gradient_checkpointing: bool = True
    """Recompute activations to save memory."""
    failed_turn_weight: Share = 0.0
    """Loss weight of the failed turns of a reflection; the paper's recipe would be 1."""
    zoom_turn_weight: Weight = 1.0
    """Loss weight of turns that zoom."""
    answer_turn_weight: Weight = 1.0
    """Loss weight of turns that answer."""
    reflection_weight: Weight = 1.0
    """Loss weight of reflections, on top of that of their turns."""
    vision_cache_gb: Annotated[float, Field(ge=0)] = 2.0
    """Memory of each process for the features of frames that a frozen vision tower has seen; 0 computes them each time."""
    vision_cache_folder: str | None = None
    """Folder that keeps those features too, for later epochs and runs with the same tower; 0.9 MB a frame of 128 tokens at
    7B. null keeps none."""
    validation_steps: Positive | None = None
    """Steps after which the loss on held-out rows is measured; null measures it before the first and after the last."""
    keep: Literal["last", "best"] = "last"
    """Whether checkpoint/ holds the last weights or those with the least held-out loss, looked for every validation_steps."""
    checkpoint_steps: Positive = 50
    """Steps after which the state is saved, so that a killed run goes on from there."""
    processes: Positive = 1
    """Processes (devices) on this machine."""
    peak_tflops: Annotated[float, Field(gt=0)] | None = None
    """What one device can do at best, in 10^12 operations a second (H100, bf16: 989); with it `mfu` is reported."""
    seed: int = 0
    """Seed of the order and of a random model."""

    @model_validator(mode="after")
    def _fits_together(self) -> SftSettings:
        if self.keep == "best" and self.validation_steps is None:
            raise ValueError("keep: best needs validation_steps, the steps after which the held-out loss is measured")
        if self.packing and (self.packing_tokens or self.max_tokens) < self.max_tokens:
            raise ValueError(
                "packing_tokens must not be less than max_tokens: the longest trajectory has to fit into a row"
            )
        return self
