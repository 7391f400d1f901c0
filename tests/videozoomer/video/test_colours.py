"""Colours survive encoding with every colour matrix and range."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from videozoomer.video.clip import write_clip
from videozoomer.video.inspection import inspect_one
from videozoomer.video.reader import ReaderPool

pytestmark = pytest.mark.slow

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (40, 60, 220),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
}


@pytest.mark.parametrize("size", ["320x180", "1280x720", "120x90"])
@pytest.mark.parametrize(
    ("matrix", "limits"), [("bt709", "tv"), ("smpte170m", "tv"), ("bt709", "pc"), ("smpte170m", "pc")]
)
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le"])
def test_solid_colours(tmp_path: Path, matrix: str, limits: str, pixels: str, size: str) -> None:
    name = {"bt709": "bt709", "smpte170m": "bt601"}[matrix]
    sources = []
    for red, green, blue in COLOURS.values():
        sources += [
            "-f",
            "lavfi",
            "-i",
            f"color=0x{red:02x}{green:02x}{blue:02x}:size={size}:rate=5:duration=1,format=gbrp",
        ]
    joined = f"concat=n={len(COLOURS)}:v=1,scale=out_color_matrix={name}:out_range={limits},format={pixels}"
    tags = ["-colorspace", matrix, "-color_range", limits]
    path = tmp_path / "colours.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *sources, "-filter_complex", joined, *tags]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", str(path)], check=True)
    with ReaderPool(25_088, 100_352) as pool:
        frames = pool.frames_at(str(path), [index + 0.5 for index in range(len(COLOURS))])
    for frame, colour in zip(frames, COLOURS.values(), strict=True):
        middle = np.asarray(Image.open(io.BytesIO(frame.jpeg)))[frame.height // 2, frame.width // 2]
        assert np.abs(middle.astype(int) - colour).max() <= 6, (middle, colour)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ("640x480", "bt601"),
        ("1024x576", "bt601"),
        ("1280x534", "bt709"),
        ("960x720", "bt709"),
        ("720x1280", "bt709"),
    ],
)
def test_a_film_that_names_no_matrix_is_read_as_players_do(tmp_path: Path, size: str, matrix: str) -> None:
    """Red and green differ most between the matrices of BT.601 and BT.709."""
    path = tmp_path / "untagged.mp4"
    colours = [COLOURS["red"], COLOURS["green"]]
    sources = []
    for red, green, blue in colours:
        sources += ["-f", "lavfi", "-i", f"color=0x{red:02x}{green:02x}{blue:02x}:size={size}:rate=5:duration=1"]
    formats = "".join(f"[{index}]format=gbrp[{index}p];" for index in range(len(colours)))
    joined = "".join(f"[{index}p]" for index in range(len(colours))) + f"concat=n={len(colours)}"
    # Only the encoder could tell the matrix, and it is told to name none.
    untagged = f"scale=out_color_matrix={matrix},format=yuv420p,setparams=colorspace=unknown:range=unknown"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *sources]
    encoding = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", str(path)]
    subprocess.run([*command, "-filter_complex", f"{formats}{joined},{untagged}", *encoding], check=True)
    assert inspect_one(str(path)).matrix is None
    clip = write_clip(str(path), 0, 2, tmp_path / "clip.mp4")
    with ReaderPool(25_088, 100_352) as pool:
        for film in (path, clip):
            for frame, colour in zip(pool.frames_at(str(film), [0.5, 1.5]), colours, strict=True):
                middle = np.asarray(Image.open(io.BytesIO(frame.jpeg)))[frame.height // 2, frame.width // 2]
                assert np.abs(middle.astype(int) - colour).max() <= 6, (film.name, middle, colour)
