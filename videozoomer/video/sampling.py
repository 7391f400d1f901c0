"""Samples the decoded frames during ingest: each sampler has its own times and takes the frames on the screen then."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from videozoomer.video.picture import EncodedFrame, FrameEncoder, Orientation
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.types import Frame

if TYPE_CHECKING:
    import av

CANDIDATE_SPACING_S = 0.5
"""Spacing of the frames that a shot-aware overview chooses from; no shot is shorter."""
_SPOOL_BYTES = 8 << 20

TimedFrame = tuple[int, "av.VideoFrame"]
"""A decoded frame with its presentation time in ticks."""


class CachingEncoder:
    """Encodes the current frame at most once, however many samplers want it."""

    def __init__(self, encoder: FrameEncoder, aspect: float, orientation: Orientation) -> None:
        self._encoder, self._aspect, self._orientation = encoder, aspect, orientation
        self._last: tuple[int, EncodedFrame] | None = None

    def encode(self, pts: int, frame: av.VideoFrame) -> EncodedFrame:
        if self._last is None or self._last[0] != pts:
            self._last = pts, self._encoder.encode(frame, self._aspect, self._orientation)
        return self._last[1]


class FrameSampler:
    """Calls `take` with the frame on the screen at each of increasing times: (time_s, pts, frame).

    In a bad span, where no frame is certain, it takes the nearest one that is, or none if `exact`.
    """

    def __init__(
        self,
        clock: StreamClock,
        times_s: Iterable[float],
        take: Callable[[float, int, av.VideoFrame], None],
        *,
        exact: bool = False,
    ) -> None:
        self._clock, self._times, self._take, self._exact = clock, iter(times_s), take, exact
        self._advance()

    def offer(self, pts: int, frame: av.VideoFrame, until_pts: int | None, certain_until: int | None = None) -> None:
        """`frame` is on the screen from `pts` until `until_pts`; None for the last one.

        `certain_until` is where a bad span begins, up to `until_pts`; None if there is none.
        """
        while self._next_s is not None and (until_pts is None or self._next_tick < until_pts):
            shown = self._next_tick >= pts and (certain_until is None or self._next_tick < certain_until)
            if not shown and self._exact:
                self._advance()
                continue
            if not shown and until_pts is not None and self._next_tick - pts > until_pts - self._next_tick:
                return  # The next frame is nearer.
            self._take(self._next_s, pts, frame)
            self._advance()

    def _advance(self) -> None:
        self._next_s = next(self._times, None)
        if self._next_s is not None:
            self._next_tick = self._clock.ticks(self._next_s)


def grid_times(spacing_s: float, end_s: float) -> Iterator[float]:
    """0, one spacing, two spacings ... before the end."""
    return itertools.takewhile(lambda time_s: time_s < end_s, (index * spacing_s for index in itertools.count()))


class FrameSpool:
    """Encoded frames by requested time; beyond a few megabytes they go to disk, not to memory."""

    def __init__(self, clock: StreamClock) -> None:
        self._clock = clock
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  `close` closes it.
        self._rows: dict[float, tuple[int, str, int, int, int, int]] = {}
        self._last: tuple[int, str, int, int, int, int] | None = None

    def put(self, time_s: float, pts: int, picture: EncodedFrame) -> None:
        if self._last is None or self._last[0] != pts:
            offset = self._file.tell()
            self._file.write(picture.jpeg)
            self._last = (pts, picture.frame_id, picture.width, picture.height, offset, len(picture.jpeg))
        self._rows[time_s] = self._last

    @property
    def times_s(self) -> list[float]:
        return list(self._rows)

    def frames(self, times_s: Sequence[float]) -> tuple[Frame, ...]:
        """The frames put for these times.

        Raises:
            KeyError: nothing was put for a time.
        """
        out = []
        for time_s in times_s:
            pts, name, width, height, offset, size = self._rows[time_s]
            self._file.seek(offset)
            out.append(Frame(name, self._clock.seconds(pts), time_s, width, height, self._file.read(size)))
        self._file.seek(0, 2)
        return tuple(out)

    def close(self) -> None:
        self._file.close()
