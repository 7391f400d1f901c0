"""Rows of an SFT data set as the tensors of one forward pass, and the loss over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from train.policy.chat_tokens import Chat, Tokens
from train.policy.checkpoint import Policy
from train.policy.frame_pixels import FramePixels
from train.policy.loss_mask import OWN_TURNS, TurnWeights
from videozoomer.protocol.message_rows import from_rows
from videozoomer.shards.rows import SftShardRow
from videozoomer.shards.schema import frame_ids

if TYPE_CHECKING:
    import torch

    from train.policy.frame_features import FrameFeatures


class DataError(ValueError):
    """Rows that cannot be trained on; the message names them and the reason."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One trajectory, complete except for its pixels."""

    row_id: str
    tokens: Tokens

    @property
    def weight(self) -> float:
        """Sum of the loss weights, which the loss is divided by."""
        return sum(self.tokens.weights)

    def __len__(self) -> int:
        return len(self.tokens.ids)


@dataclass(frozen=True, slots=True)
class PreparedSamples:
    samples: list[Sample]
    too_long: list[str]
    """Ids of rows longer than the limit: left out, never truncated."""
    untrained: list[str]
    """Ids of rows in which no token has a weight."""


def prepare(
    rows: Iterable[SftShardRow],
    chat: Chat,
    pixels: FramePixels,
    size: Callable[[str], tuple[int, int]],
    *,
    max_tokens: int,
    turn_weights: TurnWeights = OWN_TURNS,
    kind_weights: Mapping[str, float] | None = None,
) -> PreparedSamples:
    """Tokenise every row. `size` returns a frame's width and height in pixels, so no JPEG is opened yet.

    `kind_weights` scale the weights of a row's turns by its kind (`exemplar`, `reflection`); kinds without one count 1.
    """
    prepared = PreparedSamples([], [], [])
    for row in rows:
        counts = {frame: pixels.tokens_of_size(*size(frame)) for frame in dict.fromkeys(frame_ids("sft", row))}
        tokens = chat.encode(from_rows(row["messages"]), counts.__getitem__, turn_weights=turn_weights)
        if (factor := (kind_weights or {}).get(row["kind"], 1.0)) != 1.0:
            tokens = replace(tokens, weights=[weight * factor for weight in tokens.weights])
        sample = Sample(row["id"], tokens)
        if len(sample) > max_tokens:
            prepared.too_long.append(row["id"])
        elif not sample.weight:
            prepared.untrained.append(row["id"])
        else:
            prepared.samples.append(sample)
    return prepared


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """`inputs` are the model's arguments; `targets` and `weights` have one column per token with a loss."""

    inputs: dict[str, Any]
    targets: torch.Tensor
    """(rows, trained tokens)"""
    weights: torch.Tensor
    """(rows, trained tokens), 0 where padded"""

    @property
    def cells(self) -> int:
        """Tokens that go through the model, including padding."""
        return self.inputs["input_ids"].numel()

    def to(self, device: torch.device) -> TokenBatch:
        return TokenBatch(moved(self.inputs, device), self.targets.to(device), self.weights.to(device))


def moved(value: Any, device: torch.device) -> Any:
    """Move all tensors within dicts, lists, tuples and outputs of transformers."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return type(value)(**{name: moved(inner, device) for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(moved(inner, device) for inner in value)
    return value


def collate(
    samples: Sequence[Sample], policy: Policy, pixels: FramePixels | FrameFeatures, *, packed: bool = False
) -> TokenBatch:
    """Pad on the right, or concatenate all samples in one row (`packed`), and load pixels or features.

    There is no attention mask: padding comes after everything that counts, where causal attention never looks, and
    attention without a mask has a faster kernel. Positions are the model's own three-axis ones, computed here because
    the model would need the mask to compute them. `logits_to_keep` requests logits only for tokens with a loss, about a
    tenth of all, which keeps the vocabulary's share of time and memory small.

    A packed row needs a model prepared by `train.sft.packing.attend_within_trajectories`. Its positions have a fourth
    axis, the first, which counts each sample's tokens from 0.

    Raises:
        DataError: a frame yields a different number of tokens than its recorded size implies.
    """
    import torch

    longest = max(len(sample) for sample in samples)
    trained = [[i for i, weight in enumerate(sample.tokens.weights) if weight] for sample in samples]
    width = max(map(len, trained))
    ids = torch.full((len(samples), longest), policy.chat.pad)
    mask = torch.zeros(len(samples), longest, dtype=torch.long)
    predicted_from = torch.zeros(len(samples), width, dtype=torch.long)
    targets = torch.zeros(len(samples), width, dtype=torch.long)
    weights = torch.zeros(len(samples), width)
    for row, (sample, columns) in enumerate(zip(samples, trained, strict=True)):
        ids[row, : len(sample)] = torch.tensor(sample.tokens.ids)
        mask[row, : len(sample)] = 1
        where = torch.tensor(columns)
        # The logits that predict a token are those of the token before it.
        predicted_from[row, : len(columns)] = where - 1
        targets[row, : len(columns)] = ids[row, where]
        weights[row, : len(columns)] = torch.tensor([sample.tokens.weights[i] for i in columns])
    images = ids == policy.chat.image
    inputs = {"input_ids": ids, "logits_to_keep": predicted_from}
    grid = None
    if frames := [frame for sample in samples for frame in sample.tokens.frame_ids]:
        frame_inputs, grid = pixels.inputs(frames)
        inputs |= frame_inputs
        _check_frame_tokens(samples, grid, int(images.sum()), pixels)
    inputs["position_ids"], _ = policy.model.model.get_rope_index(
        ids, images.int(), image_grid_thw=grid, attention_mask=mask
    )
    padded = TokenBatch(inputs, targets, weights)
    return _end_to_end(padded, mask.bool()) if packed else padded


def _check_frame_tokens(
    samples: Sequence[Sample], grid: torch.Tensor, expected: int, pixels: FramePixels | FrameFeatures
) -> None:
    found = int(grid.prod(-1).sum()) // pixels.processor.merge_size**2
    if found != expected:
        raise DataError(
            f"the frames of {samples[0].row_id} and {len(samples) - 1} others give {found} visual tokens, but their "
            f"recorded sizes imply {expected}; build the data set again"
        )


def _end_to_end(batch: TokenBatch, real: torch.Tensor) -> TokenBatch:
    """The rows of a padded batch as one row without padding; `real` is False on padding."""
    import torch

    lengths = real.sum(1)
    starts = lengths.cumsum(0) - lengths
    trained = batch.weights != 0
    count = torch.cat([torch.arange(int(length)) for length in lengths])
    packed = {
        "input_ids": batch.inputs["input_ids"][real][None],
        "logits_to_keep": (batch.inputs["logits_to_keep"] + starts[:, None])[trained][None],
        "position_ids": torch.cat([count[None], batch.inputs["position_ids"][:, real]])[:, None],
    }
    return TokenBatch(batch.inputs | packed, batch.targets[trained][None], batch.weights[trained][None])


def weighted_loss(logits: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
    """Sum over tokens of weight x cross-entropy, in float32. `logits`: (samples, trained tokens, vocabulary)."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(logits.float().flatten(0, 1), batch.targets.flatten(), reduction="none")
    return (losses * batch.weights.flatten()).sum()
