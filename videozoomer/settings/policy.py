"""The section `policy`: the model to train."""

from __future__ import annotations

from typing import Literal

from videozoomer.settings.base import Count, Positive, Settings


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
    """Path or hub name of a Qwen2.5-VL or Qwen3-VL checkpoint; null builds the random model `tiny`."""
    tiny: TinyModel = TinyModel()
    """Sizes of the random model that is built without a checkpoint."""
    train_min_pixels: Positive | None = None
    """Minimum pixels that the image processor keeps of a frame; null takes protocol.min_pixels."""
    train_max_pixels: Positive | None = None
    """Maximum pixels that the image processor keeps of a frame; null takes protocol.max_pixels."""
    freeze_vision: bool = True
    """Leave the vision tower and the projector untrained, as the paper does."""
    lora_rank: Count = 0
    """Rank of the LoRA adapters; 0 trains all weights of the language model, as the paper does."""
