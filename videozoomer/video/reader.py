"""Frames at times, for many threads: stored frames where a zoom store has them, else a decode shared by who waits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from videozoomer.video.source import VideoSource
from videozoomer.video.store import ZoomStore, open_store
from videozoomer.video.types import Frame, FrameError


@dataclass
class _Slot:
    """One file: its decoder, its store, and who waits for them."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held while the decoder works."""
    waiting: list[tuple[Sequence[float], Future]] = field(default_factory=list)
    source: VideoSource | None = None
    store: ZoomStore | None = None
    users: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Frames given so far, by where they came from."""

    stored: int = 0
    decoded: int = 0


class ReaderPool:
    """Reads frames of any number of files. At most `max_open` stay open when nobody reads them.

    Decoding releases Python's lock, so threads that read different files run side by side; threads that want frames of
    the same file at the same time are served by one decode.
    """

    def __init__(
        self,
        min_pixels: int,
        max_pixels: int,
        max_open: int = 8,
        *,
        max_memory_mb: int = 1024,
        zoom_store_dir: str | Path | None = None,
        threads: int = 1,
    ) -> None:
        """`zoom_store_dir` is the folder that ingest wrote stores to; `threads` are the decoder's, of one file.

        `max_memory_mb` bounds what idle decoders may hold, by an estimate from the size of their pictures.
        """
        self._min_pixels, self._max_pixels = min_pixels, max_pixels
        self._max_open, self._threads, self._store_dir = max_open, threads, zoom_store_dir
        self._max_memory_bytes = max_memory_mb << 20
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False
        self._stored = self._decoded = 0

    @property
    def counts(self) -> Counts:
        with self._lock:
            return Counts(self._stored, self._decoded)

    def frames_at(self, uri: str, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time in seconds, in the order of the times.

        A time before the first frame shows the first; one up to a second past the end shows the last. Stored frames
        are byte for byte those that a decode gives.

        Raises:
            FrameError: the file cannot be opened, a time is further past the end, or a frame cannot be decoded.
        """
        for time_s in times_s:
            if not -1e12 < time_s < 1e12:
                raise FrameError(uri, time_s, "that is no time")
        if not times_s:
            return []
        slot = self._enter(uri)
        try:
            frames = self._from_store(slot, uri, times_s)
            missing = [index for index, frame in enumerate(frames) if frame is None]
            if missing:
                read = self._from_source(slot, uri, [times_s[index] for index in missing])
                for index, frame in zip(missing, read, strict=True):
                    frames[index] = frame
            with self._lock:
                self._decoded += len(missing)
                self._stored += len(frames) - len(missing)
            return frames
        finally:
            self._leave(slot)

    def close(self) -> None:
        """Close every file; requests under way finish first."""
        with self._lock:
            self._closed = True
            slots = list(self._slots.values())
            self._slots.clear()
        for slot in slots:
            _shut(slot)

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _from_store(self, slot: _Slot, uri: str, times_s: Sequence[float]) -> list[Frame | None]:
        if self._store_dir is None:
            return [None] * len(times_s)
        store = slot.store
        if store is None or not store.serves(self._min_pixels, self._max_pixels):
            store = slot.store = open_store(self._store_dir, uri, self._min_pixels, self._max_pixels)
        return [None] * len(times_s) if store is None else store.frames_at(times_s)

    def _from_source(self, slot: _Slot, uri: str, times_s: Sequence[float]) -> list[Frame]:
        """Whoever gets the turn reads for all who wait by then."""
        mine: Future = Future()
        with self._lock:
            slot.waiting.append((times_s, mine))
        with slot.turn:
            with self._lock:
                served, slot.waiting = slot.waiting, []
            if served:
                self._serve(slot, uri, served)
        return mine.result()

    def _serve(self, slot: _Slot, uri: str, requests: list[tuple[Sequence[float], Future]]) -> None:
        try:
            if slot.source is None:
                slot.source = VideoSource(uri, self._min_pixels, self._max_pixels, threads=self._threads)
            frames = slot.source.frames_at([time_s for times_s, _ in requests for time_s in times_s])
        except FrameError as error:
            if len(requests) > 1:
                # One request must not fail for another's time.
                for request in requests:
                    self._serve(slot, uri, [request])
                return
            requests[0][1].set_exception(error)
        except BaseException as error:
            for _, future in requests:
                future.set_exception(error)
        else:
            for times_s, future in requests:
                future.set_result(frames[: len(times_s)])
                frames = frames[len(times_s) :]

    def _enter(self, uri: str) -> _Slot:
        with self._lock:
            if self._closed:
                raise FrameError(uri, 0.0, "the reader pool is closed")
            slot = self._slots.setdefault(uri, _Slot())
            self._slots.move_to_end(uri)
            slot.users += 1
            return slot

    def _leave(self, slot: _Slot) -> None:
        leaving = []
        with self._lock:
            slot.users -= 1
            held = {uri: other.source.memory_bytes if other.source else 0 for uri, other in self._slots.items()}
            for uri, other in list(self._slots.items()):
                if len(held) <= self._max_open and sum(held.values()) <= self._max_memory_bytes:
                    break
                if other.users == 0:
                    leaving.append(self._slots.pop(uri))
                    del held[uri]
        for other in leaving:
            _shut(other)


def _shut(slot: _Slot) -> None:
    with slot.turn:
        if slot.source is not None:
            slot.source.close()
            slot.source = None
        if slot.store is not None:
            slot.store.close()
            slot.store = None
