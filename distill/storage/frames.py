"""The frames of a step, each JPEG once, in one SQLite file, so that memory does not grow with their number."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from distill.storage.errors import explained
from distill.storage.threads import Flusher
from videozoomer.protocol import FrameRef
from videozoomer.sqlite import connect_shared

if TYPE_CHECKING:
    from videozoomer.video.types import Frame

T = TypeVar("T")
_Read = tuple["list[Frame]", str, str]
"""Frames, video and key of a read."""
_MAX_READS = 64
_GATHER_S = 0.02
"""How long the frames of one read wait for those of others, to be written together."""
_SCHEMA = """
create table if not exists frames (
    frame_id text primary key, video_id text not null, time_s real not null,
    width integer not null, height integer not null, jpeg blob not null
);
create table if not exists reads (read_key text primary key, frames text not null) without rowid;
"""


class FrameMissing(KeyError):
    """The store has no frame with this id."""

    def __init__(self, frame_id: str, path: Path) -> None:
        super().__init__(frame_id)
        self.frame_id = frame_id
        self.path = path

    def __str__(self) -> str:
        return f"frame {self.frame_id} is not in {self.path}; put the overview's frames there before playing"


class FrameStore:
    """Thread-safe. A killed process keeps every frame for which `put` returned.

    Every method raises StorageError where the file cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._writing, self._reading, self._keeping = threading.Lock(), threading.Lock(), threading.Lock()
        with _using(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The last frames before a crash of the machine can be decoded again.
            self._writer = connect_shared(self.path, synchronous="normal")
            self._writer.executescript(_SCHEMA)
            self._reader = connect_shared(self.path, synchronous="normal")
            # Asking SQLite whether a read is new would release the GIL, and a busy event loop is slow to return it.
            self._reads = {key for (key,) in self._reader.execute("select read_key from reads")}
        self._unwritten_reads: dict[str, list[Frame]] = {}
        self._unwritten: dict[str, Frame] = {}
        self._flusher: Flusher[_Read] | None = None
        self._last: Future | None = None
        self._failure: Exception | None = None

    def put(self, frames: Iterable[Frame], video_id: str) -> None:
        """Store frames, such as those of an overview."""
        self._insert([(frame, video_id) for frame in frames])

    def keep(self, frames: Iterable[Frame], video_id: str, read_key: str) -> None:
        """Store the frames of one read of a video under the read's key, so that a rerun need not decode it again.

        They are available at once and written shortly after, those of many reads together: a killed process may lose
        the last ones, which are then decoded again.

        Raises:
            StorageError: the frames of an earlier read could not be written.
        """
        if self._failure is not None:
            raise self._failure
        frames = list(frames)
        self._unwritten.update((frame.frame_id, frame) for frame in frames)
        self._unwritten_reads[read_key] = frames
        with self._keeping:
            if self._flusher is None:
                self._flusher = Flusher(self._write, "frames-kept", max_items=_MAX_READS, gather_s=_GATHER_S)
            self._last = Future()
            self._flusher.put((frames, video_id, read_key), self._last)

    def jpeg(self, frame_id: str) -> bytes:
        """The bytes of a frame.

        Raises:
            FrameMissing: the store has no such frame.
        """
        return self.pictures([frame_id])[frame_id][0]

    def pictures(self, frame_ids: Sequence[str]) -> dict[str, tuple[bytes, int, int]]:
        """JPEG, width and height of several frames in one query; the same error as `jpeg`."""
        wanted = list(dict.fromkeys(frame_ids))
        unwritten = {frame_id: frame for frame_id in wanted if (frame := self._unwritten.get(frame_id)) is not None}
        found = {frame_id: (frame.jpeg, frame.width, frame.height) for frame_id, frame in unwritten.items()}
        for part in _chunks([frame_id for frame_id in wanted if frame_id not in found]):
            query = f"select frame_id, jpeg, width, height from frames where frame_id in ({_marks(part)})"
            with self._reading, _using(self.path):
                found |= {row[0]: row[1:] for row in self._reader.execute(query, part)}
        for frame_id in wanted:
            if frame_id not in found:
                raise FrameMissing(frame_id, self.path)
        return found

    def rows(self, frame_ids: Iterable[str]) -> Iterator[dict]:
        """Rows of table `frames`, each once, in the order of first mention. Raises like `jpeg` and `keep`."""
        if self._last is not None:
            self._last.result()
        if self._failure is not None:
            raise self._failure
        columns = ("frame_id", "video_id", "time_s", "width", "height", "jpeg")
        for part in _chunks(list(dict.fromkeys(frame_ids))):
            query = f"select {', '.join(columns)} from frames where frame_id in ({_marks(part)})"
            with self._reading, _using(self.path):
                found = {row[0]: row for row in self._reader.execute(query, part)}
            for frame_id in part:
                if frame_id not in found:
                    raise FrameMissing(frame_id, self.path)
                yield dict(zip(columns, found[frame_id], strict=True))

    def recall(self, read_key: str) -> list[FrameRef] | None:
        """The frames of an earlier read, or None if there was none."""
        if (frames := self._unwritten_reads.get(read_key)) is not None:
            return [FrameRef(frame.frame_id, frame.time_s) for frame in frames]
        if read_key not in self._reads:
            return None
        with self._reading, _using(self.path):
            (listed,) = self._reader.execute("select frames from reads where read_key = ?", (read_key,)).fetchone()
        return [FrameRef(frame_id, time_s) for frame_id, time_s in json.loads(listed)]

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._flusher is not None:
            self._flusher.close()
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()

    def _write(self, reads: Sequence[_Read]) -> None:
        try:
            self._insert([(frame, video_id) for frames, video_id, _ in reads for frame in frames])
            values = [
                value
                for frames, _, key in reads
                for value in (key, json.dumps([[frame.frame_id, frame.time_s] for frame in frames]))
            ]
            marks = ",".join(["(?, ?)"] * len(reads))
            # Written last, so that a killed process never leaves a read without all of its frames.
            with self._writing, _using(self.path):
                self._writer.execute(f"insert or replace into reads values {marks}", values)
        except Exception as error:
            self._failure = error  # Nobody waits for a flush, so the next caller of `keep` or `rows` gets the error.
            raise
        self._reads.update(key for _, _, key in reads)
        for frames, _, key in reads:
            self._unwritten_reads.pop(key, None)
            for frame in frames:
                self._unwritten.pop(frame.frame_id, None)

    def _insert(self, frames: Sequence[tuple[Frame, str]]) -> None:
        for part in _chunks(frames):
            values = [
                value for f, video_id in part for value in (f.frame_id, video_id, f.time_s, f.width, f.height, f.jpeg)
            ]
            marks = ",".join(["(?, ?, ?, ?, ?, ?)"] * len(part))
            with self._writing, _using(self.path):
                self._writer.execute(f"insert or ignore into frames values {marks}", values)

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _using(path: Path) -> AbstractContextManager[None]:
    return explained(path, "delete it, then run again: its frames are decoded anew")


def read_key(video_id: str, times_s: Sequence[float], min_pixels: int, max_pixels: int) -> str:
    """The key of one read: video content, times and frame size decide what it returns."""
    text = json.dumps([video_id, list(times_s), min_pixels, max_pixels])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _chunks(items: Sequence[T], size: int = 200) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
