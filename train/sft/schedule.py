"""Which samples a step takes and at what learning rate: functions of the step alone, so a resumed run goes the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.policy.collate import DataError, Sample


def learning_rate(step: int, steps: int, peak: float, warmup_share: float) -> float:
    """Rises over the first `warmup_share` of the steps, then falls to zero along half a cosine. `step` counts from 0."""
    warmup = round(steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def step_count(samples: int, batch_size: int, epochs: float, max_steps: int | None) -> int:
    steps = max(1, math.ceil(epochs * samples / batch_size))
    return min(steps, max_steps or steps)


@dataclass(frozen=True)
class Order:
    """Samples of every step: one seeded order after another, without a break between epochs.

    The last step of the last epoch is filled up from the next order, so that every step has the same size.
    """

    samples: Sequence[Sample]
    batch_size: int
    seed: int
    steps: int
    length_window: int = 1
    """Neighbouring steps that deal their samples out among them by length; which of them comes first is drawn."""

    def of_step(self, step: int) -> list[Sample]:
        """Sorted by length, so that the parts of the step are padded little."""
        first = step - step % self.length_window
        window = min(self.length_window, self.steps - first)
        chosen = sorted(self._drawn(first, window), key=lambda sample: (len(sample), sample.row_id))
        place = int(np.random.default_rng([self.seed, 1, first]).permutation(window)[step - first])
        return chosen[place * self.batch_size : (place + 1) * self.batch_size]

    def _drawn(self, step: int, steps: int) -> list[Sample]:
        places = [
            divmod(place, len(self.samples))
            for place in range(step * self.batch_size, (step + steps) * self.batch_size)
        ]
        orders = {epoch: self._epoch(epoch) for epoch in dict.fromkeys(epoch for epoch, _ in places)}
        return [self.samples[orders[epoch][index]] for epoch, index in places]

    def _epoch(self, epoch: int) -> list[int]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.samples)).tolist()


def check_sizes(batch_size: int, micro_batch_size: int, world: int) -> None:
    """Every device makes the same number of full forward passes for a step.

    Raises:
        DataError: the sizes do not divide.
    """
    at_once = micro_batch_size * world
    if batch_size % at_once:
        raise DataError(
            f"sft.batch_size {batch_size} is no multiple of sft.micro_batch_size {micro_batch_size} x {world} processes; change one of them"
        )


def parts(samples: Sequence[Sample], size: int, rank: int, world: int) -> list[list[Sample]]:
    """This process's share of a step: parts of `size` samples; at each turn all processes hold samples of like length.

    Every process has the same number of parts, as ZeRO demands; the last may be empty where samples do not divide.
    """
    cut = [list(samples[start : start + size]) for start in range(0, len(samples), size)]
    return [*cut, *([] for _ in range(-len(cut) % world))][rank::world]
