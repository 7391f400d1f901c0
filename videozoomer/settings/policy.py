"""The section `policy`: the model to train."""

from __future__ import annotations

import re
from typing import Literal

from videozoomer.settings.base import Count, Positive, Settings


def is_hub_name(checkpoint: str) -> bool:
    """Whether this could be a model on the Hugging Face hub, which needs no folder."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", checkpoint) is not None


class TinyModel(Settings):
    """A random model of the true architecture, small enough to train on a CPU."""

    architecture: Literal["qwen2_5_vl", "qwen3_vl"] = "qwen2_5_vl"
    """Architecture of the random model."""
    hidden_size: Positive = 128
    """Width of the language model."""
    layers: Positive = 4
    """Layers of the language model."""
    heads: Positive = 4
    """Attention heads of the language model."""
    key_value_heads: Positive = 2
    """Key and value heads of the language model, shared by its attention heads."""
    vision_hidden_size: Positive = 64
    """Width of the vision tower."""
    vision_layers: Positive = 2
    """Layers of the vision tower."""
    vocabulary: Positive = 1024
    """Maximum tokens of the vocabulary."""


class PolicySettings(Settings):
    checkpoint: str | None = None
    """Folder or hub name of a Qwen2.5-VL or Qwen3-VL checkpoint to train. Without it and without `tiny`, a run writes
    data sets and a report, and trains nothing."""
    tiny: TinyModel | None = None
    """A random model, trained where no checkpoint is set: it shows that training works and learns little. `{}` takes
    its default sizes."""
    train_min_pixels: Positive | None = None
    """Minimum pixels that the image processor keeps of a frame; null takes protocol.min_pixels."""
    train_max_pixels: Positive | None = None
    """Maximum pixels that the image processor keeps of a frame; null takes protocol.max_pixels."""
    freeze_vision: bool = True
    """Leave the vision tower and the projector untrained, as the paper does."""
    lora_rank: Count = 0
    """Rank of the LoRA adapters; 0 trains all weights of the language model, as the paper does."""

    @property
    def is_trained(self) -> bool:
        return self.checkpoint is not None or self.tiny is not None

    def digest(self) -> str:
        """As if `tiny` were set: results from when it always was stay current."""
        filled = self if self.tiny is not None else self.model_copy(update={"tiny": TinyModel()})
        return super(PolicySettings, filled).digest()
