"""`videozoomer gc`: remove files of tables that were replaced."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.output import console, reported
from pipelines.cli.recipe import RECIPE, load


def gc(
    recipe: RECIPE,
    older_than: Annotated[
        float | None, typer.Option("--older-than", min=0, help="Hours since a file was replaced; 24 if not given.")
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="The last commits stay readable, however old they are.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go; remove nothing.")] = False,
) -> None:
    """Remove files of tables that a later run replaced, and what killed runs left behind.

    `run` does the same at its end. Results, ledgers, data sets and checkpoints are not touched.

    Examples:

    - `videozoomer gc -r my.yaml --dry-run`
    - `videozoomer gc -r my.yaml --older-than 0`
    """
    from assets.workspace import Workspace
    from pipelines.garbage import OLDER_THAN_H, ViewsInUse, collect_garbage
    from videozoomer.lake.lock import HomeInUse, hold
    from videozoomer.lake.log import LogError

    workspace, hours = Workspace(load(recipe)), OLDER_THAN_H if older_than is None else older_than
    with reported(HomeInUse, ViewsInUse, LogError), hold(workspace.home, "videozoomer gc"):
        found = collect_garbage(workspace, older_than_h=hours, keep=keep, dry_run=dry_run)
    what = "would be removed" if dry_run else "removed"
    console.print(f"{len(found.files)} files {what}, {found.bytes / 1e6:.1f} MB")
