"""Key-value cache for groups of episodes whose conversations share a prefix.

A group's prefix (question and overview, a thousand tokens or more) is stored once and attended to once for all episodes
of the group. Tokens that a row adds are stored contiguously in that row of one buffer, so rows may advance at different
speeds, pause or end without leaving gaps. Everything except attention itself is the model's own code; attention is
replaced through transformers' registry of attention functions. For playing only: no gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "videozoomer_groups"


class GroupCache:
    """Call `begin` once with one row per group, then `feed` any rows, numbered group by group."""

    def __init__(self, model: PreTrainedModel, group: int) -> None:
        self.model, self.group = model, group
        layers = model.config.get_text_config().num_hidden_layers
        self._prefix: list[tuple[torch.Tensor, torch.Tensor]] = []
        """Per layer: keys and values of the prefixes, (groups, key heads, columns, width)."""
        self._own: list[tuple[torch.Tensor, torch.Tensor]] = [(torch.empty(0), torch.empty(0))] * layers
        """Per layer: keys and values that the rows added, (rows, key heads, columns, width)."""
        self._shared = torch.empty(0, dtype=torch.long)
        self.used = torch.empty(0, dtype=torch.long)
        """(rows,): number of tokens that each row added."""
        self._rows = torch.empty(0, dtype=torch.long)
        self._lengths = torch.empty(0, dtype=torch.long)

    def begin(self, lengths: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Store the prefixes, (groups, columns) padded on the right; returns logits after each one's last token."""
        self._shared = lengths.to(self.model.device)
        logits = self._call((lengths - 1)[:, None], inputs)
        self.used = torch.zeros(len(lengths) * self.group, dtype=torch.long, device=self.model.device)
        return logits

    def feed(self, rows: torch.Tensor, lengths: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Append `lengths` of the padded columns to these rows; returns logits after each row's last token."""
        device = self.model.device
        self._rows, self._lengths = rows.to(device), lengths.to(device)
        self._make_room(int((self.used[self._rows] + self._lengths).max()))
        logits = self._call((lengths - 1)[:, None], inputs)
        self.used[self._rows] += self._lengths
        return logits

    def _call(self, keep: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        with _attending(self.model):
            return self.model(
                **inputs,
                cache=self,
                use_cache=True,
                logits_to_keep=keep.to(self.model.device),
                groups=self,
            ).logits[:, 0]

    def _make_room(self, columns: int) -> None:
        held = self._own[0][0].shape[2] if self._own[0][0].dim() == 4 else 0
        if columns <= held:
            return
        grown = max(columns, 2 * held, 64)
        for layer, pair in enumerate(self._own):
            _, heads, _, width = self._prefix[layer][0].shape
            fresh = [
                torch.zeros(len(self.used), heads, grown, width, dtype=part.dtype, device=part.device)
                for part in self._prefix[layer]
            ]
            for old, new in zip(pair, fresh, strict=True):
                if held:
                    new[:, :, :held] = old
            self._own[layer] = (fresh[0], fresh[1])

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Every layer of the model calls this with its new keys and values, and gets the same back."""
        if len(self._prefix) <= layer:
            self._prefix.append((key.contiguous(), value.contiguous()))
        else:
            columns = torch.arange(key.shape[2], device=key.device)
            row, column = (columns < self._lengths[:, None]).nonzero(as_tuple=True)
            place = self.used[self._rows][row] + column
            for kept, new in zip(self._own[layer], (key, value), strict=True):
                kept[self._rows[row], :, place] = new[row, :, column]
        return key, value

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Attention of queries, (rows, heads, columns, width), over everything that those rows have seen."""
        if not len(self.used):
            return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=True)
        return (self._one_token if query.shape[2] == 1 else self._block)(layer, query, scale)

    def _block(self, layer: int, query: torch.Tensor, scale: float) -> torch.Tensor:
        """Group by group, so that the prefix is expanded for the rows of one group at a time."""
        out = torch.zeros_like(query)
        groups = self._rows // self.group
        for group in groups.unique().tolist():
            here = (groups == group).nonzero()[:, 0]
            shared, width = int(self._shared[group]), int(self._lengths[here].max())
            rows, before = self._rows[here], self.used[self._rows[here]]
            # The longest block and the longest past may be in different rows; no row reaches beyond the buffer.
            last = min(int(before.max()) + width, self._own[layer][0].shape[2])
            keys, values = (
                torch.cat([prefix[group, :, :shared].expand(len(rows), -1, -1, -1), own[rows, :, :last]], dim=2)
                for prefix, own in zip(self._prefix[layer], self._own[layer], strict=True)
            )
            reach = before[:, None] + torch.arange(width, device=query.device)
            seen = torch.arange(last, device=query.device) <= reach[..., None]
            mask = torch.cat([seen.new_ones(len(rows), width, shared), seen], dim=2)[:, None]
            out[here, :, :width] = scaled_dot_product_attention(
                query[here, :, :width], keys, values, attn_mask=mask, scale=scale, enable_gqa=True
            )
        return out

    def _one_token(self, layer: int, query: torch.Tensor, scale: float) -> torch.Tensor:
        """All rows of all groups at once: one matrix product per group covers its prefix."""
        (prefix_keys, prefix_values), (own_keys, own_values) = self._prefix[layer], self._own[layer]
        groups, heads, shared, width = prefix_keys.shape
        # Only of the rows that continue: a row that has ended may fill its columns completely.
        each, last = query.shape[1] // heads, int(self.used[self._rows].max()) + 1
        asked = query.new_zeros(len(self.used), heads, each, width)
        asked[self._rows] = query[:, :, 0].reshape(-1, heads, each, width) * scale

        def by_group(rows: torch.Tensor) -> torch.Tensor:
            return (
                rows.reshape(groups, self.group, heads, each, -1)
                .transpose(1, 2)
                .reshape(groups, heads, self.group * each, -1)
            )

        def by_row(grouped: torch.Tensor) -> torch.Tensor:
            return (
                grouped.reshape(groups, heads, self.group, each, -1)
                .transpose(1, 2)
                .reshape(-1, heads, each, grouped.shape[-1])
            )

        floor = torch.finfo(torch.float32).min
        unshared = torch.arange(shared, device=query.device) >= self._shared[:, None]
        first = (by_group(asked) @ prefix_keys.transpose(-1, -2)).float().masked_fill(unshared[:, None, None], floor)
        unseen = torch.arange(last, device=query.device) > self.used[:, None]
        then = (asked @ own_keys[:, :, :last].transpose(-1, -2)).float().masked_fill(unseen[:, None, None], floor)
        weight = torch.cat([by_row(first), then], dim=-1).softmax(-1).to(query.dtype)
        mixed = by_row(by_group(weight[..., :shared]) @ prefix_values) + weight[..., shared:] @ own_values[:, :, :last]
        return mixed[self._rows].reshape(len(query), -1, 1, width)


@contextmanager
def _attending(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, the language model attends through the cache that the call passes."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    config = model.config.get_text_config()
    kept, config._attn_implementation = config._attn_implementation, NAME
    try:
        yield
    finally:
        config._attn_implementation = kept


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    groups: GroupCache,
    **_: object,
) -> tuple[torch.Tensor, None]:
    layer = module.layer_idx
    assert isinstance(layer, int)
    return groups.attend(layer, query, key, value, scaling).transpose(1, 2), None
