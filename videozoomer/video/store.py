"""The zoom store: ingest keeps frames on a time grid as the JPEGs that a zoom would return, in one file per video.

A zoom on the grid then reads small blobs and neither decodes nor encodes. The store also holds the presentation time of
every frame of the video. So it knows which frame is on the screen at any time, and returns exactly that frame or
nothing, never one nearby.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from videozoomer.lake.atomic import commit, partial_path
from videozoomer.places.finding import changed_mark
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.sqlite import connect_disposable, connect_read_only
from videozoomer.video.picture import ENCODING, EncodedFrame
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.types import Frame

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE times (deltas BLOB NOT NULL);
CREATE TABLE frames (pts INTEGER PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, jpeg BLOB NOT NULL);
"""


class StoreError(Exception):
    """A store cannot be written. That is the disk's fault, so the video is not quarantined."""


@contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the zoom store {path} cannot be written ({error}); check the disk and permissions"
        ) from error


def store_path(folder: str | Path, uri: str) -> Path:
    """Path of a video's store; the file may not exist."""
    return Path(folder) / f"{hashlib.sha256(uri.encode(errors='surrogateescape')).hexdigest()[:32]}.zoom"


class ZoomStoreWriter:
    """Takes frames in order. The store appears under its name only when `finish` is called."""

    def __init__(
        self,
        folder: str | Path,
        uri: str,
        *,
        fps: float,
        min_pixels: int,
        max_pixels: int,
        stream: int | None = None,
    ) -> None:
        """Begin a partial file beside the target.

        Raises:
            StoreError: the store cannot be written; the other methods raise it too.
        """
        self.target = store_path(folder, uri)
        self._partial = partial_path(self.target)
        with _as_store_error(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._database = connect_disposable(self._partial)  # An unfinished store is deleted.
            self._database.executescript(f"{_SCHEMA} BEGIN;")
        self._about = {
            "uri": uri,
            "stamp": changed_mark(uri),
            "encoding": ENCODING,
            "fps": fps,
            "min_pixels": min_pixels,
            "max_pixels": max_pixels,
            "stream": stream,
        }
        self._last_pts: int | None = None

    def add(self, pts: int, picture: EncodedFrame) -> None:
        """Keep a frame; one that is on the screen at several points of the grid is stored once."""
        if pts != self._last_pts:
            row = (pts, picture.width, picture.height, picture.jpeg)
            with _as_store_error(self.target):
                self._database.execute("INSERT INTO frames VALUES (?, ?, ?, ?)", row)
            self._last_pts = pts

    def finish(
        self,
        clock: StreamClock,
        pts: Sequence[int],
        end_pts: int,
        video_id: str,
        bad: Sequence[tuple[int, int]] = (),
    ) -> Path:
        """Complete the store with the presentation time of every frame of the video, in order.

        `bad` are the spans in ticks in which no frame is certain, in order.
        """
        deltas = array("q", [pts[0], *(after - before for before, after in pairwise(pts))])
        base = clock.time_base
        self._about |= {
            "video_id": video_id,
            "first_pts": clock.first_pts,
            "time_base": f"{base.numerator}/{base.denominator}",
            "end_pts": end_pts,
            "bad": list(bad),
        }
        rows = [(key, json.dumps(value)) for key, value in self._about.items()]
        with _as_store_error(self.target):
            self._database.executemany("INSERT INTO about VALUES (?, ?)", rows)
            self._database.execute("INSERT INTO times VALUES (?)", (zlib.compress(deltas.tobytes()),))
            self._database.execute("COMMIT")
            self._database.close()
            commit(self._partial, self.target)
        return self.target

    def abandon(self) -> None:
        """Delete the partial file. Does nothing after `finish`."""
        self._database.close()
        self._partial.unlink(missing_ok=True)


class ZoomStore:
    """A finished store, open for reading. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the store and read its times.

        Raises:
            sqlite3.DatabaseError: the file is not a zoom store.
        """
        self._lock = threading.Lock()
        # The file never changes under its name, so it needs no locks of SQLite's.
        self._database = connect_read_only(path, immutable=True)
        about = {key: json.loads(value) for key, value in self._database.execute("SELECT key, value FROM about")}
        self.uri: str = about["uri"]
        self.fps: float = about["fps"]
        self.video_id: str = about["video_id"]
        self._stamp: str = about["stamp"]
        self._made_as = (about["encoding"], about["min_pixels"], about["max_pixels"], about.get("stream"))
        self._clock = StreamClock(about["first_pts"], Fraction(about["time_base"]))
        self._end_pts: int = about["end_pts"]
        self._bad: list[tuple[int, int]] = [(start, stop) for start, stop in about.get("bad", ())]
        deltas = array("q")
        deltas.frombytes(zlib.decompress(self._database.execute("SELECT deltas FROM times").fetchone()[0]))
        for index in range(1, len(deltas)):
            deltas[index] += deltas[index - 1]
        self._pts = deltas

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def serves(self, min_pixels: int, max_pixels: int, stream: int | None = None) -> bool:
        """Whether its frames equal those of a direct read: same limits, encoding and stream, file unchanged."""
        return self._made_as == (ENCODING, min_pixels, max_pixels, stream) and self._stamp == changed_mark(self.uri)

    def frames_at(self, times_s: Sequence[float]) -> list[Frame | None]:
        """The frame on the screen at each time; None where it is not stored."""
        wanted = [self._on_screen(time_s) for time_s in times_s]
        asked = sorted({pts for pts in wanted if pts is not None})
        query = f"SELECT pts, width, height, jpeg FROM frames WHERE pts IN ({','.join('?' * len(asked))})"
        with self._lock:
            found = {row[0]: row for row in self._database.execute(query, asked)}
        frames: list[Frame | None] = []
        for time_s, pts in zip(times_s, wanted, strict=True):
            if pts is None or (row := found.get(pts)) is None:
                frames.append(None)
            else:
                frames.append(Frame(frame_id_of(row[3]), self._clock.seconds(pts), time_s, row[1], row[2], row[3]))
        return frames

    def _on_screen(self, time_s: float) -> int | None:
        target = self._clock.ticks(time_s)
        # Past the end, and in a span that cannot be read, the source decides.
        if target >= self._end_pts or any(start <= target < stop for start, stop in self._bad):
            return None
        return self._pts[bisect_right(self._pts, target) - 1]


def open_store(
    folder: str | Path, uri: str, min_pixels: int, max_pixels: int, stream: int | None = None
) -> ZoomStore | None:
    """The store of a video if there is one whose frames equal those of the source, else None."""
    path = store_path(folder, uri)
    if not path.exists():
        return None
    store = ZoomStore(path)
    if store.serves(min_pixels, max_pixels, stream):
        return store
    store.close()
    return None
