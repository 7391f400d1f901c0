"""Writes a data set: checks rows and frames, computes checksums, and replaces the folder only when it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from videozoomer.lake.atomic import replaced_folder
from videozoomer.lake.rows import FrameRow
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.shards.card import render_card
from videozoomer.shards.manifest import FILE, Manifest, ShardError, ShardFile, counts_of, sha256_of
from videozoomer.shards.schema import ROWS, SPLITS, places_of

FRAMES_PER_GROUP = 64
"""Frames of one Parquet row group, which is what reading one frame reads from disk: about 700 kB."""
FRAMES_PER_FILE = 16_384
"""Frames of one file, about 170 MB at the protocol's frame size."""
Places = Mapping[str, Sequence[tuple[str, float]]]
"""Frame id -> where the rows show it: (video, presentation time in seconds), sorted."""
_FRAME_SCHEMA = pa.schema(
    [
        ("frame_id", pa.string()),
        ("video_id", pa.string()),
        ("time_s", pa.float64()),
        ("places", pa.list_(pa.struct([("video_id", pa.string()), ("time_s", pa.float64())]))),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("jpeg", pa.binary()),
    ]
)
"""`places` has every video and time at which the rows show the frame; `video_id` and `time_s` are the first of them."""


def write_dataset(
    kind: str,
    target: Path,
    rows: pl.DataFrame | Sequence[Mapping[str, object]],
    frame_rows: Iterable[FrameRow],
    *,
    about: dict,
    max_rows: int,
) -> Manifest:
    """Write rows and the frames that they show. One rename puts the folder in place of an older one.

    The same rows and frames in the same order give the same bytes. `frame_rows` is read once, as a stream. Where a
    frame is seen follows from the rows alone; `frame_rows` may name any of its videos.

    Raises:
        SchemaError: the rows do not match their declaration in videozoomer/shards/schema.py.
        ShardError: a frame that a row shows is missing; a frame comes twice, is shown by no row, or has bytes that do
            not match its id; or a split is unknown.
    """
    declared = ROWS[kind]
    table = declared.conform(rows).sort(declared.key)
    if unknown := sorted(set(table["split"].unique()) - set(SPLITS[kind])):
        raise ShardError(f"{kind} rows have the unknown splits {unknown}; use {list(SPLITS[kind])}")
    places = places_of(kind, table.iter_rows(named=True))
    with replaced_folder(target) as folder:
        files = [*_write_rows(folder, table, SPLITS[kind], max_rows), *_write_frames(folder, frame_rows, places)]
        manifest = Manifest(
            kind=kind,
            about=about,
            counts=counts_of(table, len(places)),
            columns={name: str(dtype) for name, dtype in table.schema.items()},
            files=tuple(files),
        )
        (folder / FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
        (folder / "README.md").write_text(render_card(manifest))
    return manifest


def _write_rows(folder: Path, table: pl.DataFrame, splits: tuple[str, ...], max_rows: int) -> Iterator[ShardFile]:
    for split in splits:
        part = table.filter(pl.col("split") == split)
        for index, start in enumerate(range(0, part.height, max_rows)):
            path = folder / f"data-{split}-{index:05d}.parquet"
            piece = part.slice(start, max_rows)
            piece.write_parquet(path, compression="zstd", row_group_size=256)
            yield _described(path, "rows", split, piece.height)


def _write_frames(folder: Path, frame_rows: Iterable[FrameRow], places: Places) -> Iterator[ShardFile]:
    missing = set(places)
    rows = iter(frame_rows)
    index, more = 0, True
    while more:
        path, written = folder / f"frames-{index:05d}.parquet", 0
        with pq.ParquetWriter(path, _FRAME_SCHEMA, compression="none") as writer:
            while more and written < FRAMES_PER_FILE:
                group = [_placed(row, places, missing) for _, row in zip(range(FRAMES_PER_GROUP), rows, strict=False)]
                more = len(group) == FRAMES_PER_GROUP
                if group:
                    writer.write_table(pa.Table.from_pylist(group, _FRAME_SCHEMA), row_group_size=FRAMES_PER_GROUP)
                    written += len(group)
        if written:
            yield _described(path, "frames", None, written)
        else:
            path.unlink()
        index += 1
    if missing:
        some = ", ".join(sorted(missing)[:3])
        raise ShardError(
            f"rows show {len(missing)} frames that are not in table frames (such as {some}); "
            "materialise the assets that played their batches again"
        )


def _placed(row: FrameRow, places: Places, missing: set[str]) -> dict[str, object]:
    frame_id = row["frame_id"]
    if frame_id not in places:
        raise ShardError(f"frame {frame_id} is shown by no row; pass only frames that rows show")
    if frame_id not in missing:
        raise ShardError(f"frame {frame_id} comes twice; pass each frame once")
    if frame_id_of(row["jpeg"]) != frame_id:
        raise ShardError(f"the bytes of frame {frame_id} do not match its id; materialise the asset that read it again")
    missing.discard(frame_id)
    shown = [{"video_id": video_id, "time_s": time_s} for video_id, time_s in places[frame_id]]
    return {**row, **shown[0], "places": shown}


def _described(path: Path, role: Literal["rows", "frames"], split: str | None, rows: int) -> ShardFile:
    return ShardFile(
        name=path.name, role=role, split=split, rows=rows, bytes=path.stat().st_size, sha256=sha256_of(path)
    )
