"""`videozoomer shards`: verify data sets and export them for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import console, reported

app = typer.Typer(
    help="Verify data sets and export them for other trainers.", no_args_is_help=True, rich_markup_mode="markdown"
)
FOLDER = Annotated[Path, typer.Argument(help="A data set: a folder with manifest.json.")]


@app.command()
def verify(folder: FOLDER) -> None:
    """Check every file of a data set against its checksum.

    Example: `videozoomer shards verify runs/demo/shards/sft`
    """
    from videozoomer.shards.manifest import ShardError
    from videozoomer.shards.read import ShardSet

    with reported(ShardError):
        shards = ShardSet(folder)
        shards.verify()
    console.print(f"{folder} matches its checksums: {_listed(shards.manifest.counts)}", soft_wrap=True)


@app.command()
def export(
    folder: FOLDER,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    form: Annotated[
        str, typer.Option("--format", help="llama_factory, ms_swift, trl, webdataset (SFT) or verl (RL, evaluation).")
    ],
    failed_turns: Annotated[
        bool, typer.Option(help="Keep rows with failed turns even if the format would train on them.")
    ] = False,
) -> None:
    """Write a data set in the format of another trainer, after verifying its checksums.

    Examples:

    - `videozoomer shards export runs/demo/shards/sft --format llama_factory --out exports/demo`
    - `videozoomer shards export runs/demo/shards/rl --format verl --out exports/demo-rl`
    """
    from videozoomer.shards.export import export as write
    from videozoomer.shards.manifest import ShardError
    from videozoomer.shards.read import ShardSet

    with reported(ShardError):
        counts = write(ShardSet(folder), form, out, failed_turns=failed_turns)
    console.print(f"wrote {out}: {_listed(counts)}", soft_wrap=True)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
