"""Files whose frames carry side data that PyAV has no name for are read like others, and turned upright."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from video_samples import code_picture, read_code

from videozoomer.video.reader import ReaderPool
from videozoomer.video.settings import IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import FrameError

LIMITS = (25_088, 100_352)
ORIENTATION = 0x0112
"""EXIF's tag; 6 means that the picture must be turned right by a quarter."""


def camera_film(path: Path, orientation: int | None) -> Path:
    """Twelve JPEGs with EXIF, as cameras write them into a container."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=12)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuvj420p"
        for number in range(12):
            picture = code_picture(number, 180, 320) if orientation else code_picture(number)
            exif = Image.Exif()
            exif[0x010F] = "a camera"
            if orientation:
                picture = np.rot90(picture, 1)
                exif[ORIENTATION] = orientation
            jpeg = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(picture)).save(jpeg, "JPEG", quality=95, exif=exif)
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 12), True
            packet.pts = packet.dts = number
            packet.duration = 1
            out.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mov", "avi"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_camera_jpegs_with_exif(suffix: str, orientation: int | None, tmp_path: Path) -> None:
    path = camera_film(tmp_path / f"camera.{suffix}", orientation)
    result = ingest_one(str(path), IngestSettings())
    assert result.record.status == "ok", f"{result.record.reason}: {result.record.detail}"
    assert result.record.frames == 12
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(str(path), [number / 12 + 0.01 for number in range(12)])
    assert [read_code(frame.jpeg) for frame in frames] == list(range(12))
    shape = (180, 320) if orientation else (320, 180)
    assert (result.record.width, result.record.height) == shape


def test_a_picture_that_cannot_be_converted_is_an_error_of_its_frame(
    coded_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = VideoSource(str(coded_video), *LIMITS)

    def broken(*_: object) -> None:
        raise ValueError("no conversion for this picture")

    monkeypatch.setattr(source._encoder, "encode", broken)
    with pytest.raises(FrameError, match="no conversion for this picture"):
        source.frames_at([1.0])
    source.close()
