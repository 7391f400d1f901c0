"""Reads a data set: its rows and frames, and checks that no byte has changed."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from videozoomer.lake.reading import rows_as
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.shards.manifest import ShardError, inside, read_manifest
from videozoomer.shards.rows import EvaluationShardRow, SftShardRow
from videozoomer.shards.schema import ROWS
from videozoomer.shards.verify import verify

GROUPS_IN_MEMORY = 32
"""Row groups of frames kept in memory, about 700 kB each."""


class ShardSet:
    """A data set on disk. It reads frames on demand. Not thread-safe."""

    def __init__(self, path: Path | str) -> None:
        """
        Raises:
            ShardError: the folder is not a data set.
        """
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self._group = lru_cache(GROUPS_IN_MEMORY)(self._read_group)

    def table(self, split: str | None = None) -> pl.DataFrame:
        """Rows of one split (default: all), sorted by key within each split."""
        files = [inside(self.path, file.name) for file in self.manifest.of_role("rows", split)]
        return pl.concat([pl.read_parquet(file) for file in files]) if files else ROWS[self.manifest.kind].empty()

    def rows(self, split: str | None = None) -> list[dict]:
        return self.table(split).to_dicts()

    def trajectories(self, split: str | None = None) -> list[SftShardRow]:
        """Rows of an SFT data set, typed.

        Raises:
            SchemaError: the data set has questions (kind `rl` or `evaluation`).
        """
        return rows_as(SftShardRow, self.table(split))

    def questions(self, split: str | None = None) -> list[PlayableQuestion]:
        """Rows of an RL or evaluation data set as questions.

        Raises:
            SchemaError: the data set has conversations (kind `sft`).
        """
        return [PlayableQuestion.from_shard_row(row) for row in rows_as(EvaluationShardRow, self.table(split))]

    def jpeg(self, frame_id: str) -> bytes:
        """The bytes of a frame.

        Raises:
            ShardError: the data set does not contain the frame.
        """
        name, group, index, _, _ = self._position(frame_id)
        return self._group(name, group)[index].as_py()

    def size(self, frame_id: str) -> tuple[int, int]:
        """Width and height of a frame in pixels, without reading its bytes."""
        return self._position(frame_id)[3:]

    def _position(self, frame_id: str) -> tuple[str, int, int, int, int]:
        position = self._positions.get(frame_id)
        if position is None:
            raise ShardError(
                f"{self.path} does not contain frame {frame_id}; check the folder with `videozoomer shards verify`"
            )
        return position

    def verify(self) -> None:
        """Check that the folder is what its manifest says; see `videozoomer.shards.verify`.

        Raises:
            ShardError: a file is missing, changed or not listed, or leads out of the folder; or the rows do not match
                the manifest's kind, columns or counts.
        """
        verify(self.path, self.manifest)

    @cached_property
    def _positions(self) -> dict[str, tuple[str, int, int, int, int]]:
        """Frame id -> file, row group, row within it, width, height."""
        positions = {}
        for file in self.manifest.of_role("frames"):
            parquet = self._parquet(file.name)
            for group in range(parquet.num_row_groups):
                facts = parquet.read_row_group(group, columns=["frame_id", "width", "height"]).to_pylist()
                for index, fact in enumerate(facts):
                    positions[fact["frame_id"]] = (file.name, group, index, fact["width"], fact["height"])
        return positions

    def _parquet(self, name: str) -> pq.ParquetFile:
        if name not in self._files:
            self._files[name] = pq.ParquetFile(inside(self.path, name))
        return self._files[name]

    @cached_property
    def _files(self) -> dict[str, pq.ParquetFile]:
        return {}

    def _read_group(self, name: str, group: int) -> pa.ChunkedArray:
        return self._parquet(name).read_row_group(group, columns=["jpeg"])["jpeg"]
