"""`make demo`: run recipes/demo.yaml end to end on the sample world with its local teacher."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from pipelines.cli.output import open_console, print_error, print_step
from pipelines.progress import RichProgress
from videozoomer.settings import Recipe, load_recipe

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "demo.yaml"
PORT = 8173


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument(
        "--ui", action="store_true", help="open the Dagster UI on the demo's assets instead of running it"
    )
    parser.add_argument("--recipe", "-r", type=Path, default=RECIPE, help="recipe to run (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port of the local teacher (default: %(default)s)")
    parser.add_argument("--ui-port", type=int, default=3000, help="port of the Dagster UI (default: %(default)s)")
    chosen = parser.parse_args()
    console = open_console()
    recipe = load_recipe(chosen.recipe)
    started_s = time.monotonic()
    make_sample_world(recipe, console)
    if not _asks_the_local_teacher(recipe, chosen.port):
        return _run(recipe, chosen, console, started_s)
    with local_teacher(chosen.port):
        return _run(recipe, chosen, console, started_s)


def _run(recipe: Recipe, chosen: argparse.Namespace, console: Console, started_s: float) -> int:
    from pipelines.run import RunFailed, run
    from pipelines.summary import print_summary
    from videozoomer.lake.lock import HomeInUse

    if chosen.ui:
        return subprocess.call(
            [
                str(Path(sys.executable).with_name("videozoomer")),
                "ui",
                "-r",
                str(chosen.recipe),
                "--port",
                str(chosen.ui_port),
            ]
        )
    try:
        outcome = run(
            recipe,
            progress=RichProgress(console),
            say=print_step,
        )
    except (RunFailed, HomeInUse) as error:
        print_error(error)
        return 1
    print_summary(recipe, outcome, console, chosen.recipe, demo=chosen.recipe == RECIPE)
    console.print(f"\n{time.monotonic() - started_s:.0f} s in total.")
    return 0


def make_sample_world(recipe: Recipe, console: Console) -> None:
    """Write the sample world where the recipe's sources expect it; keep a complete one."""
    from examples.world import make_world

    target = Path(recipe.sources[0].videos).parent.parent
    with ExitStack() as stack:
        bar: list = []

        def show_progress(name: str, finished: int, total: int) -> None:
            if not bar:
                print_step(f"generating the sample world in {target}")
                bar.append(stack.enter_context(RichProgress(console).task("generate videos", total)))
            bar[0](1)

        make_world(target, progress=show_progress)


def _asks_the_local_teacher(recipe: Recipe, port: int) -> bool:
    return recipe.teacher.base_url.startswith((f"http://127.0.0.1:{port}/", f"http://localhost:{port}/"))


@contextmanager
def local_teacher(port: int) -> Iterator[None]:
    """The local teacher in a separate process, unless one is already listening."""
    if _model_at(port) is not None:
        yield
        return
    server = subprocess.Popen(
        [sys.executable, "-m", "examples.teacher", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        deadline_s = time.monotonic() + 30
        while _model_at(port) is None:
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise SystemExit(
                    f"the local teacher did not start on port {port}. Is the port taken? "
                    "Choose another with --port and set it in the recipe's teacher.base_url"
                )
            time.sleep(0.1)
        print_step(f"the local teacher answers as {_model_at(port)} on port {port}")
        yield
    finally:
        server.terminate()
        server.wait(10)


def _model_at(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2) as answer:
            return json.load(answer)["data"][0]["id"]
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None


if __name__ == "__main__":
    sys.exit(main())
