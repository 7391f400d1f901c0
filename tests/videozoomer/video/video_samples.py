"""Videos with known content: every frame shows its number as black and white cells that a test can read."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

BITS = 16
"""Cells of the number; a second row shows its complement, which exposes a misread."""


def code_picture(number: int, width: int = 320, height: int = 180) -> np.ndarray:
    """RGB picture: two rows of cells across the upper half, over a background that drifts slowly."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (60 + number % 40, 110, 150 - number % 40)
    cell, row = width / BITS, height // 4
    for bit in range(BITS):
        value = 255 * ((number >> bit) & 1)
        across = slice(round(bit * cell), round((bit + 1) * cell))
        pixels[:row, across] = value
        pixels[row : 2 * row, across] = 255 - value
    left = (number * 3) % (width - width // 8)
    pixels[height * 3 // 4 :, left : left + width // 8] = (230, 200, 40)
    return pixels


def turned(quarters: int, mirrored: bool = False) -> Callable[[int, int, int], np.ndarray]:
    """A picture that is upright only after this many quarter turns to the right (and then mirroring)."""

    def picture(number: int, width: int, height: int) -> np.ndarray:
        upright = code_picture(number, *((height, width) if quarters % 2 else (width, height)))
        if mirrored:
            upright = upright[:, ::-1]
        return np.ascontiguousarray(np.rot90(upright, quarters))

    return picture


def read_code(jpeg: bytes) -> int:
    """The number in a frame.

    Raises:
        AssertionError: the cells contradict each other, because the picture is damaged or not upright.
    """
    grey = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L")).astype(int)
    height, width = grey.shape
    number = 0
    for bit in range(BITS):
        x = int((bit + 0.5) * width / BITS)
        upper, lower = grey[height // 8, x], grey[height * 3 // 8, x]
        assert abs(upper - lower) > 100, f"cell {bit} reads {upper} over {lower}"
        number |= int(upper > lower) << bit
    return number


def write_video(
    path: Path,
    *,
    pts: Sequence[int],
    time_base: Fraction = Fraction(1, 90_000),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (320, 180),
    pix_fmt: str = "yuv420p",
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    picture: Callable[[int, int, int], np.ndarray] = code_picture,
    aspect: Fraction | None = None,
    rotation: int | None = None,
) -> Path:
    """Write frame number i, whose picture shows i, at presentation time `pts[i]`."""
    width, height = size
    step = int(np.median(np.diff(pts))) if len(pts) > 1 else 3000
    rate = (1 / (step * time_base)).limit_denominator(1001)
    with av.open(str(path), "w", format=container, container_options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        stream.codec_context.thread_count = 1
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, when in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            frame.pts, frame.time_base = when, time_base
            frame.duration = pts[number + 1] - when if number + 1 < len(pts) else step
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def even_pts(frames: int, fps: Fraction | int, time_base: Fraction = Fraction(1, 90_000), start: int = 0) -> list[int]:
    return [start + round(index / Fraction(fps) / time_base) for index in range(frames)]
