"""`videozoomer ledger`: the calls made to servers, their cost and their errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from pipelines.cli import servers
from pipelines.cli.output import console, reported, stop
from pipelines.cli.recipe import RecipeCommand

if TYPE_CHECKING:
    from distill.storage.ledger_queries import Group

app = typer.Typer(
    help="The calls made to servers: what they asked, what they cost, what failed.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
WHERE = Annotated[Path, typer.Argument(help="A ledger, or a folder that contains ledgers, such as a run's home.")]


def _found(path: Path) -> list[Path]:
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import find_ledgers

    with reported(LedgerError):
        return find_ledgers(path)


@app.command()
def summary(path: WHERE) -> None:
    """Sum up calls by model and outcome: tokens, dollars, latency.

    Example: `videozoomer ledger summary runs/demo`
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import summarise

    paths = _found(path)
    with reported(LedgerError):
        groups = summarise(paths)
    by_model: dict[tuple[str, str, str], list[Group]] = {}
    for group in groups:
        by_model.setdefault((group.purpose, group.model, group.endpoint), []).append(group)
    for (purpose, model, endpoint), outcomes in by_model.items():
        console.print(Text.assemble((model, "bold"), f" at {endpoint} ({purpose})"), soft_wrap=True)
        console.print(_outcomes(outcomes))
        if cached := sum(group.cached_tokens for group in outcomes):
            console.print(f"{cached:,} of the input tokens came from the provider's cache")
        console.print()
    total = sum(group.attempts for group in groups)
    console.print(f"{len(paths)} ledgers, {total:,} calls, ${sum(group.cost_usd for group in groups):.4f}")


def _outcomes(groups: Sequence[Group]) -> Table:
    numbers = ("calls", "input", "output", "USD", "median s", "max s")
    columns = (Column(name, justify="right", no_wrap=True) for name in numbers)
    table = Table("outcome", *columns, box=None, padding=(0, 2, 0, 0))
    for group in groups:
        table.add_row(
            group.outcome,
            f"{group.attempts:,}",
            f"{group.input_tokens:,}",
            f"{group.output_tokens:,}",
            f"{group.cost_usd:.4f}",
            f"{group.median_latency_s:.2f}",
            f"{group.slowest_s:.2f}",
        )
    return table


@app.command()
def grep(
    path: WHERE,
    pattern: Annotated[
        str, typer.Argument(help="Regular expression for keys, replies, errors and the last text of each request.")
    ],
    outcome: Annotated[
        str | None, typer.Option(help="Only calls with this outcome, such as ok, cut_off or timeout.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of calls to show.")] = 20,
) -> None:
    """Show calls whose text matches.

    Examples:

    - `videozoomer ledger grep runs/demo "glyph"` - questions and replies that contain the word
    - `videozoomer ledger grep runs/demo . --outcome bad_request` - every request that a server refused
    """
    from itertools import islice

    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import grep as search

    with reported(LedgerError):
        for file, entry in islice(search(_found(path), pattern, outcome=outcome), limit):
            facts = f" attempt {entry.attempt}, {entry.outcome}, {entry.model}, {file}"
            console.print(Text.assemble((entry.key, "bold"), facts), soft_wrap=True)
            console.print(f"  asked: ...{entry.excerpt[-200:].strip()}")
            console.print(f"  reply: {entry.reply or entry.error}")


@app.command()
def export(path: WHERE, target: Annotated[Path, typer.Argument(help="A file ending in .jsonl or .parquet.")]) -> None:
    """Write all calls to one file.

    Examples:

    - `videozoomer ledger export runs/demo calls.parquet`
    - `videozoomer ledger export runs/demo/ledger/exemplars calls.jsonl` - one stage
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import export as write

    with reported(LedgerError):
        count = write(_found(path), target)
    console.print(f"wrote {count:,} calls to {target}", soft_wrap=True)


@app.command()
def prune(
    path: WHERE,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="Also delete final failures with this outcome, so that they are asked again (repeatable)."),
    ] = None,
    older_than_days: Annotated[float | None, typer.Option(help="Keep entries younger than this.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Delete failed attempts that a rerun would repeat anyway; answers are never deleted.

    Examples:

    - `videozoomer ledger prune runs/demo --dry-run` - count the attempts that failed before an answer came
    - `videozoomer ledger prune runs/demo --outcome cut_off` - ask cut-off calls again, say after raising max_tokens
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import prune as delete

    before = None if older_than_days is None else time.time() - older_than_days * 86_400
    with reported(LedgerError):
        count = delete(_found(path), outcomes=outcome or (), before=before, dry_run=dry_run)
    console.print(f"{'would delete' if dry_run else 'deleted'} {count:,} entries")


@app.command()
def balance(
    budget: Annotated[Path, typer.Argument(help="The budget file in the home of a run (budget.sqlite).")],
    forgive: Annotated[
        bool,
        typer.Option(
            "--forgive", help="Release the money reserved for calls of unknown outcome; only while nothing runs."
        ),
    ] = False,
) -> None:
    """Show what a run with a cap has paid and what is reserved for calls whose outcome is unknown.

    Examples:

    - `videozoomer ledger balance runs/films/budget.sqlite`
    - `videozoomer ledger balance runs/films/budget.sqlite --forgive` - after a crash
    """
    from distill.storage.budget import Budget

    if not budget.is_file():
        raise stop(f"there is no budget {budget}; a run writes one if its recipe sets distill.budget_usd")
    with Budget(budget, float("inf")) as opened:
        if forgive:
            console.print(f"released ${opened.forgive():.4f}")
        now = opened.balance()
    console.print(f"paid ${now.paid_usd:.4f}, reserved ${now.reserved_usd:.4f}")


@app.command()
def salvage(
    ledger: Annotated[Path, typer.Argument(help="A damaged ledger.")],
    out: Annotated[
        Path | None, typer.Option(help="The new ledger; by default the name with `.salvaged` after it.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the ledger's place, and keep the damaged file as `.damaged`.")
    ] = False,
) -> None:
    """Save what can still be read of a damaged ledger, so that its replies are not paid for again.

    Examples:

    - `videozoomer ledger salvage runs/demo/ledger/exemplars/films-0001.sqlite`
    - `videozoomer ledger salvage runs/demo/ledger/exemplars/films-0001.sqlite --replace` - and use it from now on
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.salvage import replace as put
    from distill.storage.salvage import salvage as save

    target = out or ledger.with_name(ledger.name + ".salvaged")
    with reported(LedgerError):
        saved = save(ledger, target)
        console.print(
            f"saved {saved.calls:,} calls, {saved.replies:,} of them with a reply, to {target}", soft_wrap=True
        )
        if saved.lost:
            console.print(
                f"{saved.lost:,} parts could not be read; a run asks and pays for their calls again", soft_wrap=True
            )
        if replace:
            console.print(f"{target} is now {ledger}; the damaged file is {put(ledger, target)}", soft_wrap=True)


app.command(cls=RecipeCommand)(servers.probe)
app.command(cls=RecipeCommand)(servers.agreement)
