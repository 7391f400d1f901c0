"""`videozoomer run`, `train`, `status`: bring a recipe's results up to date, and see what is current."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.check import print_findings
from pipelines.cli.output import STOPPED_BY_USER, console, print_step, reported, stop
from pipelines.cli.recipe import RECIPE, load
from videozoomer.settings import Recipe
from videozoomer.settings.model import HOW_TO_TRAIN

HOME_IN_USE = 75
"""Exit code of a run whose home another run holds: sysexits' EX_TEMPFAIL, the same command may work later."""


NOTHING_KEPT = 3
"""Exit code of a run that is complete, report included, but kept no trajectory or had nothing to train on."""


def run(
    recipe: RECIPE,
    only: Annotated[list[str] | None, typer.Option(help="Only this asset (repeatable).")] = None,
    batch: Annotated[list[str] | None, typer.Option(help="Only this batch (repeatable).")] = None,
    force: Annotated[
        list[str] | None, typer.Option(help="Remake this asset although it is current (repeatable).")
    ] = None,
    pay_again: Annotated[
        bool, typer.Option("--pay-again", help="Make calls again whose paid replies were lost with their ledger.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the calls to make, what they would cost and what would stop them; make none."
        ),
    ] = False,
) -> None:
    """Bring everything up to date. Current results are left alone, and a call that was paid for is not paid again.

    Examples:

    - `videozoomer run --recipe my.yaml` - everything; after an interruption the same command resumes
    - `videozoomer run -r my.yaml --only exemplars --batch films-0002` - one asset of one batch
    - `videozoomer run -r my.yaml --force report` - the report again
    - `videozoomer run -r my.yaml --dry-run` - calls, tokens and dollars, before anything is sent

    `--only` also makes what the asset is made from where that is missing. One run at a time works on a home: a second
    one ends with exit code 75 and says which process holds it.
    """
    from pipelines.cli.sources import print_understood
    from videozoomer.sources.files import SourceError

    loaded = load(recipe)
    if dry_run:
        from pipelines.estimate import print_estimate

        with reported(SourceError):
            print_understood(loaded)
            print_estimate(loaded, console)
        print_findings(loaded, with_calls=False)
        return
    _update(loaded, recipe, only=only or (), batches=batch or (), force=force or (), pay_again=pay_again)


def train(recipe: RECIPE) -> None:
    """Train and evaluate the recipe's policy, after everything before it that is missing or stale.

    A recipe trains where it sets `policy.checkpoint` (or `policy.tiny`, a random model that only shows that training
    works); `run` then trains too. Needs the extra `train`: `pip install 'videozoomer[train]'`.

    Example: `videozoomer train -r my.yaml`
    """
    from assets.training_process import missing_packages

    loaded = load(recipe)
    if not loaded.trains:
        raise stop(f"{recipe} trains nothing; to train, {HOW_TO_TRAIN}")
    if missing := missing_packages(adapters=loaded.policy.lora_rank > 0):
        raise stop(f"training needs {', '.join(missing)}; run `pip install 'videozoomer[train]'`")
    _update(loaded, recipe)


def _update(
    loaded: Recipe,
    path: Path,
    *,
    only: Sequence[str] = (),
    batches: Sequence[str] = (),
    force: Sequence[str] = (),
    pay_again: bool = False,
) -> None:
    """Bring the recipe's results up to date, print what came out, and end with the exit code that fits it."""
    from dagster import DagsterExecutionInterruptedError

    from assets.workspace import Workspace
    from pipelines.cli.sources import print_understood
    from pipelines.progress import RichProgress
    from pipelines.run import RunFailed
    from pipelines.run import run as bring_up_to_date
    from pipelines.summary import nothing_kept, print_summary
    from videozoomer.lake.lock import HomeInUse
    from videozoomer.lake.log import LogError
    from videozoomer.lake.store import StoreError
    from videozoomer.sources.files import SourceError

    advice = "\nFinished results are kept. Fix this and run the same command again."
    try:
        with (
            reported(RunFailed, SourceError, LogError, StoreError, advice=advice),
            reported(HomeInUse, code=HOME_IN_USE),
        ):
            if not only:
                print_understood(loaded)
                if _played_nothing(loaded):
                    print_findings(loaded, with_calls=True)
            result = bring_up_to_date(
                loaded,
                progress=RichProgress(console),
                only=only,
                batches=batches,
                force=force,
                pay_again=pay_again,
                say=print_step,
            )
    except (KeyboardInterrupt, DagsterExecutionInterruptedError) as interrupt:
        raise stop(
            f"stopped by Ctrl-C. Finished results are kept in {loaded.home}, and so is every reply that came: none is "
            "paid again. Run the same command to resume.",
            STOPPED_BY_USER,
        ) from interrupt
    print_summary(loaded, result, console, path)
    if not only and (why := nothing_kept(Workspace(loaded))):
        raise stop(why, NOTHING_KEPT)


def _played_nothing(recipe: Recipe) -> bool:
    """Whether no episode was played yet. Later the ledger may have all that is needed, also without a server."""
    from assets.workspace import Workspace
    from videozoomer.lake.log import LogError

    with reported(LogError):
        return not Workspace(recipe).stamps.partitions("exemplars")


def status(recipe: RECIPE) -> None:
    """Show for every asset whether it is current, stale or missing, and the counts of its last run. Runs nothing.

    Example: `videozoomer status --recipe my.yaml`
    """
    from pipelines.status import print_status
    from videozoomer.lake.log import LogError
    from videozoomer.sources.files import SourceError

    loaded = load(recipe)
    with reported(SourceError, LogError):
        print_status(loaded, console)
