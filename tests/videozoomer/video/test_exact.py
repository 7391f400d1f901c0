"""Overview, zoom store and direct zoom return exactly the frame on the screen at any time."""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from pathlib import Path

import pytest
from exact_matrix import KINDS, Kind
from video_samples import read_code

from videozoomer.protocol import Protocol
from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("EXACT_TIMES", "200"))
LIMITS = (25_088, 100_352)
ALSO_FAST = {"h264-gop30", "h264-variable", "h264-rotated-90", "hevc", "vp9-webm", "mpeg4-avi"}
"""One kind of each family of codecs, and one variable and one rotated film, run in `make test-fast` as well."""


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, id=kind.name, marks=[] if kind.name in ALSO_FAST else pytest.mark.slow) for kind in KINDS],
)
def test_the_frame_on_the_screen(kind: Kind, tmp_path: Path) -> None:
    path, pts = kind.write(tmp_path)
    shown = pts[kind.first_shown : kind.end_shown]
    starts_s = [float((when - shown[0]) * kind.time_base) for when in shown]
    uri = str(path)
    settings = IngestSettings(
        protocol=Protocol(overview_frames=5), zoom_store_fps=8, zoom_store_dir=str(tmp_path / "stores")
    )
    result = ingest_one(uri, settings)
    record = result.record
    assert record.status == "ok", f"{record.reason}: {record.detail}"
    assert record.frames == len(shown) and record.variable_rate == kind.variable
    assert record.duration_s == pytest.approx(starts_s[-1], abs=1.1)

    rng = random.Random(kind.name)
    # Containers round times (Matroska to 1 ms), so the test avoids times close to those of frames.
    times: list[float] = []
    while len(times) < TIMES:
        start, fps = rng.uniform(0, starts_s[-1]), rng.choice((0.5, 1, 2, 4, 8, 30))
        times += [start + index / fps for index in range(16)]
    times = [time_s for time_s in times if _clear(time_s, starts_s)][:TIMES]
    with ReaderPool(*LIMITS) as direct, ReaderPool(*LIMITS, zoom_store_dir=tmp_path / "stores") as stored:
        frames = []
        for first in range(0, len(times), 16):
            frames += direct.frames_at(uri, times[first : first + 16])
        for time_s, frame in zip(times, frames, strict=True):
            number = bisect_right(starts_s, time_s) - 1
            assert read_code(frame.jpeg) == number + kind.first_shown, f"at {time_s} s"
            assert frame.time_s == pytest.approx(starts_s[number], abs=0.0011)
            assert LIMITS[0] <= frame.width * frame.height <= LIMITS[1]
        assert stored.frames_at(uri, times) == frames
        overview = list(result.overview)
        asked = [frame.requested_s for frame in overview]
        assert direct.frames_at(uri, asked) == overview
        assert stored.frames_at(uri, asked) == overview
        grid = [index / 8 for index in range(int(record.duration_s * 8))]
        assert stored.frames_at(uri, grid) == direct.frames_at(uri, grid)
        assert stored.counts.stored >= len(grid)
    if kind.name in SHAPES:
        assert frames[0].width / frames[0].height == pytest.approx(SHAPES[kind.name], rel=0.01)


SHAPES = {
    "h264-anamorphic": 16 / 9,
    "h264-narrow-pixels": 4 / 3,
    "h264-odd-size": 321 / 181,
    "h264-rotated-90": 16 / 9,
    "h264-rotated-180": 16 / 9,
    "h264-large": 16 / 9,
}


def _clear(time_s: float, starts_s: list[float]) -> bool:
    after = bisect_right(starts_s, time_s)
    near = starts_s[max(0, after - 1) : after + 1]
    return time_s < starts_s[-1] and all(abs(time_s - start) > 0.0015 for start in near)
