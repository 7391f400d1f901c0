"""Which samples a step takes and at what learning rate: functions of the step alone, so a resumed run goes the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.collate import DataError, Sample


def learning_rate(step: int, steps: int, peak: float, warmup_share: float) -> float:
    """Rises over the first `warmup_share` of the steps, then falls to zero along half a cosine. `step` counts from 0."""
    warmup = round(steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@dataclass(frozen=True)
class Order:
    """Samples of every step: one seeded order after another, without a break between epochs.

    The last step of the last epoch is filled up from the next order, so that every step has the same size.
    """

    samples: Sequence[Sample]
    batch_size: int
    seed: int

    def steps(self, epochs: float, max_steps: int | None) -> int:
        steps = max(1, math.ceil(epochs * len(self.samples) / self.batch_size))
        return min(steps, max_steps or steps)

    def of_step(self, step: int) -> list[Sample]:
        """Sorted by length, so that the parts of the step are padded little."""
        count = len(self.samples)
        chosen = []
        for place in range(step * self.batch_size, (step + 1) * self.batch_size):
            epoch, index = divmod(place, count)
            chosen.append(self.samples[self._epoch(epoch)[index]])
        return sorted(chosen, key=lambda sample: (len(sample), sample.row_id))

    def _epoch(self, epoch: int) -> list[int]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.samples)).tolist()


def accumulation(batch_size: int, micro_batch_size: int, world: int) -> int:
    """Forward passes that one device makes for one step.

    Raises:
        DataError: the sizes do not divide.
    """
    at_once = micro_batch_size * world
    if batch_size % at_once:
        raise DataError(
            f"sft.batch_size {batch_size} is no multiple of sft.micro_batch_size {micro_batch_size} x {world} processes; change one of them"
        )
    return batch_size // at_once


def parts(samples: Sequence[Sample], size: int, rank: int, world: int) -> list[list[Sample]]:
    """This process's share of a step: parts of `size` samples; at each turn all processes hold samples of like length."""
    cut = [list(samples[start : start + size]) for start in range(0, len(samples), size)]
    return cut[rank::world]
