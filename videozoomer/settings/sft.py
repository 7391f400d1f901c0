"""The section `sft`: supervised fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from videozoomer.settings.base import OPERATIONAL, Amount, Positive, PositiveNumber, Settings, Share


class SftSettings(Settings):
    epochs: PositiveNumber = 1.0
    """Passes over the data set; the paper takes one."""
    max_steps: Positive | None = None
    """Maximum optimiser steps; null takes all that `epochs` gives."""
    learning_rate: PositiveNumber = 5e-6
    """Peak learning rate, which falls to zero along a cosine; the paper's is 5e-6."""
    warmup_share: Share = 0.1
    """Share of the steps over which the learning rate rises to its peak; the paper's is 0.1."""
    batch_size: Positive = 64
    """Trajectories of one optimiser step, over all devices."""
    micro_batch_size: Positive = 1
    """Trajectories of one forward pass on one device; with `packing`, packing_tokens decides instead."""
    length_window: Positive = 1
    """Steps that exchange trajectories so that each has some of similar length, in random order; 1 sorts within a step
    only. More helps where a step has few forward passes and lengths differ much."""
    packing: bool = False
    """Put trajectories end to end in one row, without padding; none attends to another."""
    packing_tokens: Positive | None = None
    """Tokens of a packed row, as many as fit into a device's memory; null takes max_tokens."""
    max_tokens: Positive = 32_768
    """Maximum tokens of a trajectory; longer ones are left out and counted. The paper's is 32,768."""
    zero_stage: Literal[0, 1, 2, 3] = 3
    """DeepSpeed ZeRO stage; 3, the paper's, divides weights, gradients and optimiser state among the devices."""
    bf16: bool = True
    """Train in bfloat16 where the device has it."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass, which saves memory and costs time."""
    failed_turn_weight: Share = 0.0
    """Loss weight of the failed turns in a reflection; 0 does not train on mistakes, the paper's recipe amounts to
    1."""
    zoom_turn_weight: Amount = 1.0
    """Loss weight of turns that zoom."""
    answer_turn_weight: Amount = 1.0
    """Loss weight of turns that answer."""
    reflection_weight: Amount = 1.0
    """Loss weight of reflections, multiplied with that of their turns."""
    vision_cache_gb: Annotated[Amount, OPERATIONAL] = 2.0
    """Gigabytes of memory, in each process, for features of frames from a frozen vision tower; 0 computes them each
    time."""
    vision_cache_folder: Annotated[str | None, OPERATIONAL] = None
    """Folder that stores these features for later epochs and for runs with the same tower, 0.9 MB a frame of 128 tokens
    at 7B; null stores none."""
    validation_steps: Positive | None = None
    """Steps between measurements of the validation loss; null measures it before the first step and after the last."""
    keep: Literal["last", "best"] = "last"
    """Weights to keep in checkpoint/: the `last`, or those with the `best` validation loss, measured every
    validation_steps."""
    checkpoint_steps: Positive = 50
    """Steps between saves of the training state, from which a killed run resumes."""
    processes: Positive = 1
    """Processes, one a device, on this machine."""
    peak_tflops: Annotated[PositiveNumber | None, OPERATIONAL] = None
    """Peak of one device in 10^12 operations a second (H100 in bfloat16: 989), to report `mfu`; null reports none."""
    seed: int = 0
    """Seed of the order of trajectories and of a random model's weights."""

    @model_validator(mode="after")
    def _fits_together(self) -> SftSettings:
        if self.keep == "best" and self.validation_steps is None:
            raise ValueError("keep: best needs validation_steps, the steps between measurements of the validation loss")
        if self.packing and (self.packing_tokens or self.max_tokens) < self.max_tokens:
            raise ValueError(
                "packing_tokens must not be less than max_tokens: the longest trajectory has to fit into a row"
            )
        return self
