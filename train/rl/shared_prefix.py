"""One forward pass for a group of rollouts with a shared prefix: question and overview are computed once.

A group's episodes share their first thousand tokens or more (64 overview frames) and differ in a few hundred. The
prefix goes through the model once and leaves keys and values that the endings attend to. Gradients flow back through
those keys and values, so they equal the gradients of computing every rollout in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import Policy
from train.policy.collate import moved
from train.policy.frame_pixels import FramePixels

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from train.policy.frame_features import FrameFeatures


MAX_PADDING = 128
"""Tokens of padding that cost about as much as one more call."""


@dataclass(frozen=True, slots=True)
class Endings:
    """The unshared parts of some rollouts of a group, padded to the longest of them."""

    rows: list[int]
    """Indices of these rollouts within the group."""
    inputs: dict[str, Any]
    """`logits_to_keep` has one column per sampled token."""


@dataclass(frozen=True, slots=True)
class GroupBatch:
    prefix: dict[str, Any]
    """The model's inputs for the shared prefix, one row."""
    endings: list[Endings]
    """Rollouts of similar length together, so that a long one does not pad all others."""
    targets: torch.Tensor
    """(rollouts, sampled tokens)"""
    mask: torch.Tensor
    """(rollouts, sampled tokens), 0 where padded"""

    def to(self, device: torch.device) -> GroupBatch:
        endings = [Endings(some.rows, moved(some.inputs, device)) for some in self.endings]
        return GroupBatch(moved(self.prefix, device), endings, self.targets.to(device), self.mask.to(device))


def collate_group(rollouts: Sequence[Tokens], policy: Policy, pixels: FramePixels | FrameFeatures) -> GroupBatch:
    """The rollouts must share everything before their first sampled token.

    Raises:
        ValueError: their prefixes differ.
    """
    first = rollouts[0]
    # The token before the first sampled one predicts it, so it belongs to the endings.
    shared = first.weights.index(1.0) - 1
    frames_before = first.frame_ids[: _frames_within(first.ids[:shared], policy.chat.image)]
    for tokens in rollouts:
        if (
            tokens.ids[: shared + 1] != first.ids[: shared + 1]
            or tokens.frame_ids[: len(frames_before)] != frames_before
        ):
            raise ValueError("the rollouts of a group must start with the same question and overview")
    sampled = [[index for index, weight in enumerate(tokens.weights) if weight] for tokens in rollouts]
    width = max(map(len, sampled))
    before, grid = pixels.inputs(frames_before) if frames_before else ({}, None)
    chunks = [
        Endings(rows, _ending(rollouts, rows, shared, sampled, len(frames_before), grid, policy, pixels))
        for rows in chunks_of_similar_length([len(tokens.ids) - shared for tokens in rollouts])
    ]
    opening = torch.tensor([first.ids[:shared]])
    positions, _ = policy.model.model.get_rope_index(opening, (opening == policy.chat.image).int(), image_grid_thw=grid)
    targets = _padded(
        [[tokens.ids[index] for index in row] for tokens, row in zip(rollouts, sampled, strict=True)], 0, width
    )
    return GroupBatch(
        before | {"input_ids": opening, "position_ids": positions},
        chunks,
        targets,
        _padded([[1] * len(row) for row in sampled], 0, width).float(),
    )


def chunks_of_similar_length(lengths: Sequence[int]) -> list[list[int]]:
    """Rows by length; a new chunk starts where the next row would pad the current chunk by more than MAX_PADDING."""
    chunks: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (lengths[row], row)):
        held = chunks[-1] if chunks else []
        if not held or len(held) * (lengths[row] - lengths[held[-1]]) > MAX_PADDING:
            chunks.append([row])
        else:
            held.append(row)
    return chunks


def _ending(
    rollouts: Sequence[Tokens],
    rows: list[int],
    shared: int,
    sampled: list[list[int]],
    frames_before: int,
    grid: torch.Tensor | None,
    policy: Policy,
    pixels: FramePixels | FrameFeatures,
) -> dict[str, Any]:
    """The model's inputs for these rollouts after the shared tokens. `grid` has the grids of the shared frames."""
    chosen = [rollouts[row] for row in rows]
    ids = _padded([tokens.ids for tokens in chosen], policy.chat.pad)
    mask = _padded([[1] * len(tokens.ids) for tokens in chosen], 0)
    later = [tokens.frame_ids[frames_before:] for tokens in chosen]
    inputs, own = pixels.inputs([frame for row in later for frame in row]) if any(later) else ({}, None)
    grids = []
    for row, after in zip(
        later, own.split([len(row) for row in later]) if own is not None else [None] * len(later), strict=True
    ):
        grids += [grid] if grid is not None else []
        grids += [after] if row else []
    positions, _ = policy.model.model.get_rope_index(
        ids, (ids == policy.chat.image).int(), image_grid_thw=torch.cat(grids) if grids else None, attention_mask=mask
    )
    keep = _padded([[index - 1 - shared for index in sampled[row]] for row in rows], 0)
    return inputs | {"input_ids": ids[:, shared:], "position_ids": positions[:, :, shared:], "logits_to_keep": keep}


def _frames_within(ids: Sequence[int], image: int) -> int:
    """Number of frames among the ids: each is a run of image tokens."""
    return sum(token == image and (not index or ids[index - 1] != image) for index, token in enumerate(ids))


def _padded(rows: Sequence[Sequence[int]], filler: int, width: int | None = None) -> torch.Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


class SharedPrefix(nn.Module):
    """The policy as a module called once per group, so that DeepSpeed sees one forward and one backward pass."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.policy = model

    def forward(
        self,
        prefix: dict[str, Any],
        endings: Sequence[Endings],
        targets: torch.Tensor,
        never_sampled: list[int],
        temperature: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of the targets, and entropies, both (rollouts, sampled tokens)."""
        from transformers import DynamicCache

        prefix_cache = DynamicCache(config=self.policy.config.get_text_config())
        # A copy, because the model modifies the mapping with the features.
        self.policy(**_copied(prefix), cache=prefix_cache, use_cache=True, logits_to_keep=1)
        prefix_pairs = [_keys_and_values(layer) for layer in prefix_cache.layers]
        logprobs = torch.zeros(targets.shape, device=targets.device)
        entropy = torch.zeros_like(logprobs)
        for some in endings:
            cache = DynamicCache(config=self.policy.config.get_text_config())
            for index, (keys, values) in enumerate(prefix_pairs):
                rows = len(some.rows)
                cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), index)
            logits = self.policy(**_copied(some.inputs), cache=cache, use_cache=True).logits
            where = torch.tensor(some.rows, device=targets.device)
            found = token_logprobs(logits, targets[where, : logits.shape[1]], never_sampled, temperature)
            wide = [nn.functional.pad(part, (0, targets.shape[1] - part.shape[1])) for part in found]
            logprobs, entropy = logprobs.index_add(0, where, wide[0]), entropy.index_add(0, where, wide[1])
        return logprobs, entropy


def _keys_and_values(layer: object) -> tuple[torch.Tensor, torch.Tensor]:
    from transformers.cache_utils import DynamicLayer

    assert isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None
    return layer.keys, layer.values


def _copied(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if name == "mm_encoder_outputs" else value for name, value in inputs.items()}


def token_logprobs(
    logits: torch.Tensor, targets: torch.Tensor, never_sampled: list[int], temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the targets, and entropies, under the distribution that sampling uses."""
    logits = logits.float() / temperature
    # A finite floor: with an infinite one the entropy would be NaN.
    logits = logits.index_fill(-1, torch.tensor(never_sampled, device=logits.device), -1e9)
    logprobs = logits.log_softmax(-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets[..., None])[..., 0], entropy
