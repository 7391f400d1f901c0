"""Samples of a fine-tuning run: those it trains on, and those on which it measures the loss."""

from __future__ import annotations

from dataclasses import dataclass

from train.policy.checkpoint import Policy
from train.policy.collate import DataError, PreparedSamples, Sample, prepare
from train.policy.frame_pixels import FramePixels
from train.policy.loss_mask import TurnWeights
from train.run.failure import NothingToTrainOn
from videozoomer.settings.sft import SftSettings
from videozoomer.shards.read import ShardSet

WATCHED_ROWS = 64
"""Maximum number of rows on which the loss is measured."""


@dataclass(frozen=True)
class RunSamples:
    trained: PreparedSamples
    watched: list[Sample]
    """Samples on which the loss is measured, shortest first; never trained on if `watched_split` is `validation`."""
    watched_split: str
    """`validation`, or `train` where the data set has no held-out rows."""


def load_samples(shards: ShardSet, policy: Policy, pixels: FramePixels, settings: SftSettings) -> RunSamples:
    """Raises:
    NothingToTrainOn: no row can be trained on.
    DataError: the best checkpoint is requested without held-out rows.
    """
    turn_weights = TurnWeights(
        failed=settings.failed_turn_weight, zoom=settings.zoom_turn_weight, answer=settings.answer_turn_weight
    )

    def prepared(split: str) -> PreparedSamples:
        return prepare(
            shards.trajectories(split),
            policy.chat,
            pixels,
            shards.size,
            max_tokens=settings.max_tokens,
            turn_weights=turn_weights,
            kind_weights={"reflection": settings.reflection_weight},
        )

    trained, held_out = prepared("train"), prepared("validation")
    if not trained.samples:
        raise NothingToTrainOn(
            f"{shards.path} has no trajectory to train on ({len(trained.too_long)} are longer than sft.max_tokens = "
            f"{settings.max_tokens}); raise the limit or keep more trajectories"
        )
    if settings.keep == "best" and not held_out.samples:
        raise DataError(
            f"{shards.path} has no held-out row to select the best checkpoint with; raise shards.validation_share or "
            "set sft.keep to last"
        )
    watched = (held_out.samples or trained.samples)[:WATCHED_ROWS]
    return RunSamples(trained, sorted(watched, key=len), "validation" if held_out.samples else "train")
