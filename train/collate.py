"""From rows of an SFT data set to the tensors of one forward pass, and the loss over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shards.schema import frame_ids
from train.pixels import FramePixels
from train.policy import Policy
from train.tokens import Chat, Tokens
from zoom.messages import from_rows

if TYPE_CHECKING:
    import torch


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
class Prepared:
    samples: list[Sample]
    too_long: list[str]
    """Rows longer than the limit: left out, never cut."""
    untrained: list[str]
    """Rows in which no token has a weight."""


def prepare(
    rows: Iterable[dict], chat: Chat, pixels: FramePixels, size: Callable[[str], tuple[int, int]], *, max_tokens: int, failed_turn_weight: float
) -> Prepared:
    """Tokenise every row; `size` gives a frame's width and height in pixels, so that no JPEG is opened yet."""
    prepared = Prepared([], [], [])
    for row in rows:
        counts = {frame: pixels.tokens_of_size(*size(frame)) for frame in dict.fromkeys(frame_ids("sft", row))}
        sample = Sample(row["id"], chat.encode(from_rows(row["messages"]), counts.__getitem__, failed_turn_weight=failed_turn_weight))
        if len(sample) > max_tokens:
            prepared.too_long.append(row["id"])
        elif not sample.weight:
            prepared.untrained.append(row["id"])
        else:
            prepared.samples.append(sample)
    return prepared


@dataclass(frozen=True, slots=True)
class Batch:
    """`inputs` go to the model as they are; the others have one column for each token that has a loss."""

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    """(samples, trained tokens)"""
    weights: torch.Tensor
    """(samples, trained tokens), 0 where padded"""

    def to(self, device: torch.device) -> Batch:
        moved = {name: value.to(device, non_blocking=True) for name, value in self.inputs.items()}
        return Batch(moved, self.targets.to(device), self.weights.to(device))


def collate(samples: Sequence[Sample], policy: Policy, pixels: FramePixels) -> Batch:
    """Pad on the right and load the pixels.

    There is no attention mask: what is padded stands after all that counts, where causal attention never looks, and
    without a mask the attention is a faster one. Positions are the model's own three-axis ones, counted here because
    the model would need the mask to count them. `logits_to_keep` asks for logits only where a loss is taken, some
    tenth of the tokens, so that the vocabulary's share of time and memory stays small.

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
    if frames := [frame for sample in samples for frame in sample.tokens.frame_ids]:
        inputs["pixel_values"], inputs["image_grid_thw"] = pixels.load(frames)
        shown = int(inputs["image_grid_thw"].prod(-1).sum()) // pixels.processor.merge_size**2
        if shown != int(images.sum()):
            raise DataError(
                f"the frames of {samples[0].row_id} and {len(samples) - 1} others give {shown} visual tokens where their sizes said "
                f"{int(images.sum())}; build the data set again"
            )
    inputs["position_ids"], _ = policy.model.model.get_rope_index(
        ids, images.int(), image_grid_thw=inputs.get("image_grid_thw"), attention_mask=mask
    )
    return Batch(inputs, targets, weights)


def weighted_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sum over tokens of weight x cross-entropy, in float32. `logits`: (samples, trained tokens, vocabulary)."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(logits.float().flatten(0, 1), batch.targets.flatten(), reduction="none")
    return (losses * batch.weights.flatten()).sum()
