"""An open video of which only a part can be read: it returns certain frames, and an error for times in bad spans.

A container's seek can be misled by damage. So every way to read is checked against the times of all packets, which are
read once when the file is opened; and where seeking fails, the file is decoded in order, as ingest did.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.protocol.unreadable import Span, unreadable_at
from videozoomer.video.damage import Decoded, decode, read_packets
from videozoomer.video.damage_times import settle_times
from videozoomer.video.packets import FastReadFailed
from videozoomer.video.salvage import stores_dts
from videozoomer.video.source import Shown, VideoSource
from videozoomer.video.types import Frame, FrameError, Quarantine

if TYPE_CHECKING:
    import av


class SalvagedSource(VideoSource):
    """Not thread-safe, like `VideoSource`."""

    def __init__(
        self,
        uri: str,
        min_pixels: int,
        max_pixels: int,
        bad_spans: Sequence[Span],
        *,
        threads: int = 1,
        unpacked_dir: str | Path | None = None,
        stream: int | None = None,
    ) -> None:
        """Open a file whose bad spans ingest has found, and read the times of its packets.

        Raises:
            FrameError: the file cannot be opened, or is not the one that ingest read.
        """
        self._spans = tuple(bad_spans)
        super().__init__(uri, min_pixels, max_pixels, threads=threads, unpacked_dir=unpacked_dir, stream=stream)
        self._borders = sorted({self.clock.ticks(span.end_s) for span in self._spans})

    def frames_at(self, times_s: Sequence[float]) -> list[Frame]:
        check_readable(self.uri, self._spans, times_s)
        return super().frames_at(times_s)

    def _first(self) -> tuple[av.VideoFrame | None, int | None]:
        container, stream, _ = self._reader.opened()
        with container:
            self._packets = read_packets(container, stream, self._reader.leading)
            try:
                self._pts = settle_times(self._packets, stored_dts=stores_dts(container)).sorted
            except Quarantine as error:
                raise ValueError(error.detail) from error
        first = next(self._in_order(), None)
        return (None, None) if first is None else (first.frame, self._pts[0])

    def _runs(self, targets: list[int]) -> list[list[int]]:
        """As for a whole file, but no run crosses a bad span."""
        runs = []
        for run in super()._runs(targets):
            for _, part in groupby(run, key=lambda target: bisect_right(self._borders, target)):
                runs.append(list(part))
        return runs

    def _read(self, run: list[int]) -> Shown:
        import av

        at = bisect_right(self._borders, run[0])
        start = self._borders[at - 1] if at else self.clock.first_pts
        for way in (self._from_keyframe, self._with_run_in):
            try:
                shown = self._read_wanted(run, *way(run[0], start))
            except (FastReadFailed, FrameError, OSError, ValueError, av.error.FFmpegError):
                self._reader.reopen()  # A decoder that met damage is not used again.
                continue
            if all(pts == self._on_screen(target) for target, (pts, _) in shown.items()):
                return shown
        return self._read_in_order(run)

    def _from_keyframe(self, target: int, start: int) -> tuple[Iterator[av.Packet], None]:
        """Packets from a keyframe behind the last bad span, up to the next damage."""
        packets = self._reader.at_keyframe(target)
        first = next(packets, None)
        if first is None or first.pts is None or first.pts < start:
            raise FastReadFailed
        return _up_to_damage(chain([first], packets)), None

    def _with_run_in(self, target: int, start: int) -> tuple[Iterator[av.Packet], int]:
        packets, trusted = self._reader.with_run_in(target)
        first = next(packets, None)
        if first is None or first.pts is None or first.pts < start:
            raise FastReadFailed
        return _up_to_damage(chain([first], packets)), trusted

    def _read_in_order(self, run: list[int]) -> Shown:
        wanted: dict[int, list[int]] = {}
        for target in run:
            wanted.setdefault(self._on_screen(target), []).append(target)
        shown: Shown = {}
        for picture in self._in_order():
            if (targets := wanted.pop(picture.pts, None)) and not picture.frame.is_corrupt:
                encoded = self._encoder.encode(picture.frame, self._aspect, self._orientation)
                shown.update(dict.fromkeys(targets, (picture.pts, encoded)))
            if not wanted:
                break
        if wanted:
            raise self._error(min(wanted.values())[0], "it cannot be read; ingest the video again")
        return shown

    def _in_order(self) -> Iterator[Decoded]:
        return decode(lambda: self._reader.opened()[:2], self._reader.leading, self._packets)

    def _on_screen(self, target: int) -> int:
        return self._pts[bisect_right(self._pts, target) - 1]


def check_readable(uri: str, spans: Sequence[Span], times_s: Sequence[float]) -> None:
    """
    Raises:
        FrameError: a time is in a bad span.
    """
    for time_s in times_s:
        if (span := unreadable_at(spans, time_s)) is not None:
            reason = f"the file is damaged from {span.start_s:.2f} to {span.end_s:.2f} s; ask for a time outside"
            raise FrameError(uri, time_s, reason)


def _up_to_damage(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    import av

    try:
        for packet in packets:
            if packet.is_corrupt:
                return
            yield packet
    except av.error.FFmpegError:
        return
