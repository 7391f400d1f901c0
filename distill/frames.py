"""Where frames lie between reader, teacher and shards: each JPEG once, in one SQLite file, so memory stays flat."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zoom import FrameRef

if TYPE_CHECKING:
    from video.types import Frame

T = TypeVar("T")

_SCHEMA = """
create table if not exists frames (
    frame_id text primary key, video_id text not null, time_s real not null,
    width integer not null, height integer not null, jpeg blob not null
);
create table if not exists reads (read_key text primary key, frames text not null) without rowid;
"""


class FrameMissing(KeyError):
    """A frame was named that the store does not hold."""

    def __init__(self, frame_id: str, path: Path) -> None:
        super().__init__(frame_id)
        self.frame_id = frame_id
        self.path = path

    def __str__(self) -> str:
        return f"frame {self.frame_id} is not in {self.path}; put the overview's frames there before playing"


class FrameStore:
    """Thread-safe. A killed process loses nothing that `put` returned from."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        # Each statement is a transaction, and one visit to SQLite: Python gives its lock away for each.
        self._connection = sqlite3.connect(self.path, check_same_thread=False, timeout=60, isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        # Frames are read once and kept encoded; pages of them would only take memory (512 KiB, not 2 MiB).
        self._connection.execute("pragma cache_size=-512")
        # NORMAL: a crash of the machine (not of the process) may lose the last frames, and they can be read again.
        self._connection.execute("pragma synchronous=normal")
        self._connection.executescript(_SCHEMA)

    def put(self, frames: Iterable[Frame], video_id: str, read_key: str | None = None) -> None:
        """Keep frames and, with a `read_key`, note that this read of the video returned them: a rerun need not decode it
        again. It is noted last, so that a killed process never leaves a read whose frames are not all there."""
        frames = list(frames)
        with self._lock:
            for part in _chunks(frames):
                values = [value for f in part for value in (f.frame_id, video_id, f.time_s, f.width, f.height, f.jpeg)]
                rows = ",".join(["(?, ?, ?, ?, ?, ?)"] * len(part))
                self._connection.execute(f"insert or ignore into frames values {rows}", values)
            if read_key is not None:
                value = json.dumps([[frame.frame_id, frame.time_s] for frame in frames])
                self._connection.execute("insert or replace into reads values (?, ?)", (read_key, value))

    def jpeg(self, frame_id: str) -> bytes:
        """The bytes of a frame.

        Raises:
            FrameMissing: no such frame was put.
        """
        return self.pictures([frame_id])[frame_id][0]

    def pictures(self, frame_ids: Sequence[str]) -> dict[str, tuple[bytes, int, int]]:
        """JPEG, width and height of several frames in one query; the same error as `jpeg`."""
        found: dict[str, tuple[bytes, int, int]] = {}
        wanted = list(dict.fromkeys(frame_ids))
        for part in _chunks(wanted):
            # One row with all of them: Python takes its lock anew for each row, and a busy event loop is slow to give it up.
            query = (
                "select json_group_array(json_array(frame_id, length(jpeg), width, height)), cast(group_concat(jpeg, '') as blob) "
                f"from frames where frame_id in ({_marks(part)})"
            )
            with self._lock:
                listed, jpegs = self._connection.execute(query, part).fetchone()
            start = 0
            for frame_id, length, width, height in json.loads(listed):
                found[frame_id] = (jpegs[start : (start := start + length)], width, height)
        for frame_id in wanted:
            if frame_id not in found:
                raise FrameMissing(frame_id, self.path)
        return found

    def rows(self, frame_ids: Iterable[str]) -> Iterator[dict]:
        """Rows of table `frames`, each once, in the order of first mention; the same error as `jpeg`."""
        columns = ("frame_id", "video_id", "time_s", "width", "height", "jpeg")
        for part in _chunks(list(dict.fromkeys(frame_ids))):
            query = f"select {', '.join(columns)} from frames where frame_id in ({_marks(part)})"
            with self._lock:
                found = {row[0]: row for row in self._connection.execute(query, part)}
            for frame_id in part:
                if frame_id not in found:
                    raise FrameMissing(frame_id, self.path)
                yield dict(zip(columns, found[frame_id], strict=True))

    def recall(self, read_key: str) -> list[FrameRef] | None:
        """The frames of an earlier read, or None where there was none."""
        with self._lock:
            row = self._connection.execute("select frames from reads where read_key = ?", (read_key,)).fetchone()
        return [FrameRef(frame_id, time_s) for frame_id, time_s in json.loads(row[0])] if row else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_key(video_id: str, times_s: Sequence[float], min_pixels: int, max_pixels: int) -> str:
    """Names one read: the content, the times and the size of the frames decide what comes back."""
    text = json.dumps([video_id, list(times_s), min_pixels, max_pixels])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _chunks(items: list[T], size: int = 200) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
