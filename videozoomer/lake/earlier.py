"""Homes of releases before the commit log: `<table>/<partition>.parquet`, and stamps as files beside the tables."""

from __future__ import annotations

import json
from pathlib import Path

from videozoomer.lake.log import FOLDER, LogError
from videozoomer.lake.snapshot import Changes, Stamp

TABLES = "tables"
STAMPS = "stamps"
MARK = "@"
"""Separates partition and hash in the names of files that a log names; names of partitions do not contain it."""


def found_without_log(root: Path) -> Changes:
    """The tables and stamps that an earlier release left in a folder without a log.

    Raises:
        LogError: the files are named by a log, and it is gone.
    """
    changes = Changes()
    for path in sorted(root.glob("*/*.parquet")):
        if path.name.startswith(".") or path.parent.name.startswith("."):
            continue
        if MARK in path.name:
            raise LogError(
                f"{root / FOLDER} is gone, and without it nothing says which files of {root} belong together; "
                f"restore it from a backup, or remove {root} to make the tables again (the ledger keeps what was paid)"
            )
        changes.set_file(path.parent.name, path.stem, path.relative_to(root).as_posix())
    if root.name == TABLES:
        for path in sorted((root.parent / STAMPS).glob("*/*.json")):
            if not path.name.startswith("."):
                changes.set_stamp(path.parent.name, path.stem, Stamp(**json.loads(path.read_text())))
    return changes
