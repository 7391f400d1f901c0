"""CPU milliseconds and synced files of a stage's commit: content-named files and a log against files and stamps.

    python -m benchmarks.commit --partitions 500

A stage writes one partition of each of four tables and its stamp. `files` is what releases before the log did: each
file and the stamp replaced in place, each synced by itself. Both are measured in one run, in turns.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from videozoomer.lake import CATALOG, Lake
from videozoomer.lake.atomic import replaced_file, write_text
from videozoomer.lake.lake import log_of
from videozoomer.lake.snapshot import Snapshot, Stamp
from videozoomer.lake.stamps import Stamps

TABLES = ("leaks", "funnel", "shots", "overviews")
Rows = Mapping[str, Sequence[Mapping[str, object]]]


def rows_of(seed: int, count: int) -> Rows:
    return {
        "leaks": [{"kind": "k", "train_id": f"{seed}-{i}", "evaluation_id": "e", "score": i / 7} for i in range(count)],
        "funnel": [{"stage": "s", "kind": "k", "reason": f"{seed}-{i}", "rows": i} for i in range(count)],
        "shots": [
            {"video_id": f"{seed}", "index": i, "start_s": float(i), "end_s": i + 1.0, "score": 0.5, "detector": "d"}
            for i in range(count)
        ],
        "overviews": [
            {
                "video_id": f"{seed}",
                "index": i,
                "requested_s": float(i),
                "time_s": float(i),
                "frame_id": f"{i:032x}",
                "policy": "uniform",
            }
            for i in range(count)
        ],
    }


def by_files(home: Path, partition: str, rows: Rows) -> None:
    for table in TABLES:
        declared = CATALOG[table]
        with replaced_file(home / "tables" / table / f"{partition}.parquet") as partial:
            declared.conform(rows[table]).sort(declared.key).write_parquet(
                partial, compression="zstd", row_group_size=4096
            )
    stamp = json.dumps(Stamp("i" * 32, "c" * 32, {"rows": 1}).to_json(), indent=1)
    write_text(home / "stamps" / "stage" / f"{partition}.json", stamp)


def by_log(home: Path, partition: str, rows: Rows) -> None:
    lake = Lake(home / "log").begin("stage")
    for table in TABLES:
        lake.write(table, rows[table], partition)
    Stamps(lake).write("stage", Stamp("i" * 32, "c" * 32, {"rows": 1}), partition)
    lake.commit()


def main(
    partitions: Annotated[int, typer.Option(help="Partitions to write, and then to replace.")] = 500,
    count: Annotated[int, typer.Option("--rows", help="Rows of a partition.")] = 20,
) -> None:
    spent = {"files": 0.0, "log": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ways: dict[str, Callable[[Path, str, Rows], None]] = {"files": by_files, "log": by_log}
        for turn in range(2):
            for number in range(partitions):
                rows = rows_of(turn * partitions + number, count)
                for name, way in ways.items():
                    before = time.process_time()
                    way(home, f"b-{number:05d}", rows)
                    spent[name] += time.process_time() - before
        commits, log = 2 * partitions, log_of(home / "log")
        for name, seconds in spent.items():
            typer.echo(f"{name}: {1000 * seconds / commits:.2f} CPU ms a stage of {len(TABLES)} tables and a stamp")
        typer.echo(f"log / files: {spent['log'] / spent['files']:.2f}")
        head = log.head()
        log._snapshot = Snapshot()
        before = time.process_time()
        assert log.head() == head
        typer.echo(f"open cold after {head.number} commits: {1000 * (time.process_time() - before):.1f} CPU ms")
        before = time.process_time()
        for _ in range(1000):
            log.head()
        typer.echo(f"look for news: {time.process_time() - before:.3f} CPU ms")
        stamps = Stamps(Lake(home / "log", pinned=head))
        before = time.process_time()
        for number in range(partitions):
            stamps.inputs("1", ["stage"], f"b-{number:05d}")
        typer.echo(f"inputs of a result: {1000 * (time.process_time() - before) / partitions:.4f} CPU ms")
        size = sum(path.stat().st_size for path in (home / "log" / "log").iterdir())
        typer.echo(f"log: {size / 1e6:.1f} MB of entries")


if __name__ == "__main__":
    typer.run(main)
