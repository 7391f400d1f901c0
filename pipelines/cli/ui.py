"""`videozoomer ui`: the Dagster UI on one recipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import console
from pipelines.cli.recipe import RECIPE, load


def ui(recipe: RECIPE, port: Annotated[int, typer.Option(help="Port of the web page.")] = 3000) -> None:
    """Open the Dagster UI on the recipe's assets: lineage, reruns, schedules.

    Example: `videozoomer ui --recipe my.yaml --port 3000`, then open http://127.0.0.1:3000
    """
    from pipelines.run import dagster_home

    home = dagster_home(load(recipe))
    environment = {**os.environ, "DAGSTER_HOME": str(home), "VIDEOZOOMER_RECIPE": str(recipe.resolve())}
    dagster = Path(sys.executable).with_name("dagster")
    console.print(f"the Dagster UI will be at http://127.0.0.1:{port}; stop it with Ctrl-C")
    command = [str(dagster), "dev", "-m", "pipelines.definitions", "-p", str(port), "--log-level", "warning"]
    raise typer.Exit(subprocess.call(command, env=environment, cwd=home))
