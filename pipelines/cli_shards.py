"""`videozoomer shards`: check data sets and hand them to other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="Check data sets, and hand them to other trainers.", no_args_is_help=True, rich_markup_mode="markdown"
)
console = Console()
WHERE = Annotated[Path, typer.Argument(help="A data set: a folder with manifest.json.")]


def _stop(error: Exception) -> typer.Exit:
    Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def verify(folder: WHERE) -> None:
    """Hold every file of a data set against its checksum.

    Example: `videozoomer shards verify runs/demo/shards/sft`
    """
    from videozoomer.shards.manifest import ShardError
    from videozoomer.shards.read import ShardSet

    try:
        shards = ShardSet(folder)
        shards.verify()
    except ShardError as error:
        raise _stop(error) from error
    counts = ", ".join(f"{name} {count}" for name, count in shards.manifest.counts.items())
    console.print(f"{folder} is as it was written: {counts}", highlight=False)


@app.command()
def export(
    folder: WHERE,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    form: Annotated[
        str, typer.Option("--format", help="llama_factory, ms_swift, trl, webdataset (SFT) or verl (RL, evaluation).")
    ],
    failed_turns: Annotated[
        bool, typer.Option(help="Keep rows with failed turns although the form trains on them.")
    ] = False,
) -> None:
    """Write a data set in the form that another trainer reads; its checksums are verified first.

    Example: `videozoomer shards export runs/demo/shards/sft --format llama_factory --out exports/demo`
    """
    from videozoomer.shards.export import export as write
    from videozoomer.shards.manifest import ShardError
    from videozoomer.shards.read import ShardSet

    try:
        shards = ShardSet(folder)
        shards.verify()
        counts = write(shards, form, out, failed_turns=failed_turns)
    except ShardError as error:
        raise _stop(error) from error
    console.print(f"wrote {out}: {', '.join(f'{name} {count}' for name, count in counts.items())}", highlight=False)
