"""Scales decoded pictures to 8-bit RGB as a screen shows them: the right colour matrix, and BT.709 for HDR.

Overview, zoom store, zooms from the source, shots and signatures all take their pictures from here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from videozoomer.video.stream_facts import BT709, BT2020, HLG, MATRICES, PQ, UNTOLD, Colours, colours_of
from videozoomer.video.tone import tone_mapper

if TYPE_CHECKING:
    import av
    import numpy as np

COLOURS = "1"
"""Version of the colours; stored with the frames of a zoom store. Raise it if a picture gets other colours."""
HD_WIDTH, HD_HEIGHT = 1280, 720
"""From this width or height on, pictures that name no colour matrix have that of BT.709, below that of BT.601."""
NOT_CONVERTED = frozenset({8, 10, 11, 12, 13, 14, 15, 16, 17})
"""Colour matrices that libswscale does not convert, or not right: YCgCo, constant luminance, ICtCp, IPT and others."""
_SAME_MATRIX = {6: 5}
"""BT.601 has two codes, of which PyAV's `Colorspace` has one; its other codes are those of ITU-T H.273."""
_CHANNELS = {"bgr24": 3, "rgb24": 3, "bgr0": 4, "gray": 1}


class UnsupportedColours(ValueError):
    """Colours that would be shown wrong; the message says which, and what to do."""


APPLY_DOLBY_VISION = (
    "ffmpeg -init_hw_device vulkan -i FILM -vf "
    "libplacebo=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv:format=yuv420p "
    "-fps_mode passthrough -c:v libx264 -crf 14 -c:a copy NEW.mp4"
)
"""Applies a film's Dolby Vision metadata and tone-maps it to BT.709; each frame keeps its time. PyAV's FFmpeg has no
libplacebo. Without a graphics card the package mesa-vulkan-drivers gives a Vulkan that runs on the processor."""


def check_colours(frame: av.VideoFrame, declared: Colours) -> None:
    """Look at a video's first frame only: reading its side data keeps a frame in memory for a while.

    Raises:
        UnsupportedColours: they cannot be converted.
    """
    from av.sidedata.sidedata import SideData

    matrix_of(frame, colours_of(frame, declared))
    metadata = frame.side_data.get("DOVI_METADATA")
    if isinstance(metadata, SideData) and is_profile_5(bytes(metadata)):
        raise UnsupportedColours(
            "its colours are those of Dolby Vision profile 5, which only a Dolby Vision decoder shows; convert it with "
            f"an ffmpeg that has libplacebo and Vulkan: {APPLY_DOLBY_VISION}"
        )


def is_profile_5(metadata: bytes) -> bool:
    """Whether FFmpeg's AVDOVIMetadata describes pictures in IPTPQc2, without a base layer that others can show.

    That is profile 5 of HEVC and 10.0 of AV1: RPU profile 0 with the full range, as FFmpeg tells it (dovi_rpu.c).
    """
    (header,) = struct.unpack_from("N", metadata)
    rpu_profile, full_range = metadata[header + 4], metadata[header + 10]
    return rpu_profile == 0 and full_range == 1


def is_tone_mapped(colours: Colours) -> bool:
    return colours.transfer in (PQ, HLG)


class Scaler:
    """Not thread-safe: use one for each size that is wanted. It keeps what scaling needs from frame to frame."""

    def __init__(self, declared: Colours = UNTOLD) -> None:
        """`declared` is what the container says about the colours, for frames that say nothing."""
        from av.video.reformatter import VideoReformatter

        self._reformatter, self._declared = VideoReformatter(), declared

    def scaled(self, frame: av.VideoFrame, width: int, height: int, packing: str, interpolation: str) -> np.ndarray:
        """Pixels (height, width, channels), or (height, width) for `gray`; `packing` is an FFmpeg name in _CHANNELS.

        The fourth byte of `bgr0` is not used, and a picture with a high dynamic range has no fourth channel.

        Raises:
            UnsupportedColours: the colours cannot be converted.
        """
        import numpy as np

        colours = colours_of(frame, self._declared)
        tone_mapped = is_tone_mapped(colours)
        small = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb48le" if tone_mapped else packing,
            src_colorspace=None if packing == "gray" and not tone_mapped else matrix_of(frame, colours),
            src_color_range=colours.range if colours.range != int(frame.color_range) else None,
            interpolation=interpolation,
            threads=1,
        )
        plane = small.planes[0]
        channels, kind = (3, np.dtype("<u2")) if tone_mapped else (_CHANNELS[packing], np.dtype(np.uint8))
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
        pixels = rows[:, : width * channels * kind.itemsize].view(kind).reshape(height, width, channels)
        if tone_mapped:
            pixels = _packed(tone_mapper(colours.transfer, colours.primaries).convert(pixels), packing)
        return pixels[..., 0] if packing == "gray" else pixels


def _packed(rgb: np.ndarray, packing: str) -> np.ndarray:
    import cv2

    if packing == "gray":
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None]
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if packing.startswith("bgr") else rgb


def matrix_of(frame: av.VideoFrame, colours: Colours) -> int | None:
    """The colour matrix to read a frame with, by its code of ITU-T H.273; None for the one that the frame names.

    `colours` are the frame's with what its container declares.

    A frame that names none is read with BT.2020's if it is HDR or has those primaries, and otherwise as players do:
    BT.709's for HD, BT.601's below.

    Raises:
        UnsupportedColours: libswscale does not have it.
    """
    code = colours.matrix
    if code in NOT_CONVERTED:
        raise UnsupportedColours(
            f"its colours are stored as {MATRICES[code]}, which cannot be converted; re-encode it with the colour "
            "matrix of BT.709 or BT.2020 (ncl)"
        )
    if code in MATRICES:
        return None if code == int(frame.colorspace) else _SAME_MATRIX.get(code, code)
    if is_tone_mapped(colours) or colours.primaries == BT2020:
        return BT2020
    if frame.format.is_rgb:
        return None
    if frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT:
        return BT709
    return None
