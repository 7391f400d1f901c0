"""The typed rows of data sets, generated from their schema: `python -m videozoomer.shards.typed_rows FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from videozoomer.lake.typed_rows import module
from videozoomer.shards.schema import ROWS


def shard_rows() -> str:
    """Source of videozoomer/shards/rows.py."""
    return module(
        "One row of each kind of data set, typed.",
        "videozoomer/shards/schema.py",
        (),
        ROWS.values(),
        ["from videozoomer.lake.rows import MessageRow, WindowRow"],
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(shard_rows())
