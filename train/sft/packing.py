"""Several trajectories in one row, end to end, none seeing another.

A packed row carries a fourth axis of positions before the model's three: each trajectory's own count from 0, the form
in which transformers itself marks packed rows. Attention is taken trajectory by trajectory, so a row costs what its
trajectories cost alone: a block-diagonal mask would pay for every pair of tokens in the row, and without a mask torch
has a faster kernel.
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
    """Make the language model take packed rows; such a model is for training, not for generation with a mask."""
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
    """As transformers' attention functions: (rows, heads, tokens, width) in, (rows, tokens, heads, width) out."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if position_ids is None or len(position_ids) != 1:
        raise ValueError("a model for packed rows takes one row at a time, with four axes of positions")
    lengths = lengths_of(position_ids[0])
    pieces = zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    return torch.cat([sdpa_attention_forward(module, *piece, None, **more)[0] for piece in pieces], dim=1), None


def lengths_of(positions: torch.Tensor) -> list[int]:
    """Tokens of each trajectory of a row: a new one begins where the count from 0 begins again."""
    starts = [0, *((positions.diff() != 1).nonzero().flatten() + 1).tolist(), len(positions)]
    return [after - before for before, after in pairwise(starts)]


def rows_of(samples: Sequence[Sample], tokens: int, rank: int, world: int) -> list[list[Sample]]:
    """This process's rows of at most `tokens` each, every process the same number of them.

    First fit, the longest first. Where there is no row for some process, the fullest rows are halved; an empty row
    stands where even that does not help.
    """
    rows: list[list[Sample]] = []
    for sample in sorted(samples, key=lambda one: (-len(one), one.row_id)):
        fitting = (row for row in rows if sum(map(len, row)) + len(sample) <= tokens)
        row = next(fitting, None)
        if row is None:
            rows.append([sample])
        else:
            row.append(sample)
    while len(rows) % world and any(len(row) > 1 for row in rows):
        fullest = max(rows, key=len)
        rows.remove(fullest)
        rows += [fullest[::2], fullest[1::2]]
    rows.sort(key=lambda row: (-sum(map(len, row)), row[0].row_id))
    rows += [[] for _ in range(-len(rows) % world)]
    return rows[rank::world]
