"""Frames and clips on demand: from the table, from the data sets, or from the film."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from cachetools import LRUCache

from eval.viewer import data
from eval.viewer.live.index import Index, QueryError

if TYPE_CHECKING:
    from videozoomer.video.types import Frame

KEPT_BYTES = 256_000_000
"""Of pictures in memory."""
LONGEST_CLIP_S = 180.0
ReadFrame = Callable[[str, float], "Frame"]
"""The frame of a film (path or URL) at a time in seconds."""


class Pictures:
    """Finds pictures; threads may share it."""

    def __init__(self, read: ReadFrame | None = None, shards: Sequence[Path] = (), stream: int | None = None) -> None:
        """`read` reads a frame from a film, `shards` are folders of data sets, `stream` is the video stream to cut."""
        self._read, self._shards, self._stream = read, shards, stream
        self._kept: LRUCache[str, bytes] = LRUCache(KEPT_BYTES, getsizeof=len)
        self._guard = threading.Lock()
        self._loading = threading.Lock()
        self._cutting = threading.Semaphore(2)
        self._clips = tempfile.TemporaryDirectory(prefix="videozoomer-clips-")

    def close(self) -> None:
        self._clips.cleanup()

    def frame(self, index: Index, frame_id: str, trajectory_id: str) -> bytes | None:
        """The JPEG that a trajectory shows under this id; None if it is nowhere. All its other frames are kept too."""
        if (found := self._in_memory(frame_id)) is not None:
            return found
        # A browser asks for all frames of a trajectory at once; the first request loads them for the others.
        with self._loading:
            return self._in_memory(frame_id) or self._load(index, frame_id, trajectory_id)

    def _in_memory(self, frame_id: str) -> bytes | None:
        with self._guard:
            return self._kept.get(frame_id)

    def _load(self, index: Index, frame_id: str, trajectory_id: str) -> bytes | None:
        row = index.item(trajectory_id)
        shown = data.trajectories(index.lake, [trajectory_id], [row["partition"]])
        times = {one: time_s for trajectory in shown for one, time_s in data.frames_of(trajectory)}
        if frame_id not in times:
            raise QueryError(f"trajectory {trajectory_id} shows no frame {frame_id}")
        found = self._from_tables(index, sorted(times), row["partition"])
        if frame_id not in found:
            found |= self._from_shards(sorted(times))
        if frame_id not in found:
            found |= self._from_film(index, row["question_id"], frame_id, times[frame_id])
        self._keep(found)
        return found.get(frame_id)

    def _keep(self, found: dict[str, bytes]) -> None:
        with self._guard:
            for name, jpeg in found.items():
                if len(jpeg) < KEPT_BYTES:
                    self._kept[name] = jpeg

    def _from_tables(self, index: Index, wanted: list[str], partition: str) -> dict[str, bytes]:
        """From the partitions that are likely to have them; from all if some are still missing."""
        stored = index.lake.partitions("frames")
        batch = partition.split(".", 1)[-1]
        likely = [name for name in stored if name in (partition, f"overviews.{batch}")]
        found: dict[str, bytes] = {}
        for names in (likely, [name for name in stored if name not in likely]):
            missing = [frame_id for frame_id in wanted if frame_id not in found]
            if not missing or not names:
                continue
            rows = index.lake.scan("frames", names, ["frame_id", "jpeg"]).filter(pl.col("frame_id").is_in(missing))
            found.update(rows.collect().iter_rows())
        return found

    def _from_shards(self, wanted: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for folder in self._shards:
            files = sorted(folder.glob("frames-*.parquet"))
            if files and len(found) < len(wanted):
                rows = pl.scan_parquet(files).select("frame_id", "jpeg").filter(pl.col("frame_id").is_in(wanted))
                found.update(rows.collect().iter_rows())
        return found

    def _from_film(self, index: Index, question_id: str, frame_id: str, time_s: float) -> dict[str, bytes]:
        """The frame read again; not kept if its bytes are others, since the trajectory did not show it."""
        from videozoomer.video.types import FrameError

        question = data.questions(index.lake, [question_id]).get(question_id)
        if question is None or self._read is None:
            return {}
        try:
            frame = self._read(question["video_uri"], time_s)
        except (FrameError, OSError):
            return {}
        return {frame_id: frame.jpeg} if frame.frame_id == frame_id else {}

    def clip(self, uri: str, start_s: float, end_s: float) -> Path:
        """An MP4 of a part of a film, cut once.

        Raises:
            QueryError: the part is too long.
            ClipError: it cannot be cut.
        """
        from hashlib import sha256

        from videozoomer.video.clip import write_clip

        if end_s - start_s > LONGEST_CLIP_S:
            raise QueryError(f"a clip has at most {LONGEST_CLIP_S:g} s")
        name = sha256(f"{uri}|{start_s:.3f}|{end_s:.3f}".encode()).hexdigest()[:24]
        target = Path(self._clips.name) / f"{name}.mp4"
        with self._cutting:
            if not target.exists():
                write_clip(uri, start_s, end_s, target, stream=self._stream)
        return target
