"""Operations that an optimiser step needs: what speed is held against (a multiplication and an addition are two).

A matrix of n weights costs 2n for a token forward, 2n for the gradient of its input, and 2n for its own where it is
trained: together the well-known 6n. Attention between two tokens costs 4 x width a layer forward and twice that
backward. Recomputed activations and padding are no part of what is needed; embeddings, norms and activation functions
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.policy.collate import Sample

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class LanguageFlops:
    """Forward and backward, of the language model."""

    token: float
    head: float
    """A token whose logits are asked for."""
    pair: float
    """Two tokens of which one attends to the other, in all layers."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> LanguageFlops:
        """Call it when frozen parts are frozen and adapters are in place."""
        core = _core(model)
        text = core.config.get_text_config()
        width = text.num_attention_heads * (
            getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        )
        return cls(
            _matrices(core.model.language_model, backward=True),
            _weight_cost(core.lm_head.weight, backward=True),
            3 * 4.0 * text.num_hidden_layers * width,
        )

    def of_samples(self, samples: Iterable[Sample]) -> float:
        """Each trajectory attends causally to itself alone."""
        total = 0.0
        for sample in samples:
            count = len(sample)
            trained = sum(weight != 0 for weight in sample.tokens.weights)
            total += self.token * count + self.head * trained + self.pair * count * (count + 1) / 2
        return total


@dataclass(frozen=True, slots=True)
class TowerFlops:
    """Forward of the vision tower and projector, and backward too where they are trained."""

    patch: float
    pair: float
    """Two patches of which one attends to the other, in one layer."""
    full_layers: int
    """Layers in which a patch attends to its whole frame."""
    window_layers: int
    window_patches: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> TowerFlops:
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
        """`grids`: times, rows and columns of each frame in patches. Windows at a frame's edge count as whole ones."""
        total = 0.0
        for times, rows, columns in grids:
            patches = times * rows * columns
            seen = self.full_layers * patches + self.window_layers * min(patches, self.window_patches)
            total += patches * (self.patch + self.pair * seen)
        return total


def _core(model: PreTrainedModel) -> PreTrainedModel:
    """The model itself, where adapters wrap it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _matrices(part: nn.Module, *, backward: bool) -> float:
    from torch.nn import Linear

    return sum(
        _weight_cost(module.weight, backward=backward) for module in part.modules() if isinstance(module, Linear)
    )


def _weight_cost(weight: torch.Tensor, *, backward: bool) -> float:
    """ZeRO-3 keeps the number of a spread weight in `ds_numel`."""
    times = 2 + (2 if backward else 0) + (2 if weight.requires_grad else 0)
    return float(times * getattr(weight, "ds_numel", weight.numel()))
