"""Reads a data set: rows, single frames, and proof that no byte has changed."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from videozoomer.lake.reading import rows_as
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.shards.manifest import ShardError, read_manifest, sha256_of
from videozoomer.shards.rows import EvaluationShardRow, SftShardRow
from videozoomer.shards.schema import ROWS

GROUPS_IN_MEMORY = 32
"""Row groups of frames kept after reading, some 700 kB each."""


class ShardSet:
    """A data set on disk. Frames are read when asked for; not for use from several threads at once."""

    def __init__(self, path: Path | str) -> None:
        """Raises:
        ShardError: the folder is no data set.
        """
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self._group = lru_cache(GROUPS_IN_MEMORY)(self._read_group)

    def table(self, split: str | None = None) -> pl.DataFrame:
        """Rows of a split (of all by default), sorted by key within each split."""
        files = [self.path / file.name for file in self.manifest.of_role("rows", split)]
        return pl.concat([pl.read_parquet(file) for file in files]) if files else ROWS[self.manifest.kind].empty()

    def rows(self, split: str | None = None) -> list[dict]:
        return self.table(split).to_dicts()

    def trajectories(self, split: str | None = None) -> list[SftShardRow]:
        """Rows of an SFT data set, typed.

        Raises:
            SchemaError: the data set holds questions (kind `rl` or `evaluation`).
        """
        return rows_as(SftShardRow, self.table(split))

    def questions(self, split: str | None = None) -> list[PlayableQuestion]:
        """Rows of an RL or evaluation data set as questions.

        Raises:
            SchemaError: the data set holds conversations (kind `sft`).
        """
        return [PlayableQuestion.from_shard_row(row) for row in rows_as(EvaluationShardRow, self.table(split))]

    def jpeg(self, frame_id: str) -> bytes:
        """Raises:
        ShardError: the data set does not hold the frame.
        """
        name, group, index, _, _ = self._place(frame_id)
        return self._group(name, group)[index].as_py()

    def size(self, frame_id: str) -> tuple[int, int]:
        """Width and height of a frame in pixels, without reading its bytes."""
        return self._place(frame_id)[3:]

    def _place(self, frame_id: str) -> tuple[str, int, int, int, int]:
        place = self._places.get(frame_id)
        if place is None:
            raise ShardError(f"{self.path} holds no frame {frame_id}; check the folder with ShardSet.verify()")
        return place

    def verify(self) -> None:
        """Hold every file against its checksum.

        Raises:
            ShardError: a file is missing or changed, or a Parquet file lies there that the manifest does not know.
        """
        known = {file.name for file in self.manifest.files}
        for file in self.manifest.files:
            path = self.path / file.name
            if not path.is_file():
                raise ShardError(f"{path} is missing; build the data set again or copy it anew")
            if sha256_of(path) != file.sha256:
                raise ShardError(
                    f"{path} is not the file that was written (its SHA-256 differs); build or copy it anew"
                )
        if extra := sorted(path.name for path in self.path.glob("*.parquet") if path.name not in known):
            raise ShardError(f"{self.path} holds {extra}, which its manifest does not list; remove them")

    @cached_property
    def _places(self) -> dict[str, tuple[str, int, int, int, int]]:
        """Frame id -> file, row group, row within it, width, height."""
        places = {}
        for file in self.manifest.of_role("frames"):
            parquet = self._parquet(file.name)
            for group in range(parquet.num_row_groups):
                facts = parquet.read_row_group(group, columns=["frame_id", "width", "height"]).to_pylist()
                for index, fact in enumerate(facts):
                    places[fact["frame_id"]] = (file.name, group, index, fact["width"], fact["height"])
        return places

    def _parquet(self, name: str) -> pq.ParquetFile:
        if name not in self._files:
            self._files[name] = pq.ParquetFile(self.path / name)
        return self._files[name]

    @cached_property
    def _files(self) -> dict[str, pq.ParquetFile]:
        return {}

    def _read_group(self, name: str, group: int) -> pa.ChunkedArray:
        return self._parquet(name).read_row_group(group, columns=["jpeg"])["jpeg"]
