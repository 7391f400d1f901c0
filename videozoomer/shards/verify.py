"""Checks that a data set's folder is what its manifest says: its files, their bytes, and what its rows are."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from videozoomer.shards.manifest import FILE, Manifest, ShardError, ShardFile, counts_of, inside, sha256_of
from videozoomer.shards.schema import ROWS, SPLITS

BESIDE = (".md", ".txt")
"""Endings of texts that may stand beside the data: the card, a licence."""


def verify(folder: Path, manifest: Manifest) -> None:
    """
    Raises:
        ShardError: a file is missing, changed or not listed, or leads out of the folder; or the rows do not match the
            manifest's kind, columns or counts.
    """
    for file in manifest.files:
        _verify_file(folder, file)
    if unlisted := _unlisted(folder, manifest):
        raise ShardError(f"{folder} contains {unlisted}, which its manifest does not list; remove them")
    _verify_rows(folder, manifest)


def _verify_file(folder: Path, file: ShardFile) -> None:
    path = inside(folder, file.name)
    if not path.is_file():
        raise ShardError(f"{path} is missing; build or copy the data set again")
    if path.stat().st_size != file.bytes or sha256_of(path) != file.sha256:
        raise ShardError(
            f"{path} has changed since it was written (its SHA-256 differs); build or copy the data set again"
        )
    if (rows := pq.ParquetFile(path).metadata.num_rows) != file.rows:
        raise _edited(folder, f"{file.name} has {rows} rows, not {file.rows}")


def _unlisted(folder: Path, manifest: Manifest) -> list[str]:
    """Files in the folder and below it that readers of a folder would take for data; hidden ones are not."""
    known = {FILE, *(file.name for file in manifest.files)}
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        text = len(name.parts) == 1 and (path.suffix in BESIDE or not path.suffix)
        if not path.is_dir() and not hidden and not text and str(name) not in known:
            found.append(str(name))
    return found


def _verify_rows(folder: Path, manifest: Manifest) -> None:
    declared, parts = ROWS[manifest.kind], [ROWS[manifest.kind].empty()]
    for file in manifest.of_role("rows"):
        part = pl.read_parquet(folder / file.name)
        columns = part.columns
        if columns != list(manifest.columns):
            raise _edited(folder, f"{file.name} has other columns than it says")
        lacking = [c.name for c in declared.columns if c.required and c.name not in columns]
        unknown = sorted(set(columns) - {c.name for c in declared.columns})
        if lacking or unknown:
            raise _edited(
                folder,
                f"its kind is {manifest.kind}, but the rows of {file.name} "
                + (f"lack {lacking}" if lacking else f"have {unknown}"),
            )
        if file.split not in SPLITS[manifest.kind] or set(part["split"]) - {file.split}:
            raise _edited(folder, f"{file.name} has other rows than those of split {file.split}")
        parts.append(part)
    rows = pl.concat(parts, how="diagonal")
    shown = _shown(manifest.kind, rows)
    stored = [pl.read_parquet(folder / file.name, columns=["frame_id"]) for file in manifest.of_role("frames")]
    frames = pl.concat([pl.DataFrame(schema={"frame_id": pl.String}), *stored])["frame_id"]
    if set(frames) != set(shown) or frames.n_unique() != len(frames):
        raise _edited(folder, "its frames are not those that its rows show, each once")
    if (counts := counts_of(rows, len(frames))) != manifest.counts:
        differing = sorted(
            name for name in counts.keys() | manifest.counts if counts.get(name) != manifest.counts.get(name)
        )
        told = ", ".join(f"{name} {manifest.counts.get(name)} instead of {counts.get(name)}" for name in differing)
        raise _edited(folder, f"it counts {told}")


def _shown(kind: str, rows: pl.DataFrame) -> pl.Series:
    """Ids of all frames that the rows show, each once."""
    if kind != "sft":
        return rows["overview_frame_ids"].explode().drop_nulls().unique()
    messages = rows.select(pl.col("messages").explode()).drop_nulls().select(pl.col("messages").struct.field("parts"))
    parts = messages.select(pl.col("parts").explode()).drop_nulls().select(pl.col("parts").struct.field("frame_id"))
    return parts["frame_id"].drop_nulls().unique()


def _edited(folder: Path, how: str) -> ShardError:
    return ShardError(f"{folder / FILE} does not match the data: {how}; build or copy the data set again")
