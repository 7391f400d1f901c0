"""Samples and learning rate of each step: functions of the step alone, so a resumed run continues identically."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.policy.collate import DataError, Sample


def learning_rate(step: int, steps: int, peak: float, warmup_share: float) -> float:
    """Linear warm-up over the first `warmup_share` of the steps, then a cosine decay to zero. `step` counts from 0."""
    warmup = round(steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def step_count(samples: int, batch_size: int, epochs: float, max_steps: int | None) -> int:
    steps = max(1, math.ceil(epochs * samples / batch_size))
    return min(steps, max_steps or steps)


@dataclass(frozen=True)
class Order:
    """Samples of every step: one seeded permutation per epoch, concatenated without a break between epochs.

    The last step takes missing samples from the next permutation, so that all steps have the same size.
    """

    samples: Sequence[Sample]
    batch_size: int
    seed: int
    steps: int
    length_window: int = 1
    """Number of neighbouring steps that redistribute their samples by length; the order of these steps is random."""

    def of_step(self, step: int) -> list[Sample]:
        """Sorted by length, so that micro-batches need little padding."""
        first = step - step % self.length_window
        window = min(self.length_window, self.steps - first)
        chosen = sorted(self._drawn(first, window), key=lambda sample: (len(sample), sample.row_id))
        slot = int(np.random.default_rng([self.seed, 1, first]).permutation(window)[step - first])
        return chosen[slot * self.batch_size : (slot + 1) * self.batch_size]

    def _drawn(self, step: int, steps: int) -> list[Sample]:
        positions = range(step * self.batch_size, (step + steps) * self.batch_size)
        drawn = [divmod(position, len(self.samples)) for position in positions]
        orders = {epoch: self._epoch(epoch) for epoch in dict.fromkeys(epoch for epoch, _ in drawn)}
        return [self.samples[orders[epoch][index]] for epoch, index in drawn]

    def _epoch(self, epoch: int) -> list[int]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.samples)).tolist()


def check_sizes(batch_size: int, micro_batch_size: int, world_size: int) -> None:
    """Every process must make the same number of full forward passes per step.

    Raises:
        DataError: the batch size is not a multiple of the micro-batch size times the number of processes.
    """
    at_once = micro_batch_size * world_size
    if batch_size % at_once:
        raise DataError(
            f"sft.batch_size {batch_size} is no multiple of sft.micro_batch_size {micro_batch_size} x {world_size} "
            "processes; change one of them"
        )


def micro_batches(samples: Sequence[Sample], size: int, rank: int, world_size: int) -> list[list[Sample]]:
    """This process's micro-batches of `size` samples; in each pass, all processes have samples of similar length.

    Every process gets the same number of micro-batches, as ZeRO requires; the last may be empty.
    """
    cut = [list(samples[start : start + size]) for start in range(0, len(samples), size)]
    return [*cut, *([] for _ in range(-len(cut) % world_size))][rank::world_size]
