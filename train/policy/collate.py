"""From rows of an SFT data set to the tensors of one forward pass, and the loss over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from train.policy.chat_tokens import OWN_TURNS, Chat, Tokens, TurnWeights
from train.policy.checkpoint import Policy
from train.policy.frame_pixels import FramePixels
from videozoomer.protocol.messages import from_rows
from videozoomer.shards.schema import frame_ids

if TYPE_CHECKING:
    import torch

    from train.policy.frame_features import FrameFeatures


class DataError(ValueError):
    """Rows cannot be trained on; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One trajectory, ready but for its pixels."""

    row_id: str
    tokens: Tokens

    @property
    def weight(self) -> float:
        """Sum of the loss weights: what the loss is divided by."""
        return sum(self.tokens.weights)

    def __len__(self) -> int:
        return len(self.tokens.ids)


@dataclass(frozen=True, slots=True)
class PreparedSamples:
    samples: list[Sample]
    too_long: list[str]
    """Rows longer than the limit: left out, never cut."""
    untrained: list[str]
    """Rows in which no token has a weight."""


def prepare(
    rows: Iterable[dict],
    chat: Chat,
    pixels: FramePixels,
    size: Callable[[str], tuple[int, int]],
    *,
    max_tokens: int,
    turn_weights: TurnWeights = OWN_TURNS,
    kind_weights: Mapping[str, float] | None = None,
) -> PreparedSamples:
    """Tokenise every row; `size` gives a frame's width and height in pixels, so that no JPEG is opened yet.

    `kind_weights` weigh a row's turns by its kind (`exemplar`, `reflection`) once more; kinds not in it count 1.
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
    """`inputs` go to the model as they are; the others have one column for each token that has a loss."""

    inputs: dict[str, Any]
    targets: torch.Tensor
    """(rows, trained tokens)"""
    weights: torch.Tensor
    """(rows, trained tokens), 0 where padded"""

    @property
    def cells(self) -> int:
        """Tokens that go through the model, padding among them."""
        return self.inputs["input_ids"].numel()

    def to(self, device: torch.device) -> TokenBatch:
        return TokenBatch(moved(self.inputs, device), self.targets.to(device), self.weights.to(device))


def moved(value: Any, device: torch.device) -> Any:
    """Tensors within dicts, lists, tuples and transformers' outputs."""
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
    """Pad on the right, or lay all samples end to end in one row (`packed`), and load the pixels or their features.

    There is no attention mask: what is padded stands after all that counts, where causal attention never looks, and
    without a mask the attention is a faster one. Positions are the model's own three-axis ones, counted here because
    the model would need the mask to count them. `logits_to_keep` asks for logits only where a loss is taken, some
    tenth of the tokens, so that the vocabulary's share of time and memory stays small.

    A packed row needs a model prepared by `train.sft.packing.attend_within_trajectories`; its positions have a fourth axis,
    the first, that counts each sample's tokens from 0.

    Raises:
        DataError: a frame takes another number of tokens than its size said.
    """
    import torch

    longest = max(len(sample) for sample in samples)
    trained = [[i for i, weight in enumerate(sample.tokens.weights) if weight] for sample in samples]
    width = max(map(len, trained))
    ids = torch.full((len(samples), longest), policy.chat.pad)
    mask = torch.zeros(len(samples), longest, dtype=torch.long)
    before = torch.zeros(len(samples), width, dtype=torch.long)
    targets = torch.zeros(len(samples), width, dtype=torch.long)
    weights = torch.zeros(len(samples), width)
    for row, (sample, places) in enumerate(zip(samples, trained, strict=True)):
        ids[row, : len(sample)] = torch.tensor(sample.tokens.ids)
        mask[row, : len(sample)] = 1
        where = torch.tensor(places)
        # The logits that predict a token stand one place before it.
        before[row, : len(places)] = where - 1
        targets[row, : len(places)] = ids[row, where]
        weights[row, : len(places)] = torch.tensor([sample.tokens.weights[i] for i in places])
    images = ids == policy.chat.image
    inputs = {"input_ids": ids, "logits_to_keep": before}
    grid = None
    if frames := [frame for sample in samples for frame in sample.tokens.frame_ids]:
        seen, grid = pixels.inputs(frames)
        inputs |= seen
        shown = int(grid.prod(-1).sum()) // pixels.processor.merge_size**2
        if shown != int(images.sum()):
            raise DataError(
                f"the frames of {samples[0].row_id} and {len(samples) - 1} others give {shown} visual tokens where their sizes said "
                f"{int(images.sum())}; build the data set again"
            )
    inputs["position_ids"], _ = policy.model.model.get_rope_index(
        ids, images.int(), image_grid_thw=grid, attention_mask=mask
    )
    padded = TokenBatch(inputs, targets, weights)
    return _end_to_end(padded, mask.bool()) if packed else padded


def _end_to_end(batch: TokenBatch, real: torch.Tensor) -> TokenBatch:
    """The rows of a padded batch as one row without its padding; `real` is False in padding."""
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
