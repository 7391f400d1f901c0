"""How fast `videozoomer view` is on many trajectories: those of a finished home, copied under other ids.

python -m benchmarks.viewer HOME --rows 100000

Prints, for each request, the milliseconds of CPU time and of wall time (the median of several): the first list (the
index of the lake is made for it), a page of a list with filters, the first full text search, an item, its question's
samples, its frames.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from eval.viewer.live import episodes
from eval.viewer.live.index import Index, Query
from eval.viewer.live.pictures import Pictures
from videozoomer.lake.lake import Lake

COPIED = ("trajectories", "grades", "verdicts", "questions")
IDS = ("trajectory_id", "question_id", "parent_id")
REPEATS = 7
app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    home: Annotated[Path, typer.Argument(help="A finished home.")],
    rows: Annotated[int, typer.Option(help="Trajectories of the lake that is made from it.")] = 100_000,
) -> None:
    with tempfile.TemporaryDirectory(prefix="videozoomer-") as folder:
        lake = multiplied(Lake(home / "tables"), Path(folder), rows)
        print(f"{lake.read('trajectories', columns=['trajectory_id']).height:,} trajectories")
        report("first list", lambda: Index(lake).rows(Query(), None, 0, 100), 3)
        index = Index(lake)
        some = [row["id"] for row in index.rows(Query(), None, index.total // 2, 200)["rows"]][::20]
        kept = Query.parse([("outcome", "kept"), ("zooms", "1")])
        report("list with filters", lambda: index.rows(kept, None, 500, 100))
        report("counts of all filters", lambda: index.facets(kept))
        report("first search", lambda: index.rows(Query("flash"), None, 0, 100), 1)
        report("another search", lambda: index.rows(Query("flash colour"), None, 0, 100), 1)
        asked, sampled = iter(some), iter(some)
        report("item", lambda: episodes.item(index, next(asked)))
        report("samples of a question", lambda: episodes.samples(index, index.item(next(sampled))["question_id"]))
        shown = [episodes.item(index, name) for name in some]
        pictures, wanted = Pictures(), iter(shown)
        report("first frame of an item", lambda: first_frame(pictures, index, next(wanted)))


def first_frame(pictures: Pictures, index: Index, item: dict[str, Any]) -> None:
    trajectory = item["trajectory"]
    frames = trajectory["overview"] or [frame for turn in trajectory["turns"] for frame in turn["frames"]]
    if frames:
        pictures.frame(index, frames[0][0], trajectory["id"])


def report(what: str, call: Callable[[], Any], repeats: int = REPEATS) -> None:
    cpu, wall = [], []
    for _ in range(repeats):
        began_cpu, began = time.process_time(), time.perf_counter()
        call()
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    print(f"{what:24} {1000 * statistics.median(cpu):7.0f} ms CPU {1000 * statistics.median(wall):7.0f} ms wall")


def multiplied(lake: Lake, folder: Path, rows: int) -> Lake:
    """A lake of at least so many trajectories: all of `lake`, again and again, each time with other ids."""
    larger = Lake(folder)
    copies = -(-rows // max(lake.read("trajectories", columns=["trajectory_id"]).height, 1))
    for table in ("videos", "shots", "frames", "bad_spans"):
        for partition in lake.partitions(table):
            larger.write(table, lake.read(table, [partition]), partition)
    for table in COPIED:
        for partition in lake.partitions(table):
            one = lake.read(table, [partition])
            names = [name for name in IDS if name in one.columns]
            copied = pl.concat(
                one.with_columns(pl.concat_str(pl.lit(f"{copy:05d}-"), pl.col(name)).alias(name) for name in names)
                for copy in range(copies)
            )
            larger.write(table, copied, partition)
    return larger


if __name__ == "__main__":
    app()
