"""Small films whose frames show their number, ways to damage them, and the check of what is then read."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from video_samples import even_pts, read_code, write_video

from videozoomer.protocol.unreadable import unreadable_at
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import FrameError

FPS, FRAMES = 25, 125
LIMITS = (25_088, 100_352)
SIZE = (256, 112)
TS_PACKET = 188
H264 = {"preset": "ultrafast", "tune": "animation", "crf": "18", "g": "20", "bf": "2", "sc_threshold": "0"}
OPEN = H264 | {"x264-params": "open-gop=1:b-pyramid=normal"}
HEVC = {"preset": "ultrafast", "x265-params": "keyint=20:min-keyint=20:bframes=3:log-level=none"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


def _mpeg(**options: str) -> dict:
    return {"time_base": Fraction(1, FPS), "options": {"g": "20", "b": "1500k", **options}}


FILMS: Mapping[str, dict] = {
    "h264.ts": {"options": H264},
    "open.ts": {"options": OPEN},
    "hevc.ts": {"codec": "libx265", "options": HEVC},
    "mpeg2.ts": {"codec": "mpeg2video", **_mpeg(bf="2")},
    "h264.mkv": {"options": H264},
    "open.mkv": {"options": OPEN},
    "hevc.mkv": {"codec": "libx265", "options": HEVC},
    "vp9.mkv": {"codec": "libvpx-vp9", "options": {"g": "20", "deadline": "realtime", "cpu-used": "8"}},
    "h264.mp4": {"options": H264, "container_options": {"movflags": "faststart"}},
    "frag.mp4": {"options": H264, "container_options": FRAGMENTS},
    "hevc-frag.mp4": {"codec": "libx265", "options": HEVC, "container_options": FRAGMENTS},
    "mpeg4.avi": {"codec": "mpeg4", **_mpeg()},
    "h264.flv": {"options": H264},
}


@dataclass(frozen=True)
class Film:
    path: Path
    start_offset_s: float
    frame_ids: tuple[str, ...]
    """Of every frame of the undamaged film."""


def make_film(folder: Path, name: str) -> Film:
    path = folder / name
    given = FILMS[name]
    base = given.get("time_base", Fraction(1, 90_000))
    write_video(path, pts=even_pts(FRAMES, FPS, base), size=SIZE, **given)
    record = ingest_one(str(path), IngestSettings()).record
    assert record.status == "ok" and record.unreadable_s is None and record.frames == FRAMES, record.detail
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(str(path), [number / FPS for number in range(FRAMES)])
    assert [read_code(frame.jpeg) for frame in frames] == list(range(FRAMES))
    return Film(path, record.start_offset_s or 0.0, tuple(frame.frame_id for frame in frames))


Damage = Callable[[bytes], bytes]


def noise(where: float, length: int, seed: int) -> Damage:
    """Random bytes in place of a stretch."""

    def damage(data: bytes) -> bytes:
        start = int(where * len(data))
        return data[:start] + random.Random(seed).randbytes(min(length, len(data) - start)) + data[start + length :]

    return damage


def zeros(where: float, length: int) -> Damage:
    def damage(data: bytes) -> bytes:
        start = int(where * len(data))
        return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]

    return damage


def cut(where: float, length: int) -> Damage:
    """A stretch is missing."""

    def damage(data: bytes) -> bytes:
        start = int(where * len(data))
        return data[:start] + data[start + length :]

    return damage


def drop_packets(where: float, count: int) -> Damage:
    """Whole MPEG-TS packets are missing."""

    def damage(data: bytes) -> bytes:
        start = int(where * len(data)) // TS_PACKET * TS_PACKET
        return data[:start] + data[start + count * TS_PACKET :]

    return damage


def truncate(where: float) -> Damage:
    return lambda data: data[: int(where * len(data))]


def join(where: float) -> Damage:
    """A recording with a second one behind it, which begins like the first."""

    def damage(data: bytes) -> bytes:
        return data + data[: int(where * len(data)) // TS_PACKET * TS_PACKET]

    return damage


def ingest(path: Path, **settings: object) -> Ingested:
    return ingest_one(str(path), replace(IngestSettings(), **settings))


def check_damaged(film: Film, path: Path, folder: Path, *, exact: bool = True) -> Ingested:
    """Ingest a damaged film and compare every frame that is served with the undamaged one; returns what was ingested.

    Raises:
        AssertionError: a frame is not that of its time, a readable time is refused or a bad span shows a frame.
    """
    result = ingest(path, zoom_store_fps=5.0, zoom_store_dir=str(folder), unreadable_share=1.0)
    record = result.record
    if record.status != "ok":
        assert record.reason and record.detail and not result.overview and not result.bad_spans
        return result
    assert record.duration_s is not None and record.start_offset_s is not None
    shift = round((record.start_offset_s - film.start_offset_s) * FPS)
    spans = {str(path): result.bad_spans}
    assert (record.unreadable_s or 0.0) == sum(span.end_s - span.start_s for span in result.bad_spans)

    def check(frame, requested_s: float) -> None:
        number = round(frame.time_s * FPS) + shift
        assert abs(frame.time_s * FPS - round(frame.time_s * FPS)) < 0.05
        assert unreadable_at(result.bad_spans, frame.time_s) is None
        if exact:
            assert frame.frame_id == film.frame_ids[number], f"{requested_s} s: not frame {number}"
        else:
            assert read_code(frame.jpeg) == number

    with (
        ReaderPool(*LIMITS, bad_spans=spans) as source,
        ReaderPool(*LIMITS, bad_spans=spans, zoom_store_dir=folder) as stored,
    ):
        for index in range(int(record.duration_s * FPS + 0.01)):
            time_s = index / FPS
            if unreadable_at(result.bad_spans, time_s) is not None:
                for pool in (source, stored):
                    try:
                        pool.frames_at(str(path), [time_s])
                    except FrameError:
                        continue
                    raise AssertionError(f"{time_s} s is in a bad span, but a frame is served")
                continue
            (frame,) = source.frames_at(str(path), [time_s])
            assert stored.frames_at(str(path), [time_s]) == [frame]
            check(frame, time_s)
            if result.bad_spans:
                assert abs(frame.time_s - time_s) < 0.6 / FPS, f"{frame.time_s} s is served at {time_s} s"
    assert all(before.time_s < after.time_s for before, after in pairwise(result.overview))
    for frame in result.overview:
        check(frame, frame.requested_s)
    return result
