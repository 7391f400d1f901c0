"""One forward pass for a group of rollouts that begin alike: question and overview are computed once.

A group's episodes share their first thousand tokens or more (64 overview frames) and differ only in a few hundred. The
beginning goes through the model once and leaves keys and values, which the endings attend to; gradients flow back
through those keys and values, so they are the same as if every rollout had been computed whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from train.pixels import FramePixels
from train.policy import Policy
from train.tokens import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class GroupBatch:
    """`prefix` has one row, `endings` one for each rollout; the columns of the rest are the tokens that were drawn."""

    prefix: dict[str, torch.Tensor]
    endings: dict[str, torch.Tensor]
    targets: torch.Tensor
    """(rollouts, drawn tokens)"""
    mask: torch.Tensor
    """(rollouts, drawn tokens), 0 where padded"""

    def to(self, device: torch.device) -> GroupBatch:
        def moved(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}

        return GroupBatch(moved(self.prefix), moved(self.endings), self.targets.to(device), self.mask.to(device))


def collate_group(rollouts: Sequence[Tokens], policy: Policy, pixels: FramePixels) -> GroupBatch:
    """The rollouts must share everything before their first drawn token.

    Raises:
        ValueError: they do not.
    """
    first = rollouts[0]
    # The token before the first drawn one predicts it, so it belongs to the endings.
    shared = first.weights.index(1.0) - 1
    frames_before = _frames_within(first, first.ids[:shared].count(policy.chat.image), pixels)
    for tokens in rollouts:
        if tokens.ids[: shared + 1] != first.ids[: shared + 1] or tokens.frame_ids[: len(frames_before)] != frames_before:
            raise ValueError("the rollouts of a group must begin with the same question and overview")
    ids = _padded([tokens.ids for tokens in rollouts], policy.chat.pad)
    mask = _padded([[1] * len(tokens.ids) for tokens in rollouts], 0)
    images = ids == policy.chat.image
    before, after = {}, {}
    grids = []
    if frames_before:
        before["pixel_values"], before["image_grid_thw"] = pixels.load(frames_before)
    later = [tokens.frame_ids[len(frames_before) :] for tokens in rollouts]
    if any(later):
        after["pixel_values"], after["image_grid_thw"] = pixels.load([frame for row in later for frame in row])
    for row in later:
        grids += [before["image_grid_thw"]] if frames_before else []
        grids += [pixels.load(row)[1]] if row else []
    grid = torch.cat(grids) if grids else None
    positions, _ = policy.model.model.get_rope_index(ids, images.int(), image_grid_thw=grid, attention_mask=mask)
    drawn = [[place for place, weight in enumerate(tokens.weights) if weight] for tokens in rollouts]
    width = max(map(len, drawn))
    keep = _padded([[place - 1 - shared for place in row] for row in drawn], 0, width)
    targets = _padded([[tokens.ids[place] for place in row] for tokens, row in zip(rollouts, drawn, strict=True)], 0, width)
    return GroupBatch(
        before | {"input_ids": ids[:1, :shared], "position_ids": positions[:, :1, :shared]},
        after | {"input_ids": ids[:, shared:], "position_ids": positions[:, :, shared:], "logits_to_keep": keep},
        targets, _padded([[1] * len(row) for row in drawn], 0, width).float(),
    )


def _frames_within(tokens: Tokens, image_tokens: int, pixels: FramePixels) -> tuple[str, ...]:
    """The first frames, as many as fill so many image tokens."""
    count = 0
    for index, frame_id in enumerate(tokens.frame_ids):
        if count >= image_tokens:
            return tokens.frame_ids[:index]
        count += pixels.tokens(frame_id)
    return tokens.frame_ids


def _padded(rows: Sequence[Sequence[int]], filler: int, width: int | None = None) -> torch.Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


class SharedPrefix(nn.Module):
    """The policy as a module of which one call is one group, so that an engine sees one forward and one backward."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.policy = model

    def forward(self, prefix: dict[str, torch.Tensor], endings: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits (rollouts, drawn tokens, vocabulary)."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self.policy.config.get_text_config())
        self.policy(**prefix, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_repeat_interleave(endings["input_ids"].shape[0])
        return self.policy(**endings, past_key_values=cache, use_cache=True).logits


def token_logprobs(
    logits: torch.Tensor, targets: torch.Tensor, never_sampled: list[int], temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the targets and entropies, under the distribution that sampling draws from."""
    logits = logits.float() / temperature
    # A finite floor: the entropy of an infinite one is not a number.
    logits = logits.index_fill(-1, torch.tensor(never_sampled, device=logits.device), -1e9)
    logprobs = logits.log_softmax(-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets[..., None])[..., 0], entropy
