"""Videos behind URLs: the same frames as from disk, from a real HTTP server, without fetching the whole file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from range_server import RangeServer
from video_samples import code_picture, even_pts, read_code, write_video

from videozoomer.video.ingest import IngestSettings, ingest_many
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

LIMITS = (25_088, 100_352)


def _noisy(number: int, width: int, height: int) -> np.ndarray:
    pixels = code_picture(number, width, height)
    pixels[height // 2 :] = np.random.default_rng(number).integers(0, 255, (height - height // 2, width, 3), np.uint8)
    return pixels


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [("big.mov", "mjpeg", "yuvj420p", (640, 360)), ("big.mkv", "rawvideo", "yuv420p", (320, 180))],
)
def test_a_zoom_fetches_only_what_it_needs(
    server: RangeServer, tmp_path: Path, name: str, codec: str, pix_fmt: str, size: tuple[int, int]
) -> None:
    path = write_video(
        tmp_path / name,
        pts=even_pts(250, 25),
        codec=codec,
        pix_fmt=pix_fmt,
        size=size,
        picture=_noisy,
        options={"qmax": "3"},
    )
    assert path.stat().st_size > 15_000_000
    times = [6 + index / 8 for index in range(8)]
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(server.url(name), times)
        assert server.sent < path.stat().st_size / 2
        assert frames == pool.frames_at(str(path), times)
    assert [read_code(frame.jpeg) for frame in frames] == [int(time_s * 25) for time_s in times]


def test_ingest_by_url_gives_the_same_as_the_file(server: RangeServer, coded_video: Path) -> None:
    (server.folder / "coded.mp4").write_bytes(coded_video.read_bytes())
    here, there, lost = str(coded_video), server.url("coded.mp4"), server.url("none.mp4")
    results = {result.record.uri: result for result in ingest_many([here, there, lost], IngestSettings(), workers=1)}
    assert results[there].record.video_id == results[here].record.video_id
    assert results[there].overview == results[here].overview and results[there].shots == results[here].shots
    assert results[lost].record.reason == "missing"


def test_file_urls_are_local_paths(coded_video: Path) -> None:
    with ReaderPool(*LIMITS) as pool:
        assert pool.frames_at(coded_video.as_uri(), [3.0]) == pool.frames_at(str(coded_video), [3.0])


def test_a_url_that_cannot_be_fetched_is_an_error(server: RangeServer, coded_video: Path) -> None:
    (server.folder / "coded.mp4").write_bytes(coded_video.read_bytes())
    with ReaderPool(*LIMITS) as pool:
        for uri in (server.url("none.mp4"), "nosuchscheme://host/a.mp4", "http://127.0.0.1:9/a.mp4"):
            with pytest.raises(FrameError, match="cannot be opened"):
                pool.frames_at(uri, [0.0])
        server.ranges = False
        with pytest.raises(FrameError, match="does not serve ranges"):
            pool.frames_at(server.url("coded.mp4"), [0.0])
