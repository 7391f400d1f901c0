"""Frames at times, for many threads: from the zoom store if possible, else from a decode that waiting threads share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from videozoomer.protocol.unreadable import Span
from videozoomer.video.salvaged_source import SalvagedSource, check_readable
from videozoomer.video.source import VideoSource
from videozoomer.video.store import ZoomStore, open_store
from videozoomer.video.types import Frame, FrameError

Request = tuple[Sequence[float], "Future[list[Frame]]"]
"""Times in seconds, and where their frames go."""


@dataclass
class _OpenFile:
    """One file: its decoder, its zoom store, and the requests that wait for them."""

    decoding: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[Request] = field(default_factory=list)
    source: VideoSource | None = None
    store: ZoomStore | None = None
    users: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Frames returned so far, by source, and requests that wait for a decoder now."""

    stored: int = 0
    decoded: int = 0
    waiting: int = 0


class ReaderPool:
    """Reads frames of any number of files. At most `max_open` idle files stay open.

    Decoding releases the GIL, so threads that read different files run in parallel. Threads that want frames of the
    same file at the same time share one decode.
    """

    def __init__(
        self,
        min_pixels: int,
        max_pixels: int,
        max_open: int = 8,
        *,
        max_memory_mb: int = 1024,
        zoom_store_dir: str | Path | None = None,
        unpacked_dir: str | Path | None = None,
        threads: int = 1,
        stream: int | None = None,
        bad_spans: Mapping[str, Sequence[Span]] | None = None,
    ) -> None:
        """`zoom_store_dir` is the folder that ingest wrote zoom stores to, `unpacked_dir` the one for films that an
        archive compresses; `threads` is the decoder threads per file.

        `max_memory_mb` limits the memory of idle decoders, estimated from the size of their pictures. `stream` is the
        position of the video stream to read among all streams of each file; by default the one that FFmpeg takes.

        `bad_spans` are those that ingest found in damaged files, by URI; no frame is read in them.
        """
        self._min_pixels, self._max_pixels = min_pixels, max_pixels
        self._max_open, self._threads, self._store_dir = max_open, threads, zoom_store_dir
        self._unpacked_dir, self._stream = unpacked_dir, stream
        self._bad_spans = {uri: tuple(spans) for uri, spans in (bad_spans or {}).items() if spans}
        self._max_memory_bytes = max_memory_mb << 20
        self._files: OrderedDict[str, _OpenFile] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False
        self._stored = self._decoded = 0

    @property
    def counts(self) -> Counts:
        with self._lock:
            waiting = sum(len(file.waiting) for file in self._files.values())
            return Counts(self._stored, self._decoded, waiting)

    def frames_at(self, uri: str, times_s: Sequence[float]) -> list[Frame]:
        """The frame on the screen at each time in seconds, in the order of the times.

        A time before the first frame gives the first frame; one up to a second past the end gives the last. Stored
        frames are byte for byte equal to decoded ones.

        Raises:
            FrameError: the file cannot be opened, a time is more than a second past the end or in a bad span, or a
                frame cannot be decoded.
        """
        for time_s in times_s:
            if not -1e12 < time_s < 1e12:
                raise FrameError(uri, time_s, "it is not a time in seconds")
        if not times_s:
            return []
        check_readable(uri, self._bad_spans.get(uri, ()), times_s)
        file = self._enter(uri)
        try:
            stored = self._from_store(file, uri, times_s)
            missing = [time_s for time_s, frame in zip(times_s, stored, strict=True) if frame is None]
            decoded = iter(self._from_source(file, uri, missing) if missing else ())
            with self._lock:
                self._decoded += len(missing)
                self._stored += len(stored) - len(missing)
            return [next(decoded) if frame is None else frame for frame in stored]
        finally:
            self._leave(file)

    def close(self) -> None:
        """Close every file after its current requests."""
        with self._lock:
            self._closed = True
            files = list(self._files.values())
            self._files.clear()
        for file in files:
            _shut(file)

    def __enter__(self) -> ReaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _from_store(self, file: _OpenFile, uri: str, times_s: Sequence[float]) -> list[Frame | None]:
        if self._store_dir is None:
            return [None] * len(times_s)
        store = file.store
        if store is None or not store.serves(self._min_pixels, self._max_pixels, self._stream):
            store = file.store = open_store(self._store_dir, uri, self._min_pixels, self._max_pixels, self._stream)
        return [None] * len(times_s) if store is None else store.frames_at(times_s)

    def _from_source(self, file: _OpenFile, uri: str, times_s: Sequence[float]) -> list[Frame]:
        """Whichever thread gets the decoder reads for all that wait by then."""
        mine: Future[list[Frame]] = Future()
        with self._lock:
            file.waiting.append((times_s, mine))
        with file.decoding:
            with self._lock:
                served, file.waiting = file.waiting, []
            if served:
                self._serve(file, uri, served)
        return mine.result()

    def _serve(self, file: _OpenFile, uri: str, requests: list[Request]) -> None:
        try:
            if file.source is None:
                file.source = self._opened(uri)
            frames = file.source.frames_at([time_s for times_s, _ in requests for time_s in times_s])
        except FrameError as error:
            if len(requests) > 1:
                # A bad time must fail only the request that it belongs to.
                for request in requests:
                    self._serve(file, uri, [request])
                return
            requests[0][1].set_exception(error)
        except BaseException as error:
            for _, future in requests:
                future.set_exception(error)
        else:
            for times_s, future in requests:
                future.set_result(frames[: len(times_s)])
                frames = frames[len(times_s) :]

    def _opened(self, uri: str) -> VideoSource:
        limits = self._min_pixels, self._max_pixels
        if spans := self._bad_spans.get(uri):
            return SalvagedSource(
                uri, *limits, spans, threads=self._threads, unpacked_dir=self._unpacked_dir, stream=self._stream
            )
        return VideoSource(uri, *limits, threads=self._threads, unpacked_dir=self._unpacked_dir, stream=self._stream)

    def _enter(self, uri: str) -> _OpenFile:
        with self._lock:
            if self._closed:
                raise FrameError(uri, 0.0, "the reader pool is closed; read frames inside its `with` block")
            file = self._files.setdefault(uri, _OpenFile())
            self._files.move_to_end(uri)
            file.users += 1
            return file

    def _leave(self, file: _OpenFile) -> None:
        leaving = []
        with self._lock:
            file.users -= 1
            held = {uri: other.source.memory_bytes if other.source else 0 for uri, other in self._files.items()}
            for uri, other in list(self._files.items()):
                if len(held) <= self._max_open and sum(held.values()) <= self._max_memory_bytes:
                    break
                if other.users == 0:
                    leaving.append(self._files.pop(uri))
                    del held[uri]
        for other in leaving:
            _shut(other)


def _shut(file: _OpenFile) -> None:
    with file.decoding:
        if file.source is not None:
            file.source.close()
            file.source = None
        if file.store is not None:
            file.store.close()
            file.store = None
