"""MPEG-4 can say that there is no picture at a time: then the picture before stays on the screen, with its own time."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_samples import even_pts, read_code, write_video

from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

LIMITS = (25_088, 100_352)
UNCODED = b"\0\0\1\xb6\x10\x4f"
"""A video object plane of a film with 25 ticks a second whose flag vop_coded is off."""


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
def test_the_picture_before_is_served_with_its_own_time(suffix: str, tmp_path: Path) -> None:
    raw, path = tmp_path / "raw.mp4", tmp_path / f"film.{suffix}"
    base = Fraction(1, 25)
    write_video(raw, pts=even_pts(60, 25, base), time_base=base, codec="mpeg4", options={"g": "12", "b": "1500k"})
    with av.open(str(raw)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        step, tick = packets[0].duration, packets[0].time_base
        with_uncoded: list[av.Packet] = []
        for number, packet in enumerate(packets):
            with_uncoded += [packet, *(av.Packet(UNCODED) for _ in range(number % 3))]
        for number, packet in enumerate(with_uncoded):
            packet.pts = packet.dts = number * step
            packet.time_base, packet.duration, packet.stream = tick, step, stream
            target.mux(packet)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    starts_s = [float((frame.pts - frames[0].pts) * frame.time_base) for frame in frames]
    made = ingest_one(str(path), IngestSettings(shots=False))
    assert made.record.status == "ok", made.record.detail
    with ReaderPool(*LIMITS) as pool:
        for number in range(len(with_uncoded)):
            time_s = number / 25 + 0.001
            (frame,) = pool.frames_at(str(path), [time_s])
            shown = bisect_right(starts_s, time_s) - 1
            assert frame.time_s == pytest.approx(starts_s[shown]), time_s
            assert read_code(frame.jpeg) == min(shown, 59)
