"""Remove files of tables that were replaced some time ago, so that a home does not grow with every run."""

from __future__ import annotations

import duckdb

from assets.workspace import Workspace
from videozoomer.lake.garbage import Garbage, find_garbage, remove_garbage

OLDER_THAN_H = 24.0
"""Replaced files stay this long, for readers that have begun with them, such as a page or a notebook."""


class ViewsInUse(RuntimeError):
    """Another program has lake.duckdb open, whose views name files that are to be removed."""


def collect_garbage(
    workspace: Workspace, *, older_than_h: float = OLDER_THAN_H, keep: int = 1, dry_run: bool = False
) -> Garbage:
    """Remove what `find_garbage` finds and return it. Hold the home meanwhile.

    The views of lake.duckdb are written again first, since they may name files that go.

    Raises:
        ViewsInUse: they cannot be; nothing was removed.
    """
    lake, views = workspace.lake, workspace.home / "lake.duckdb"
    found = find_garbage(lake, older_than_s=older_than_h * 3600, keep=keep)
    if dry_run or not found.files:
        return found
    if views.exists():
        try:
            lake.write_views(views)
        except duckdb.IOException as error:
            raise ViewsInUse(f"{views} is open in another program; close it, then run `videozoomer gc`") from error
    remove_garbage(lake, found)
    return found
