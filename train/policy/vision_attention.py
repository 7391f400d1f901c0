"""Vision attention over many small frames at once.

Without flash attention, transformers runs one attention call for every window of every image: 80 frames of one window
each are 80 calls a layer. Windows of the same length do not see each other, so they are one batch of a single call;
the result is the same up to the order of sums. With flash attention the original is left alone.
"""

from __future__ import annotations

import sys
from types import MethodType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


def batch_vision_attention(model: nn.Module) -> int:
    """Make every vision attention of this model take equal windows together; returns how many layers it found."""
    found = [
        module
        for module in model.modules()
        if type(module).__name__.endswith("VisionAttention") and hasattr(module, "qkv")
    ]
    for module in found:
        if "flash" not in str(module.config._attn_implementation):
            module.forward = MethodType(_forward, module)
    return len(found)


def _forward(
    self: nn.Module,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
    **_: object,
) -> torch.Tensor:
    """As the module's own: (patches, width) in and out; `cu_seqlens` holds the windows' bounds."""
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
        windows = [
            part[rows].reshape(len(starts), length, self.num_heads, -1).transpose(1, 2) for part in (query, key, value)
        ]
        attended = scaled_dot_product_attention(*windows, scale=self.scaling).transpose(1, 2)
        mixed = mixed.index_copy(0, rows, attended.reshape(len(rows), self.num_heads, -1))
    return self.proj(mixed.reshape(patches, -1))
