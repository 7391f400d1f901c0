"""The zoom store: frames of a grid, kept at ingest as the JPEGs that a zoom would make, in one file for each video.

A zoom whose frames all lie on the grid is then a read of small blobs: no decode, no encode. The store also holds the
presentation time of every frame of the video, so it knows for any time which frame is on the screen, and answers only
when it has exactly that one. It never answers with a frame nearby.
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
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.sqlite import connect_disposable, connect_read_only
from videozoomer.video.clock import Clock
from videozoomer.video.opening import local_path
from videozoomer.video.picture import ENCODING, Encoded
from videozoomer.video.types import Frame

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE times (deltas BLOB NOT NULL);
CREATE TABLE frames (pts INTEGER PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, jpeg BLOB NOT NULL);
"""


class StoreError(Exception):
    """A store that cannot be written: the disk's fault, not the video's, so it is no reason to quarantine one."""


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the zoom store {path} cannot be written ({error}); check the disk and permissions"
        ) from error


def store_path(folder: str | Path, uri: str) -> Path:
    """Where the store of a video lies."""
    return Path(folder) / f"{hashlib.sha256(uri.encode(errors='surrogateescape')).hexdigest()[:32]}.zoom"


def _stamp(uri: str) -> str:
    """What tells that a local file is still the one the store was made from; empty for another machine's."""
    path = local_path(uri)
    if path is None:
        return ""
    status = path.stat()
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"


class ZoomStoreWriter:
    """Takes frames in order. The store appears under its name when `finish` is called, and not before."""

    def __init__(self, folder: str | Path, uri: str, *, fps: float, min_pixels: int, max_pixels: int) -> None:
        """
        Raises:
            StoreError: here and from the other methods, where the disk does not take it.
        """
        self.target = store_path(folder, uri)
        self._partial = partial_path(self.target)
        with _told_of(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._database = connect_disposable(self._partial)
            self._database.executescript(f"{_SCHEMA} BEGIN;")
        self._about = {
            "uri": uri,
            "stamp": _stamp(uri),
            "encoding": ENCODING,
            "fps": fps,
            "min_pixels": min_pixels,
            "max_pixels": max_pixels,
        }
        self._last_pts: int | None = None

    def add(self, pts: int, picture: Encoded) -> None:
        """Keep a frame; one that is on the screen at several points of the grid is kept once."""
        if pts != self._last_pts:
            row = (pts, picture.width, picture.height, picture.jpeg)
            with _told_of(self.target):
                self._database.execute("INSERT INTO frames VALUES (?, ?, ?, ?)", row)
            self._last_pts = pts

    def finish(self, clock: Clock, pts: Sequence[int], end_pts: int, video_id: str) -> Path:
        """Complete the store with the presentation times of every frame of the video, in order."""
        deltas = array("q", [pts[0], *(after - before for before, after in pairwise(pts))])
        base = clock.time_base
        self._about |= {
            "video_id": video_id,
            "first_pts": clock.first_pts,
            "time_base": f"{base.numerator}/{base.denominator}",
            "end_pts": end_pts,
        }
        rows = [(key, json.dumps(value)) for key, value in self._about.items()]
        with _told_of(self.target):
            self._database.executemany("INSERT INTO about VALUES (?, ?)", rows)
            self._database.execute("INSERT INTO times VALUES (?)", (zlib.compress(deltas.tobytes()),))
            self._database.execute("COMMIT")
            self._database.close()
            commit(self._partial, self.target)
        return self.target

    def abandon(self) -> None:
        """Leave nothing behind. Harmless after `finish`."""
        self._database.close()
        self._partial.unlink(missing_ok=True)


class ZoomStore:
    """A finished store, open for reading. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            sqlite3.DatabaseError: the file is no store.
        """
        self._lock = threading.Lock()
        # The file never changes under its name, so it needs no locks of SQLite's.
        self._database = connect_read_only(path, immutable=True)
        about = {key: json.loads(value) for key, value in self._database.execute("SELECT key, value FROM about")}
        self.uri: str = about["uri"]
        self.fps: float = about["fps"]
        self.video_id: str = about["video_id"]
        self._stamp: str = about["stamp"]
        self._made_as = (about["encoding"], about["min_pixels"], about["max_pixels"])
        self._clock = Clock(about["first_pts"], Fraction(about["time_base"]))
        self._end_pts: int = about["end_pts"]
        deltas = array("q")
        deltas.frombytes(zlib.decompress(self._database.execute("SELECT deltas FROM times").fetchone()[0]))
        for index in range(1, len(deltas)):
            deltas[index] += deltas[index - 1]
        self._pts = deltas

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def serves(self, min_pixels: int, max_pixels: int) -> bool:
        """Whether its frames are what a direct read would give: same limits, same encoding, file unchanged."""
        return self._made_as == (ENCODING, min_pixels, max_pixels) and self._stamp == _stamp(self.uri)

    def frames_at(self, times_s: Sequence[float]) -> list[Frame | None]:
        """The frame on the screen at each time where it is stored, else None."""
        wanted = [self._on_screen(time_s) for time_s in times_s]
        asked = sorted({pts for pts in wanted if pts is not None})
        query = f"SELECT pts, width, height, jpeg FROM frames WHERE pts IN ({','.join('?' * len(asked))})"
        with self._lock:
            found = {row[0]: row for row in self._database.execute(query, asked)}
        frames: list[Frame | None] = []
        for time_s, pts in zip(times_s, wanted, strict=True):
            row = found.get(pts)
            if row is None:
                frames.append(None)
            else:
                frames.append(Frame(frame_id_of(row[3]), self._clock.seconds(pts), time_s, row[1], row[2], row[3]))
        return frames

    def _on_screen(self, time_s: float) -> int | None:
        target = self._clock.ticks(time_s)
        # Past the end the source decides whether it is too far.
        return None if target >= self._end_pts else self._pts[bisect_right(self._pts, target) - 1]


def open_store(folder: str | Path, uri: str, min_pixels: int, max_pixels: int) -> ZoomStore | None:
    """The store of a video, where there is one that answers as the source would; None where there is not."""
    path = store_path(folder, uri)
    if not path.exists():
        return None
    store = ZoomStore(path)
    if store.serves(min_pixels, max_pixels):
        return store
    store.close()
    return None
