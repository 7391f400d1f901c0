"""`videozoomer ui`: the Dagster UI on one recipe."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import STOPPED_BY_USER, console, stop
from pipelines.cli.recipe import RECIPE, load

GRACE_S = 15.0
"""What Dagster's processes get to end by themselves; after that they are killed."""


def ui(
    recipe: RECIPE, port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the web page.")] = 3000
) -> None:
    """Open the Dagster UI on the recipe's assets: lineage, reruns, schedules.

    Example: `videozoomer ui --recipe my.yaml --port 3000`, then open http://127.0.0.1:3000
    """
    from pipelines.run import dagster_home

    home = dagster_home(load(recipe))
    environment = {**os.environ, "DAGSTER_HOME": str(home), "VIDEOZOOMER_RECIPE": str(recipe.resolve())}
    dagster = Path(sys.executable).with_name("dagster")
    if not dagster.exists():
        raise stop(f"there is no {dagster}; install the package again: `pip install videozoomer`")
    console.print(f"the Dagster UI will be at http://127.0.0.1:{port}; stop it with Ctrl-C")
    command = [str(dagster), "dev", "-m", "pipelines.definitions", "-p", str(port), "--log-level", "warning"]
    raise typer.Exit(run_group(command, environment, home))


def run_group(command: Sequence[str], environment: dict[str, str], folder: Path) -> int:
    """Run a command that starts processes of its own; none of them outlives this call. Returns its exit code.

    `dagster dev` passes Ctrl-C on to its servers, but leaves them behind when it is terminated. They run in a group of
    their own, which gets one Ctrl-C, whichever signal ends us.
    """
    received: list[int] = []

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT if len(received) == 1 else signal.SIGKILL)
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)  # Then SIGALRM comes here too, and kills.

    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in caught}
    process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True)
    for number in caught:
        signal.signal(number, pass_on)
    try:
        code = process.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if not received:
        return code
    return STOPPED_BY_USER if received[0] == signal.SIGINT else 128 + received[0]
