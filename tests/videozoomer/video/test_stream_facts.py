"""The record of a video tells its colours, depth, start and streams: by ingest with and without shots, and a probe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from videozoomer.protocol import Protocol
from videozoomer.video.inspection import inspect_one
from videozoomer.video.settings import IngestSettings
from videozoomer.video.tasks import ingest_one

HLG = ["-vf", "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"]
NAMES = ("transfer", "primaries", "matrix", "bit_depth", "video_streams", "stream_index")


@pytest.mark.parametrize(
    ("suffix", "options", "expected"),
    [
        ("mkv", ["-pix_fmt", "yuv420p10le", *HLG], ("arib-std-b67", "bt2020", "bt2020nc", 10, 2, 1)),
        ("mp4", ["-pix_fmt", "yuv420p"], (None, None, None, 8, 2, 1)),
    ],
)
def test_what_a_file_says_is_recorded(
    suffix: str, options: list[str], expected: tuple[object, ...], tmp_path: Path
) -> None:
    path = tmp_path / f"film.{suffix}"
    source = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=1"]
    encoding = [*options, "-c:v", "libx264", "-preset", "ultrafast"]
    streams = ["-map", "0", "-map", "0", "-disposition:v:0", "0", "-disposition:v:1", "default"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *streams, *encoding]
    subprocess.run([*command, "-output_ts_offset", "3", str(path)], check=True)
    read = ingest_one(str(path), IngestSettings()).record
    without_shots = ingest_one(str(path), IngestSettings(Protocol(), shots=False)).record
    probed = inspect_one(str(path))
    for found in (read, without_shots, probed):
        assert tuple(getattr(found, name) for name in NAMES) == expected
    assert read.start_offset_s == without_shots.start_offset_s == probed.start_offset_s == pytest.approx(3, abs=0.01)
