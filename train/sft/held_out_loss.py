"""The loss on watched rows, measured during training and at its start and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from train.policy.collate import Sample, TokenBatch, weighted_loss
from train.run.process_group import ProcessInfo, summed

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine


def held_out_loss(
    engine: DeepSpeedEngine,
    passes: Sequence[Sequence[Sample]],
    filler: Sample,
    batch_of: Callable[[Sequence[Sample]], TokenBatch],
    process: ProcessInfo,
) -> float:
    """Mean loss per trained token.

    Every process makes the same number of passes, as ZeRO-3 requires; an empty pass runs `filler` without counting it.
    """
    import torch

    total = weight = 0.0
    engine.eval()
    with torch.no_grad():
        for samples in passes:
            batch = batch_of(samples or [filler])
            loss = weighted_loss(engine(**batch.inputs, use_cache=False).logits, batch)
            if samples:
                total, weight = total + loss.item(), weight + float(batch.weights.sum())
    total, weight = summed([total, weight], process)
    return total / weight
