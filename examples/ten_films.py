"""Ten short films and questions about them, as a user would bring their own: the material of the tutorial.

python -m examples.ten_films films        # writes films/film-01.mp4 ... film-10.mp4 and films.jsonl
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples.world import World, make_world

FILMS = 10


def write_films(folder: Path, count: int = FILMS) -> Path:
    """Write `count` films into a folder and their questions beside it; return the file of questions.

    The films are those of small sample worlds with consecutive seeds, without the damaged ones and the copies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    questions: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, (film, asked) in enumerate(_films(Path(scratch), count), 1):
            name = f"film-{number:02d}.mp4"
            shutil.copy(film, folder / name)
            questions += [{**row, "id": f"{name}-{index}", "video": name} for index, row in enumerate(asked, 1)]
    target = folder.with_suffix(".jsonl")
    target.write_text("".join(json.dumps(row) + "\n" for row in questions), encoding="utf-8")
    return target


def _films(scratch: Path, count: int) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Film after film with its questions, from as many small worlds as it takes."""
    found, seed = 0, 0
    while found < count:
        world = make_world(scratch / str(seed), seed=seed, size="small")
        for film in _originals(world)[: count - found]:
            found += 1
            yield film, [row for row in _questions(world) if row["video"] == film.name]
        seed += 1


def _originals(world: World) -> list[Path]:
    files = [*sorted(world.train_videos.glob("tape-*.mp4")), *sorted(world.evaluation_videos.glob("reel-*.mp4"))]
    return files


def _questions(world: World) -> list[dict[str, Any]]:
    texts = world.train_questions.read_text(encoding="utf-8") + world.evaluation_questions.read_text(encoding="utf-8")
    return [json.loads(line) for line in texts.splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.ten_films", description="Write ten short sample films.")
    parser.add_argument("folder", type=Path, help="folder for the films; the questions go to FOLDER.jsonl beside it")
    parser.add_argument("--films", type=int, default=FILMS, help="how many films (default: %(default)s)")
    given = parser.parse_args()
    print(
        f"wrote {given.films} films to {given.folder} and their questions to {write_films(given.folder, given.films)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
