"""Frames at times, for many threads: files stay open between requests, within a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType

from video.source import VideoSource
from video.types import Frame, FrameError


class _Slot:
    """One file: its decoder, who waits for it, and how many use it."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.source: VideoSource | None = None
        self.users = 0


class ReaderPool:
    """Reads frames of any number of files; keeps at most `max_open` of them open while nobody uses more.

    Decoding releases Python's lock, so threads that read different files run side by side.
    """

    def __init__(self, min_pixels: int, max_pixels: int, max_open: int = 8, *, threads: int = 1) -> None:
        self._min_pixels, self._max_pixels = min_pixels, max_pixels
        self._max_open, self._threads = max_open, threads
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def frames_at(self, uri: str, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time in seconds, in the order of the times.

        A time before the first frame shows the first; one up to a second past the end shows the last.

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
            with slot.turn:
                if slot.source is None:
                    slot.source = VideoSource(uri, self._min_pixels, self._max_pixels, threads=self._threads)
                return slot.source.frames_at(times_s)
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

    def _enter(self, uri: str) -> _Slot:
        with self._lock:
            if self._closed:
                raise FrameError(uri, 0.0, "the reader pool is closed")
            slot = self._slots.setdefault(uri, _Slot())
            self._slots.move_to_end(uri)
            slot.users += 1
            return slot

    def _leave(self, slot: _Slot) -> None:
        with self._lock:
            slot.users -= 1
            surplus = len(self._slots) - self._max_open
            idle = [uri for uri, other in self._slots.items() if other.users == 0][: max(0, surplus)]
            leaving = [self._slots.pop(uri) for uri in idle]
        for other in leaving:
            _shut(other)


def _shut(slot: _Slot) -> None:
    with slot.turn:
        if slot.source is not None:
            slot.source.close()
            slot.source = None
