"""What a file says about the video stream that is read, by FFmpeg's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

UNSPECIFIED = 2
"""Code of ITU-T H.273 for a property of the colours that a stream does not tell."""
BT709 = 1
"""The code of BT.709, as transfer, as primaries and as matrix."""
BT2020 = 9
"""The code of BT.2020, as primaries and as matrix (with non-constant luminance)."""
PQ, HLG = 16, 18
"""The codes of the two transfer functions of BT.2100, for a high dynamic range."""
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
    16: "ycgco-re",
    17: "ycgco-ro",
}
"""Codes of ITU-T H.273 -> FFmpeg's names. Other codes are reserved, and say nothing."""


@dataclass(frozen=True, slots=True)
class Colours:
    """What a frame or a container says about its colours, in codes of ITU-T H.273."""

    transfer: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0
    """FFmpeg's code: 1 for the limited range, 2 for the full one, 0 if nothing is said."""


UNTOLD = Colours()


def declared_colours(stream: VideoStream) -> Colours:
    """The container's word, for frames that say nothing. Read it before the first packet is decoded.

    FFmpeg's HEVC decoder forgets what a container says of a stream without colours of its own.
    """
    context = stream.codec_context
    return Colours(
        int(context.color_trc), int(context.color_primaries), int(context.colorspace), int(context.color_range)
    )


def colours_of(frame: av.VideoFrame, declared: Colours) -> Colours:
    """The frame's own colours; what it does not say is as the container declares."""
    transfer, primaries, matrix = int(frame.color_trc), int(frame.color_primaries), int(frame.colorspace)
    return Colours(
        declared.transfer if transfer == UNSPECIFIED else transfer,
        declared.primaries if primaries == UNSPECIFIED else primaries,
        declared.matrix if matrix == UNSPECIFIED else matrix,
        int(frame.color_range) or declared.range,
    )


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """Columns of table `videos`, which has their meaning."""

    container: str
    codec: str
    has_audio: bool
    bit_depth: int | None
    transfer: str | None
    primaries: str | None
    matrix: str | None
    video_streams: int
    stream_index: int


def facts_of(
    container: av.container.InputContainer, stream: VideoStream, frame: av.VideoFrame, declared: Colours
) -> StreamFacts:
    """`frame` is the first one: a decoder may know its colours from the pictures alone."""
    colours = colours_of(frame, declared)
    return StreamFacts(
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        has_audio=len(container.streams.audio) > 0,
        bit_depth=max((part.bits for part in frame.format.components), default=None),
        transfer=TRANSFERS.get(colours.transfer),
        primaries=PRIMARIES.get(colours.primaries),
        matrix=MATRICES.get(colours.matrix),
        video_streams=len(container.streams.video),
        stream_index=stream.index,
    )
