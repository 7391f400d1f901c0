"""`videozoomer ledger probe` and `agreement`: ask a server what it can do, and a judge how it grades."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipelines.cli.output import console, print_error, reported, stop
from pipelines.cli.recipe import RECIPE, load

if TYPE_CHECKING:
    from distill.client.capabilities import Capabilities
    from videozoomer.settings.model import Endpoint


def probe(
    base_url: Annotated[str | None, typer.Argument(help="Address of an OpenAI-compatible server, with /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Model; by default the first one the server lists.")] = None,
    key_env: Annotated[str | None, typer.Option(help="Name of the environment variable with the API key.")] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", "-r", help="Probe the teachers and the judge of this recipe and store the results."),
    ] = None,
) -> None:
    """Find out with about ten small calls what a server supports: images, stop sequences, seeds, token counts.

    With a recipe, the results are stored in the run's home (`servers.sqlite`). Later calls then leave out parameters
    that the server refuses, and an episode with too many frames for it is not sent. The recipe's cap does not count
    these calls.

    Examples:

    - `videozoomer ledger probe http://127.0.0.1:8000/v1`
    - `videozoomer ledger probe --recipe my.yaml`
    """
    from pydantic import ValidationError

    from assets.workspace import Workspace
    from distill.client.capabilities import find_capabilities
    from distill.client.endpoints import servers_of
    from distill.client.errors import StepStopped
    from distill.storage.ledger import Ledger, LedgerError
    from videozoomer.settings.model import Endpoint

    if (base_url is None) == (recipe is None):
        raise stop("give either a server's address or a recipe (--recipe)")
    failed = False
    with tempfile.TemporaryDirectory() as folder, reported(LedgerError):
        target, servers = Path(folder) / "probe.sqlite", list[Endpoint]()
        if base_url is not None:
            try:
                servers = [Endpoint(base_url=base_url, model=model, api_key_env=key_env)]
            except ValidationError as error:
                wrong = error.errors(include_input=False)[0]  # The input may be a key.
                option = {"base_url": "the address", "api_key_env": "--key-env"}.get(str(wrong["loc"][0]), "an option")
                raise stop(f"{option} {wrong['msg'].removeprefix('Value error, ')}") from None
        if recipe is not None:
            loaded = load(recipe)
            target, servers = Workspace(loaded).servers, list(servers_of(loaded))
        with Ledger(target) as ledger:
            for server in servers:
                try:
                    _show(server, find_capabilities(server, ledger))
                except StepStopped as error:
                    failed = True
                    print_error(error)
    if failed:
        raise typer.Exit(1)
    if recipe is not None:
        console.print(f"stored in {target}", soft_wrap=True)


def _show(server: Endpoint, found: Capabilities) -> None:
    table = Table("capability", "found", title=f"{found.model} at {server.base_url}", title_justify="left")
    for name, value in asdict(found).items():
        shown = "unknown" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
        table.add_row(name.replace("_", " "), shown)
    console.print(table)


def agreement(
    recipe: RECIPE,
    most: Annotated[int, typer.Option(help="Maximum number of answers to send to the judge; each is a call.")] = 200,
) -> None:
    """Let the judge grade answers that the rules have graded, and count how often the two agree.

    Example: `videozoomer ledger agreement --recipe my.yaml --most 100`
    """
    from assets.playing import spending
    from assets.workspace import Workspace
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.judge import Judge, agreement_rate, structured
    from distill.judge import agreement as count
    from distill.storage.frames import FrameStore
    from distill.storage.ledger import LedgerError
    from videozoomer.lake.reading import rows_as
    from videozoomer.lake.rows import GradeRow, QuestionRow, TrajectoryRow
    from videozoomer.protocol import load_prompts

    workspace = Workspace(load(recipe))
    endpoint, lake = workspace.recipe.filters.judge, workspace.at_once().lake
    if endpoint is None:
        raise stop(f"{recipe} names no judge; set filters.judge")
    grades, questions = rows_as(GradeRow, lake.read("grades")), rows_as(QuestionRow, lake.read("questions"))
    trajectories = rows_as(TrajectoryRow, lake.read("trajectories"))
    with (
        reported(StepStopped, LedgerError),
        tempfile.TemporaryDirectory() as folder,
        FrameStore(Path(folder) / "frames.sqlite") as store,
        workspace.open_ledger("judge_agreement", "all") as ledger,
        spending(workspace) as budget,
    ):
        judge = ChatPlayer(structured(endpoint), ledger, store, budget=budget, purpose="judge")
        prompts = load_prompts(workspace.recipe.protocol.prompts)
        pairs = Judge(judge, prompts, endpoint.concurrency, endpoint.votes).compare_with_rules(
            grades, trajectories, questions, limit=most
        )
    table = Table("rules", "judge", "answers")
    for row in count(pairs):
        table.add_row(row["rule"], row["judge"], str(row["answers"]))
    console.print(table)
    rate = agreement_rate(pairs)
    console.print("no answer was decided by both" if rate is None else f"they agree on {rate:.0%} of what both decided")
