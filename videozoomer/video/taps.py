"""What ingest draws from the one stream of decoded frames: each tap names times and takes the frames shown then."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from videozoomer.video.clock import Clock
from videozoomer.video.picture import Encoded, PictureMaker, Turn
from videozoomer.video.types import Frame

if TYPE_CHECKING:
    import av

CANDIDATE_SPACING_S = 0.5
"""Spacing of the frames that a shot-aware overview chooses from; no shot is shorter."""
_SPOOL_BYTES = 8 << 20


class Pictures:
    """Encodes the frame at hand at most once, however many taps want it."""

    def __init__(self, maker: PictureMaker, aspect: float, turn: Turn) -> None:
        self._maker, self._aspect, self._turn = maker, aspect, turn
        self._last: tuple[int, Encoded] | None = None

    def of(self, frame: av.VideoFrame) -> Encoded:
        if self._last is None or self._last[0] != frame.pts:
            self._last = frame.pts, self._maker.encode(frame, self._aspect, self._turn)
        return self._last[1]


class Tap:
    """Increasing times, and what is done with the frame on the screen at each."""

    def __init__(self, clock: Clock, times_s: Iterable[float], take: Callable[[float, av.VideoFrame], None]) -> None:
        self._clock, self._times, self._take = clock, iter(times_s), take
        self._advance()

    def offer(self, frame: av.VideoFrame, until_pts: int | None) -> None:
        """`frame` is on the screen until `until_pts`; None for the last one."""
        while self._next_s is not None and (until_pts is None or self._next_tick < until_pts):
            self._take(self._next_s, frame)
            self._advance()

    def _advance(self) -> None:
        self._next_s = next(self._times, None)
        if self._next_s is not None:
            self._next_tick = self._clock.ticks(self._next_s)


def grid(spacing_s: float, end_s: float) -> Iterator[float]:
    """0, one spacing, two spacings ... before the end."""
    return itertools.takewhile(lambda time_s: time_s < end_s, (index * spacing_s for index in itertools.count()))


class FrameSpool:
    """Encoded frames by the time they were asked for; past a few megabytes they wait on disk, not in memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  Closed by `close`.
        self._rows: dict[float, tuple[int, str, int, int, int, int]] = {}
        self._last: tuple[int, str, int, int, int, int] | None = None

    def put(self, time_s: float, pts: int, picture: Encoded) -> None:
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
            KeyError: a time for which none was put.
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
