"""Packing: several trajectories end to end in one row, none attending to another.

A packed row has a fourth axis of positions before the model's three: each trajectory counts from 0, which is how
transformers itself marks packed rows. Attention is computed trajectory by trajectory, so a row costs as much as its
trajectories alone. A block-diagonal mask would cost every pair of tokens in the row, and torch has a faster kernel
without a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from train.policy.collate import Sample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = "packed_sdpa"


def attend_within_trajectories(model: PreTrainedModel) -> None:
    """Prepare the language model for packed rows. Such a model is for training, not for generation with a mask."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    model.config.get_text_config()._attn_implementation = NAME


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    position_ids: torch.Tensor | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Signature of transformers' attention functions: (rows, heads, tokens, width) to (rows, tokens, heads, width)."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if position_ids is None or len(position_ids) != 1:
        raise ValueError("a model prepared for packed rows needs one row at a time, with four axes of positions")
    lengths = trajectory_lengths(position_ids[0])
    pieces = zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    return torch.cat([sdpa_attention_forward(module, *piece, None, **more)[0] for piece in pieces], dim=1), None


def trajectory_lengths(positions: torch.Tensor) -> list[int]:
    """Tokens of each trajectory in a row: a new trajectory starts where the count restarts."""
    starts = [0, *((positions.diff() != 1).nonzero().flatten() + 1).tolist(), len(positions)]
    return [after - before for before, after in pairwise(starts)]


def packed_rows(samples: Sequence[Sample], tokens: int, rank: int, world_size: int) -> list[list[Sample]]:
    """This process's rows of at most `tokens` each; every process gets equally many.

    First-fit decreasing. If some process would get no row, the rows with most trajectories are split in half; as a last
    resort a process gets an empty row.
    """
    rows: list[list[Sample]] = []
    for sample in sorted(samples, key=lambda one: (-len(one), one.row_id)):
        fitting = (row for row in rows if sum(map(len, row)) + len(sample) <= tokens)
        row = next(fitting, None)
        if row is None:
            rows.append([sample])
        else:
            row.append(sample)
    while len(rows) % world_size and any(len(row) > 1 for row in rows):
        fullest = max(rows, key=len)
        rows.remove(fullest)
        rows += [fullest[::2], fullest[1::2]]
    rows.sort(key=lambda row: (-sum(map(len, row)), row[0].row_id))
    rows += [[] for _ in range(-len(rows) % world_size)]
    return rows[rank::world_size]
