"""`videozoomer`: the command line. Every command explains itself with examples under --help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines import cli_ledger, cli_shards, cli_video
from pipelines.cli_serve import serve
from videozoomer.settings import Recipe, RecipeError, load_recipe

app = typer.Typer(
    help="From long videos and questions to verified zoom trajectories, and from those to a trained, measured policy.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
console = Console()
RECIPE = Annotated[
    Path, typer.Option("--recipe", "-r", help="The recipe (YAML) of the run.", envvar="VIDEOZOOMER_RECIPE")
]


def _load(path: Path) -> Recipe:
    try:
        return load_recipe(path)
    except RecipeError as error:
        raise _stop(str(error)) from error


def _stop(sentence: str, code: int = 1) -> typer.Exit:
    Console(stderr=True).print(f"[bold red]error:[/] {sentence}", highlight=False, soft_wrap=True)
    return typer.Exit(code)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="Where to write the recipe.")] = Path("recipe.yaml")) -> None:
    """Write a recipe with a comment on every field, to be filled in.

    Example: `videozoomer init my.yaml`
    """
    from videozoomer.settings.template import template

    if path.exists():
        raise _stop(f"{path} exists already; name another file")
    path.write_text(template())
    console.print(f"wrote {path}. Fill in sources and teacher, then: videozoomer run --recipe {path}")


@app.command()
def run(
    recipe: RECIPE,
    only: Annotated[list[str] | None, typer.Option(help="Only this asset (repeatable).")] = None,
    batch: Annotated[list[str] | None, typer.Option(help="Only this batch (repeatable).")] = None,
    force: Annotated[
        list[str] | None, typer.Option(help="Make this asset anew although it is current (repeatable).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked and what it would cost; nothing is sent.")
    ] = False,
) -> None:
    """Bring everything up to date: what is current is left alone, what was paid for is not paid again.

    Examples:

    - `videozoomer run --recipe my.yaml` - everything
    - `videozoomer run -r my.yaml --only exemplars --batch films-0002` - one asset of one batch
    - `videozoomer run -r my.yaml --force report` - the report again
    - `videozoomer run -r my.yaml --dry-run` - calls, tokens and money, before anything is sent
    """
    from pipelines.progress import RichProgress
    from pipelines.run import RunFailed
    from pipelines.run import run as bring_up_to_date
    from pipelines.summary import print_summary
    from videozoomer.sources.files import SourceError

    loaded = _load(recipe)
    if dry_run:
        from pipelines.estimate import print_estimate

        print_estimate(loaded, console)
        return
    try:
        outcome = bring_up_to_date(
            loaded,
            progress=RichProgress(console),
            only=only or (),
            batches=batch or (),
            force=force or (),
            say=lambda text: console.print(f"[bold]>[/] {text}", highlight=False),
        )
    except (RunFailed, SourceError) as error:
        raise _stop(f"{error}\nWhat was finished stays. After the remedy run the same command again.") from error
    print_summary(loaded, outcome, console, recipe)


@app.command()
def status(recipe: RECIPE) -> None:
    """Show every asset: current, stale or missing, and what its last run counted. Nothing is run.

    Example: `videozoomer status --recipe my.yaml`
    """
    from pipelines.status import print_status

    print_status(_load(recipe), console)


@app.command()
def ui(recipe: RECIPE, port: Annotated[int, typer.Option(help="Port of the web page.")] = 3000) -> None:
    """Open the Dagster UI on the recipe's assets: lineage, reruns, schedules.

    Example: `videozoomer ui --recipe my.yaml --port 3000`
    """
    import os

    from pipelines.run import dagster_home

    home = dagster_home(_load(recipe))
    environment = {**os.environ, "DAGSTER_HOME": str(home), "VIDEOZOOMER_RECIPE": str(recipe.resolve())}
    dagster = Path(sys.executable).with_name("dagster")
    console.print(f"the Dagster UI will be at http://127.0.0.1:{port}; stop it with Ctrl-C", highlight=False)
    command = [str(dagster), "dev", "-m", "pipelines.definitions", "-p", str(port), "--log-level", "warning"]
    raise typer.Exit(subprocess.call(command, env=environment, cwd=home))


sources_app = typer.Typer(help="Where videos and questions come from.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")


@sources_app.command("add")
def sources_add(
    recipe: RECIPE,
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, underscores.")],
    videos: Annotated[str, typer.Option(help="Folder, glob, file, or .txt manifest; URLs are allowed.")],
    questions: Annotated[str, typer.Option(help="Questions as .jsonl, .json, .csv or .parquet.")],
    split: Annotated[str, typer.Option(help="train or evaluation.")] = "train",
) -> None:
    """Add a source to a recipe (comments in the file are kept) after looking whether it can be read.

    Example: `videozoomer sources add films --videos /data/films --questions /data/films.jsonl -r my.yaml`
    """
    from videozoomer.settings.edit import add_source
    from videozoomer.sources.files import SourceError, list_videos
    from videozoomer.sources.questions import question_rows, read_questions

    try:
        offered = list_videos(videos)
        rows = question_rows(read_questions(questions), name, split, [item.uri for item in offered])
        add_source(recipe, name=name, videos=videos, questions=questions, split=split)
    except (SourceError, RecipeError) as error:
        raise _stop(str(error)) from error
    lost = [row for row in rows if row["status"] != "ok"]
    console.print(f"added {name}: {len(offered)} videos, {len(rows)} questions, {len(lost)} of them unusable")
    for row in lost[:5]:
        console.print(f"  {row['question_id']}: {row['reason']}", highlight=False)


@sources_app.command("list")
def sources_list(recipe: RECIPE) -> None:
    """List the sources of a recipe with the videos that they offer now.

    Example: `videozoomer sources list -r my.yaml`
    """
    from videozoomer.sources.files import SourceError, list_videos

    for source in _load(recipe).sources:
        try:
            found = f"{len(list_videos(source.videos))} videos"
        except SourceError as error:
            found = f"unreadable: {error}"
        console.print(
            f"{source.name} ({source.split}): {found} in {source.videos}, questions {source.questions}",
            highlight=False,
            soft_wrap=True,
        )


trajectories_app = typer.Typer(help="Look at what was played.", no_args_is_help=True)
app.add_typer(trajectories_app, name="trajectories")


@trajectories_app.command("list")
def trajectories_list(
    recipe: RECIPE,
    kind: Annotated[str | None, typer.Option(help="exemplar, reflection, probe, evaluation.")] = None,
    outcome: Annotated[str | None, typer.Option(help="kept, rejected or failed.")] = None,
    limit: Annotated[int, typer.Option(help="Most rows.")] = 20,
) -> None:
    """List trajectories with their outcome.

    Example: `videozoomer trajectories list --kind reflection --outcome kept -r my.yaml`
    """
    from pipelines.trajectories import print_list

    print_list(_load(recipe), console, kind, outcome, limit)


@trajectories_app.command("show")
def trajectories_show(
    recipe: RECIPE, trajectory_id: Annotated[str, typer.Argument(help="Id, or its first characters.")]
) -> None:
    """Show one trajectory: question, every turn with its zoom, frames and fault, verdict and reasons.

    Example: `videozoomer trajectories show 3f2a -r my.yaml`
    """
    from pipelines.trajectories import NotFound, print_one

    try:
        print_one(_load(recipe), console, trajectory_id)
    except NotFound as error:
        raise _stop(str(error)) from error


app.add_typer(cli_video.app, name="video")
app.add_typer(cli_ledger.app, name="ledger")
app.add_typer(cli_shards.app, name="shards")
app.command()(serve)

if __name__ == "__main__":
    app()
