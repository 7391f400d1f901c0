"""Operations that an optimiser step needs, to compare speed with (a multiplication and an addition count two).

A matrix of n weights costs 2n per token forward, 2n for the gradient of its input, and 2n for its own gradient where it
is trained: together the well-known 6n. Attention between two tokens costs 4 x width per layer forward and twice that
backward. Recomputed activations and padding do not count as needed; embeddings, norms and activation functions are left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.policy.collate import Sample
from train.run.deepspeed_engine import parameter_size

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class LanguageFlops:
    """Forward and backward pass of the language model."""

    token: float
    head: float
    """A token whose logits are requested."""
    pair: float
    """A pair of tokens, one attending to the other, in all layers."""

    @classmethod
    def of(cls, model: PreTrainedModel | PeftModel) -> LanguageFlops:
        """Call it after freezing parts and adding adapters."""
        core = _core(model)
        text = core.config.get_text_config()
        # Qwen2.5-VL's configuration has no head size of its own, Qwen3-VL's has.
        width = text.num_attention_heads * (
            getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        )
        return cls(
            _matrices(core.model.language_model, backward=True),
            _weight_cost(core.lm_head.weight, backward=True),
            3 * 4.0 * text.num_hidden_layers * width,
        )

    def of_samples(self, samples: Iterable[Sample]) -> float:
        """Each trajectory attends causally to itself only."""
        total = 0.0
        for sample in samples:
            count = len(sample)
            trained = sum(weight != 0 for weight in sample.tokens.weights)
            total += self.token * count + self.head * trained + self.pair * count * (count + 1) / 2
        return total


@dataclass(frozen=True, slots=True)
class TowerFlops:
    """Forward pass of the vision tower and projector, and their backward pass where they are trained."""

    patch: float
    pair: float
    """A pair of patches, one attending to the other, in one layer."""
    full_layers: int
    """Layers in which a patch attends to its whole frame."""
    window_layers: int
    window_patches: int

    @classmethod
    def of(cls, model: PreTrainedModel | PeftModel) -> TowerFlops:
        core = _core(model)
        tower, config = core.model.visual, core.config.vision_config
        trained = any(weight.requires_grad for weight in tower.parameters())
        merging = sum(_matrices(part, backward=trained) for name, part in tower.named_children() if "merger" in name)
        embedding = _weight_cost(tower.patch_embed.proj.weight, backward=False)
        patch = _matrices(tower.blocks, backward=trained) + embedding + merging / config.spatial_merge_size**2
        full = len(getattr(config, "fullatt_block_indexes", range(config.depth)))
        window = (getattr(config, "window_size", 0) // config.patch_size) ** 2
        return cls(patch, (3 if trained else 1) * 4.0 * config.hidden_size, full, config.depth - full, window)

    def of_grids(self, grids: Iterable[Sequence[int]]) -> float:
        """`grids`: times, rows and columns of each frame in patches. Windows at a frame's edge count as full ones."""
        total = 0.0
        for times, rows, columns in grids:
            patches = times * rows * columns
            seen = self.full_layers * patches + self.window_layers * min(patches, self.window_patches)
            total += patches * (self.patch + self.pair * seen)
        return total


def _core(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model inside its adapters."""
    from transformers import PreTrainedModel

    core = model if isinstance(model, PreTrainedModel) else model.get_base_model()
    assert isinstance(core, PreTrainedModel)
    return core


def _matrices(part: nn.Module, *, backward: bool) -> float:
    from torch.nn import Linear

    return sum(
        _weight_cost(module.weight, backward=backward) for module in part.modules() if isinstance(module, Linear)
    )


def _weight_cost(weight: torch.Tensor, *, backward: bool) -> float:
    factor = 2 + (2 if backward else 0) + (2 if weight.requires_grad else 0)
    return float(factor * parameter_size(weight))
