"""Keys and values of many episodes being played, of which those of a group share their beginning.

A group's beginning (question and overview, a thousand tokens or more) is kept once, however many episodes go on from it,
and attended to once for all of them. What each row adds lies in its own stretch of one buffer, so rows may go at
different speeds, pause, or have ended, without columns in between. The model's own code is used for everything but
attention itself, through transformers' register of attention functions. For playing only: no gradients.
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
    """`begin` once with one row a group; after that `feed` any rows, numbered group by group."""

    def __init__(self, model: PreTrainedModel, group: int) -> None:
        self.model, self.group = model, group
        layers = model.config.get_text_config().num_hidden_layers
        self._beginning: list[tuple[torch.Tensor, torch.Tensor]] = []
        """Of each layer, keys and values (groups, key heads, columns, width)."""
        self._own: list[tuple[torch.Tensor, torch.Tensor]] = [(torch.empty(0), torch.empty(0))] * layers
        """The same of what the rows added: (rows, key heads, columns, width)."""
        self._shared = torch.empty(0, dtype=torch.long)
        self.used = torch.empty(0, dtype=torch.long)
        """(rows,): tokens that each row added."""
        self._rows = torch.empty(0, dtype=torch.long)
        self._lengths = torch.empty(0, dtype=torch.long)

    def begin(self, lengths: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Take the common beginnings, (groups, columns) padded on the right; logits after each one's last token."""
        self._shared = lengths.to(self.model.device)
        logits = self._call((lengths - 1)[:, None], inputs)
        self.used = torch.zeros(len(lengths) * self.group, dtype=torch.long, device=self.model.device)
        return logits

    def feed(self, rows: torch.Tensor, lengths: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Append to these rows, each `lengths` of its padded columns; logits after each row's last token."""
        device = self.model.device
        self._rows, self._lengths = rows.to(device), lengths.to(device)
        self._make_room(int((self.used[self._rows] + self._lengths).max()))
        logits = self._call((lengths - 1)[:, None], inputs)
        self.used[self._rows] += self._lengths
        return logits

    def _call(self, keep: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        with _attending(self.model):
            return self.model(
                **inputs, past_key_values=self, use_cache=True, logits_to_keep=keep.to(self.model.device), groups=self
            ).logits[:, 0]

    def _make_room(self, columns: int) -> None:
        held = self._own[0][0].shape[2] if self._own[0][0].dim() == 4 else 0
        if columns <= held:
            return
        grown = max(columns, 2 * held, 64)
        for layer, pair in enumerate(self._own):
            _, heads, _, width = self._beginning[layer][0].shape
            fresh = [
                torch.zeros(len(self.used), heads, grown, width, dtype=part.dtype, device=part.device)
                for part in self._beginning[layer]
            ]
            for old, new in zip(pair, fresh, strict=True):
                if held:
                    new[:, :, :held] = old
            self._own[layer] = (fresh[0], fresh[1])

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Called by each layer of the model with what is new, which it gets back."""
        if len(self._beginning) <= layer:
            self._beginning.append((key.contiguous(), value.contiguous()))
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
        """Attention of (rows, heads, columns, width) over all that those rows have seen."""
        if not len(self.used):
            return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=True)
        return (self._one_token if query.shape[2] == 1 else self._block)(layer, query, scale)

    def _block(self, layer: int, query: torch.Tensor, scale: float) -> torch.Tensor:
        """Group by group: the beginning is repeated for the rows of one group at a time."""
        out = torch.zeros_like(query)
        groups = self._rows // self.group
        for group in groups.unique().tolist():
            here = (groups == group).nonzero()[:, 0]
            shared, width = int(self._shared[group]), int(self._lengths[here].max())
            rows, before = self._rows[here], self.used[self._rows[here]]
            # The longest block may be another row's than the longest past: no row reaches further than there is room.
            last = min(int(before.max()) + width, self._own[layer][0].shape[2])
            pair = [
                torch.cat([begun[group, :, :shared].expand(len(rows), -1, -1, -1), own[rows, :, :last]], dim=2)
                for begun, own in zip(self._beginning[layer], self._own[layer], strict=True)
            ]
            reach = before[:, None] + torch.arange(width, device=query.device)
            seen = torch.arange(last, device=query.device) <= reach[..., None]
            mask = torch.cat([seen.new_ones(len(rows), width, shared), seen], dim=2)[:, None]
            out[here, :, :width] = scaled_dot_product_attention(
                query[here, :, :width], *pair, attn_mask=mask, scale=scale, enable_gqa=True
            )
        return out

    def _one_token(self, layer: int, query: torch.Tensor, scale: float) -> torch.Tensor:
        """All rows of all groups at once: a group's queries meet its beginning as one matrix."""
        (begun_keys, begun_values), (own_keys, own_values) = self._beginning[layer], self._own[layer]
        groups, heads, shared, width = begun_keys.shape
        # Of the rows that go on: one that has ended may fill its columns to the last.
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
        first = (by_group(asked) @ begun_keys.transpose(-1, -2)).float().masked_fill(unshared[:, None, None], floor)
        unseen = torch.arange(last, device=query.device) > self.used[:, None]
        then = (asked @ own_keys[:, :, :last].transpose(-1, -2)).float().masked_fill(unseen[:, None, None], floor)
        weight = torch.cat([by_row(first), then], dim=-1).softmax(-1).to(query.dtype)
        mixed = by_row(by_group(weight[..., :shared]) @ begun_values) + weight[..., shared:] @ own_values[:, :, :last]
        return mixed[self._rows].reshape(len(query), -1, 1, width)


@contextmanager
def _attending(model: PreTrainedModel) -> Iterator[None]:
    """The language model attends through the cache that a call brings along."""
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
    return groups.attend(module.layer_idx, query, key, value, scaling).transpose(1, 2), None
