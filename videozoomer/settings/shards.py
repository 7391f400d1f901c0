"""The section `shards`: how data sets are written."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from videozoomer.settings.base import Count, Positive, Settings, Share

Shuffled = Literal["sft", "rl", "evaluation"]


class ShardSettings(Settings):
    max_rows: Positive = 2000
    """Maximum rows of one file of a data set."""
    validation_share: Share = 0.1
    """Share of the training videos held out for the validation loss, chosen by a hash of their content; 0 holds out
    none."""
    shuffle_options: tuple[Shuffled, ...] = ()
    """Data sets whose multiple choices get their options in another order, letters moving along: some of `sft`, `rl`,
    `evaluation`, or true for all. A row in which a letter is not beyond doubt keeps its order and is counted."""
    shuffle_seed: Count = 0
    """Seed of that order, which follows from it and the question's id alone."""

    @field_validator("shuffle_options", mode="before")
    @classmethod
    def _all_or_none(cls, value: Any) -> Any:
        return {True: ("sft", "rl", "evaluation"), False: ()}[value] if isinstance(value, bool) else value

    def _left_out(self) -> frozenset[str]:
        """Without shuffling, the digest is the one from before it existed, so results stay current."""
        return super()._left_out() | (frozenset() if self.shuffle_options else {"shuffle_options", "shuffle_seed"})
