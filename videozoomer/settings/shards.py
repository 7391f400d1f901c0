"""The section `shards`: how data sets are written."""

from __future__ import annotations

from videozoomer.settings.base import Positive, Settings, Share


class ShardSettings(Settings):
    max_rows: Positive = 2000
    """Maximum rows of one file of a data set."""
    validation_share: Share = 0.1
    """Share of the training videos held out for the validation loss, chosen by a hash of their content; 0 holds out
    none."""
