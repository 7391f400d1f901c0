"""`videozoomer ledger`: what was asked of servers, what it cost, and what went wrong."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from distill.client.capabilities import Capabilities
    from videozoomer.settings.model import Endpoint

app = typer.Typer(
    help="What was asked of servers, what it cost, and what went wrong.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
console = Console()
WHERE = Annotated[Path, typer.Argument(help="A ledger, or a folder with ledgers, such as the home of a run.")]


def _found(path: Path) -> list[Path]:
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import find_ledgers

    try:
        return find_ledgers(path)
    except LedgerError as error:
        raise _stop(error) from error


def _stop(error: Exception) -> typer.Exit:
    Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command()
def summary(path: WHERE) -> None:
    """Sum up calls by model and outcome: tokens, dollars, latency.

    Example: `videozoomer ledger summary runs/demo`
    """
    from distill.storage.ledger_queries import summarise

    paths = _found(path)
    groups = summarise(paths)
    by_model: dict[tuple[str, str, str], list] = {}
    for group in groups:
        by_model.setdefault((group.purpose, group.model, group.endpoint), []).append(group)
    for (purpose, model, endpoint), outcomes in by_model.items():
        console.print(f"[bold]{model}[/] at {endpoint} ({purpose})", highlight=False)
        table = Table(
            "outcome",
            *(_right(name) for name in ("calls", "input", "output", "USD", "median s", "max s")),
            box=None,
            padding=(0, 2, 0, 0),
        )
        for group in outcomes:
            table.add_row(
                group.outcome,
                f"{group.attempts:,}",
                f"{group.input_tokens:,}",
                f"{group.output_tokens:,}",
                f"{group.cost_usd:.4f}",
                f"{group.median_latency_s:.2f}",
                f"{group.slowest_s:.2f}",
            )
        console.print(table)
        if cached := sum(group.cached_tokens for group in outcomes):
            console.print(f"of the input, {cached:,} tokens were cached by the provider")
        console.print()
    total = sum(group.attempts for group in groups)
    console.print(
        f"{len(paths)} ledgers, {total:,} calls, ${sum(group.cost_usd for group in groups):.4f}", highlight=False
    )


def _right(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


@app.command()
def grep(
    path: WHERE,
    pattern: Annotated[
        str, typer.Argument(help="Regular expression, sought in keys, replies, errors and the last text sent.")
    ],
    outcome: Annotated[
        str | None, typer.Option(help="Only calls that came out so, such as ok, cut_off or timeout.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most entries to show.")] = 20,
) -> None:
    """Show calls whose text matches.

    Examples:

    - `videozoomer ledger grep runs/demo "glyph"` - replies and questions that name one
    - `videozoomer ledger grep runs/demo . --outcome bad_request` - every request that a server refused
    """
    from itertools import islice

    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import grep as search

    try:
        for file, entry in islice(search(_found(path), pattern, outcome=outcome), limit):
            console.print(
                f"[bold]{entry.key}[/] attempt {entry.attempt}, {entry.outcome}, {entry.model}, {file}", highlight=False
            )
            console.print(f"  asked: ...{entry.excerpt[-200:].strip()}", highlight=False, markup=False)
            console.print(f"  came:  {entry.reply or entry.error}", highlight=False, markup=False)
    except LedgerError as error:
        raise _stop(error) from error


@app.command()
def export(
    path: WHERE, target: Annotated[Path, typer.Argument(help="A file that ends in .jsonl or .parquet.")]
) -> None:
    """Write all calls to one file.

    Example: `videozoomer ledger export runs/demo calls.parquet`
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import export as write

    try:
        console.print(f"wrote {write(_found(path), target):,} calls to {target}")
    except LedgerError as error:
        raise _stop(error) from error


@app.command()
def prune(
    path: WHERE,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="Also forget final failures of this class, so that they are asked again (repeatable)."),
    ] = None,
    older_than_days: Annotated[float | None, typer.Option(help="Leave younger entries alone.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Delete attempts that a rerun would make again anyway; answers are never deleted.

    Examples:

    - `videozoomer ledger prune runs/demo --dry-run` - how many attempts failed on the way
    - `videozoomer ledger prune runs/demo --outcome cut_off` - ask cut-off calls again, say after raising max_tokens
    """
    from distill.storage.ledger import LedgerError
    from distill.storage.ledger_queries import prune as delete

    before = None if older_than_days is None else time.time() - older_than_days * 86_400
    try:
        count = delete(_found(path), outcomes=outcome or (), before=before, dry_run=dry_run)
    except LedgerError as error:
        raise _stop(error) from error
    console.print(f"{'would delete' if dry_run else 'deleted'} {count:,} entries")


@app.command()
def balance(
    budget: Annotated[Path, typer.Argument(help="The budget's file in the home of a run (budget.sqlite).")],
    forgive: Annotated[
        bool, typer.Option("--forgive", help="Free what calls of unknown outcome hold; only when nothing runs.")
    ] = False,
) -> None:
    """Show what a run with a cap has paid, and what is set aside for calls whose outcome is not known.

    Example: `videozoomer ledger balance runs/films/budget.sqlite --forgive`
    """
    from distill.storage.budget import Budget

    if not budget.is_file():
        raise _stop(
            FileNotFoundError(f"there is no budget {budget}; a run whose recipe sets distill.budget_usd writes one")
        )
    with Budget(budget, float("inf")) as opened:
        if forgive:
            console.print(f"freed ${opened.forgive():.4f}")
        now = opened.balance()
    console.print(f"paid ${now.paid_usd:.4f}, set aside ${now.aside_usd:.4f}")


@app.command()
def probe(
    base_url: Annotated[str | None, typer.Argument(help="Address of an OpenAI-compatible server, with /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Model; by default the first that the server lists.")] = None,
    key_env: Annotated[str | None, typer.Option(help="Name of the environment variable that holds the key.")] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", "-r", help="Ask the teachers and the judge of this recipe; its runs then know."),
    ] = None,
) -> None:
    """Find out by some ten small calls what a server can do: images, stop sequences, seeds, token counts.

    With a recipe, what is found is kept in the run's home (`servers.sqlite`): later calls leave out what a server refuses, and
    an episode with more frames than it takes is not sent. The calls are outside of the recipe's cap.

    Examples:

    - `videozoomer ledger probe http://127.0.0.1:8000/v1`
    - `videozoomer ledger probe --recipe my.yaml`
    """
    import tempfile

    from assets.workspace import Workspace
    from distill.client.capabilities import find_capabilities
    from distill.client.endpoints import servers_of
    from distill.client.errors import StepStopped
    from distill.storage.ledger import Ledger, LedgerError
    from videozoomer.settings import RecipeError, load_recipe
    from videozoomer.settings.model import Endpoint

    if (base_url is None) == (recipe is None):
        raise _stop(ValueError("name a server's address, or a recipe with --recipe"))
    down: StepStopped | None = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            if recipe is None:
                target, servers = (
                    Path(folder) / "probe.sqlite",
                    [Endpoint(base_url=base_url, model=model, api_key_env=key_env)],
                )
            else:
                read = load_recipe(recipe)
                target, servers = Workspace(read).servers, servers_of(read)
            with Ledger(target) as ledger:
                for server in servers:
                    try:
                        _show(server, find_capabilities(server, ledger))
                    except StepStopped as error:
                        down = error
                        _stop(error)
        except (RecipeError, LedgerError) as error:
            raise _stop(error) from error
    if down is not None:
        raise typer.Exit(1)
    if recipe is not None:
        console.print(f"kept in {target}", highlight=False, soft_wrap=True)


def _show(server: Endpoint, found: Capabilities) -> None:
    table = Table("capability", "found", title=f"{found.model} at {server.base_url}", title_justify="left")
    for name, value in asdict(found).items():
        said = "not known" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
        table.add_row(name.replace("_", " "), said)
    console.print(table)


@app.command()
def agreement(
    recipe: Annotated[
        Path,
        typer.Option(
            "--recipe", "-r", help="The recipe (YAML) of a run with exemplars and a judge.", envvar="VIDEOZOOMER_RECIPE"
        ),
    ],
    most: Annotated[int, typer.Option(help="Most answers to ask the judge about; each is a call.")] = 200,
) -> None:
    """Ask the judge about answers that the rules decided, and count where the two agree.

    Example: `videozoomer ledger agreement --recipe my.yaml --most 100`
    """
    import tempfile

    from assets.playing import spending
    from assets.workspace import Workspace
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.judge import Judge, agreement_rate
    from distill.judge import agreement as count
    from distill.storage.frames import FrameStore
    from videozoomer.protocol import load_prompts
    from videozoomer.settings import RecipeError, load_recipe

    try:
        workspace = Workspace(load_recipe(recipe))
    except RecipeError as error:
        raise _stop(error) from error
    endpoint, lake = workspace.recipe.filters.judge, workspace.lake
    if endpoint is None:
        raise _stop(ValueError(f"{recipe} names no judge; set filters.judge"))
    grades, trajectories, questions = (lake.read(name).to_dicts() for name in ("grades", "trajectories", "questions"))
    with (
        tempfile.TemporaryDirectory() as folder,
        FrameStore(Path(folder) / "frames.sqlite") as store,
        workspace.open_ledger("judge_agreement", "all") as ledger,
        spending(workspace) as budget,
    ):
        judge = ChatPlayer(endpoint, ledger, store, budget=budget, purpose="judge")
        try:
            prompts = load_prompts(workspace.recipe.protocol.prompts)
            pairs = Judge(judge, prompts, endpoint.concurrency).compare_with_rules(
                grades, trajectories, questions, limit=most
            )
        except StepStopped as error:
            raise _stop(error) from error
    table = Table("rules say", "judge says", "answers")
    for row in count(pairs):
        table.add_row(row["rule"], row["judge"], str(row["answers"]))
    console.print(table)
    rate = agreement_rate(pairs)
    console.print("no answer was decided by both" if rate is None else f"they agree on {rate:.0%} of what both decided")
