"""Your own videos and questions, through the pipeline, to a page of trajectories.

    python examples/own_videos.py                                   # a small generated world and its local teacher
    python examples/own_videos.py --videos /data/films --questions /data/films.jsonl \\
        --server http://127.0.0.1:8000/v1 --home runs/films         # yours

It sets no policy, so nothing is trained and no torch is needed. Run it again after adding a video or a question; only
what changed is made, and no call is paid twice.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from examples.teacher import serve
from examples.world import make_world
from pipelines.cli.output import open_console, print_step
from pipelines.progress import RichProgress
from pipelines.run import run
from videozoomer.lake import Lake
from videozoomer.settings import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", help="folder, glob or file")
    parser.add_argument("--questions", help=".jsonl, .json, .csv, .tsv or .parquet")
    parser.add_argument("--server", help="base URL of an OpenAI-compatible server, ending in /v1")
    parser.add_argument("--model", help="model name; default: the server's only model")
    parser.add_argument("--home", type=Path, default=Path("runs/own-videos"), help="output folder")
    given = parser.parse_args()
    console = open_console()
    with ExitStack() as stack:
        if not given.videos:
            world = make_world(given.home / "world", size="small")
            given.videos, given.questions = str(world.train_videos), str(world.train_questions)
        if not given.server:
            given.server = stack.enter_context(serve()).base_url
        recipe = Recipe.model_validate(
            {
                "name": "own-videos",
                "home": str(given.home),
                "sources": [{"name": "films", "videos": given.videos, "questions": given.questions}],
                "teacher": {"base_url": given.server, "model": given.model, "concurrency": 8},
                "distill": {"samples": 2},
            }
        )
        run(recipe, progress=RichProgress(console), say=print_step)
    lake = Lake(given.home / "tables")
    for stage, kind, reason, rows in lake.read("funnel").iter_rows():
        console.print(f"{stage:9} {kind:11} {rows:5}  {reason}")
    console.print(f"open {given.home / 'report' / 'trajectories.html'}")


if __name__ == "__main__":
    main()
