"""Vision attention over many small frames at once.

Without flash attention, transformers makes one attention call for each window of each image: 80 frames of one window
each are 80 calls per layer. Windows do not attend to each other, so those of equal length fit into one batched call;
the result is the same up to the order of sums. With flash attention the original stays.
"""

from __future__ import annotations

import sys
from types import MethodType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn


class VisionAttention(Protocol):
    """What the vision attention modules of Qwen2.5-VL and Qwen3-VL have in common."""

    num_heads: int
    scaling: float

    def qkv(self, hidden_states: torch.Tensor, /) -> torch.Tensor: ...

    def proj(self, mixed: torch.Tensor, /) -> torch.Tensor: ...


def batch_vision_attention(model: nn.Module) -> int:
    """Batch windows of equal length in every vision attention of this model; returns the number of layers found."""
    found = [
        module
        for module in model.modules()
        if type(module).__name__.endswith("VisionAttention") and hasattr(module, "qkv")
    ]
    for module in found:
        # nn.Module declares its attributes as tensors or modules; this one is the model's configuration.
        if "flash" not in str(vars(module)["config"]._attn_implementation):
            module.forward = MethodType(_forward, module)
    return len(found)


def _forward(
    self: VisionAttention,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    **_: object,
) -> torch.Tensor:
    """As the module's own forward: (patches, width) in and out; `cu_seqlens` are the cumulative window lengths."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    rotate = sys.modules[type(self).__module__].apply_rotary_pos_emb_vision
    patches = hidden_states.shape[0]
    query, key, value = self.qkv(hidden_states).reshape(patches, 3, self.num_heads, -1).permute(1, 0, 2, 3).unbind(0)
    query, key = rotate(query, key, *position_embeddings)
    lengths = cu_seqlens.diff()
    mixed = torch.empty_like(query)
    for length in lengths.unique().tolist():
        starts = cu_seqlens[:-1][lengths == length]
        rows = (starts[:, None] + torch.arange(length, device=starts.device)).flatten()
        queries, keys, values = (
            part[rows].reshape(len(starts), length, self.num_heads, -1).transpose(1, 2) for part in (query, key, value)
        )
        attended = scaled_dot_product_attention(queries, keys, values, scale=self.scaling).transpose(1, 2)
        mixed = mixed.index_copy(0, rows, attended.reshape(len(rows), self.num_heads, -1))
    return self.proj(mixed.reshape(patches, -1))
