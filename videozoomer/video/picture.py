"""Encodes a decoded frame as JPEG. Everyone uses this one encoder, so equal frames have equal bytes."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.video.scaling import COLOURS, Scaler
from videozoomer.video.stream_facts import UNTOLD, Colours

if TYPE_CHECKING:
    import av
    import numpy as np

JPEG_QUALITY = 85
ENCODING = f"swscale bilinear, colours {COLOURS}, jpeg q{JPEG_QUALITY} 4:2:0"
"""Stored with the frames of a zoom store: another encoding gives other bytes."""


@lru_cache(maxsize=64)
def protocol_size(width: float, height: float, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Size in whole pixels at which a picture of this shape is shown: its own size, or the nearest within the limits.

    A picture so thin that one side would vanish keeps that side at one pixel.

    Raises:
        ValueError: a size or a limit is not above 0, or min_pixels exceeds max_pixels.
    """
    if not (width > 0 and height > 0 and 0 < min_pixels <= max_pixels):
        raise ValueError(
            f"cannot fit a picture of {width} x {height} between {min_pixels} and {max_pixels} pixels; all must be "
            "above 0, and min_pixels at most max_pixels"
        )
    aspect = width / height
    area = min(max(width * height, min_pixels), max_pixels)
    wide, high = math.sqrt(area * aspect), math.sqrt(area / aspect)
    candidates = {
        (max(1, across), max(1, down))
        for across in (math.floor(wide), round(wide), math.ceil(wide))
        for down in (math.floor(high), round(high), math.ceil(high))
    }
    inside = [size for size in candidates if min_pixels <= size[0] * size[1] <= max_pixels]
    if inside:
        return min(inside, key=lambda size: (abs(math.log(size[0] / size[1] / aspect)), -size[0] * size[1]))
    # No whole-pixel size of this shape fits (limits close together, or a very thin picture): respect the upper limit.
    if wide >= high:
        down = max(1, math.floor(high))
        return max(1, min(round(wide), max_pixels // down)), down
    across = max(1, math.floor(wide))
    return across, max(1, min(round(high), max_pixels // across))


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    frame_id: str
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Orientation:
    """How to make a stored picture upright: mirror it left to right first, then rotate it left by quarter turns."""

    quarters: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        return self.quarters % 2 == 1

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        import numpy as np

        if not self.mirrored and not self.quarters:
            return pixels
        return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if self.mirrored else pixels, self.quarters))


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The orientation that the file's display matrix declares; UPRIGHT where it declares none.

    Read it from a video's first frame only: a frame whose side data was read stays in memory until the next run of
    Python's garbage collector.
    """
    from av.sidedata.sidedata import SideData, Type

    # FFmpeg knows more kinds of side data (EXIF, views of a spatial film) than PyAV has names for. Without this, PyAV
    # raises ValueError for all side data of a frame that carries one of them.
    setattr(Type, "_missing_", classmethod(_unnamed))  # noqa: B010  Its type allows no assignment.
    # By key: iterating gives the values up to PyAV 18, and the keys from 19 on.
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return UPRIGHT
    return orientation_of_matrix(struct.unpack("<9i", bytes(matrix)[:36]))


def _unnamed(kinds: type[Enum], value: object) -> Enum:
    """A member for a value that an enumeration does not list; see `Enum._missing_`."""
    member = object.__new__(kinds)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


def orientation_of_matrix(matrix: tuple[int, ...]) -> Orientation:
    """FFmpeg's display matrix (nine 16.16 fixed-point numbers) in quarter turns; other angles count as upright."""
    a, b, c, d = (value / 65536 for value in (matrix[0], matrix[1], matrix[3], matrix[4]))
    if abs(a * d - b * c) < 1e-9:
        return UPRIGHT
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The matrix maps (x, y) to (a x + c y, b x + d y) with y pointing down, so a positive b rotates to the right.
    degrees_left = math.degrees(math.atan2(-b, a))
    quarters = round(degrees_left / 90)
    if abs(degrees_left - quarters * 90) > 1:
        return UPRIGHT
    return Orientation(quarters % 4, mirrored)


def display_size(frame: av.VideoFrame, aspect: float, orientation: Orientation) -> tuple[float, float]:
    """Width and height on a screen with square pixels. `aspect` is the width of one stored pixel over its height."""
    wide, high = frame.width * aspect, frame.height
    return (high, wide) if orientation.swaps_sides else (wide, high)


class FrameEncoder:
    """Scales, rotates and encodes frames. Not thread-safe: use one per decoder."""

    def __init__(self, min_pixels: int, max_pixels: int, declared: Colours = UNTOLD) -> None:
        """`declared` is what the container says about the colours, for frames that say nothing."""
        self.min_pixels, self.max_pixels = min_pixels, max_pixels
        self._scaler = Scaler(declared)

    def encode(self, frame: av.VideoFrame, aspect: float, orientation: Orientation = UPRIGHT) -> EncodedFrame:
        """`aspect` is the width of a stored pixel over its height; `orientation` comes from the video's first frame.

        Raises:
            ValueError: its colours cannot be converted, or it is too large for a JPEG.
        """
        import cv2

        width, height = protocol_size(*display_size(frame, aspect, orientation), self.min_pixels, self.max_pixels)
        across, down = (height, width) if orientation.swaps_sides else (width, height)
        # FFmpeg writes four bytes a pixel (the last one unused) faster than three. But where it scales nothing it then
        # leaves out the last pixels of a row whose length is no multiple of eight.
        packing = "bgr24" if across % 8 and across == frame.width else "bgr0"
        pixels = orientation.apply(self._scaler.scaled(frame, across, down, packing, "BILINEAR"))
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
        encoded, buffer = cv2.imencode(".jpg", pixels, quality + sampling)
        if not encoded:
            raise ValueError(
                f"OpenCV cannot write a picture of {width} x {height} pixels as JPEG; scale the video down"
            )
        jpeg = buffer.tobytes()
        return EncodedFrame(frame_id_of(jpeg), width, height, jpeg)
