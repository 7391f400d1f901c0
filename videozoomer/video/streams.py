"""Chooses the film among a container's video streams: never a picture that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

_DEFAULT = 0x0001
_ATTACHED_PICTURE = 0x0400
"""FFmpeg's AV_DISPOSITION_DEFAULT and AV_DISPOSITION_ATTACHED_PIC, a cover picture stored as a video stream."""
IMAGE_CODECS = frozenset(
    {"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpegxl", "jpeg2000", "jpegls", "ppm", "targa", "svg"}
)
"""Codecs of covers and thumbnails. A film may have them too, then with many pictures."""
STILL_BRANDS = frozenset({"avif", "mif1", "heic", "heix", "heim", "heis", "miaf"})
"""MP4's major brands for files that hold pictures: AVIF and HEIF."""


def video_stream(container: av.container.InputContainer, index: int | None = None) -> VideoStream | None:
    """The video stream at this position among all streams; None if that is no video stream.

    Without a position, the one that FFmpeg takes (`av_find_best_stream`): the default one, then the one with more
    pictures, and the first of equals. Covers do not count, although FFmpeg takes one that is marked as the default.
    None if there is no other.
    """
    if index is not None:
        return next((stream for stream in container.streams.video if stream.index == index), None)
    moving = [stream for stream in container.streams.video if not int(stream.disposition) & _ATTACHED_PICTURE]
    films = [stream for stream in moving if not _may_be_cover(stream)] or moving
    best = container.streams.best("video")
    if best is not None and (taken := next((one for one in films if one.index == best.index), None)) is not None:
        # FFmpeg's choice among equals depends on how far its threads have decoded when it looks.
        return next(one for one in films if _rank(one)[:-1] == _rank(taken)[:-1])
    return max(films, key=_rank, default=None)


def no_stream(container: av.container.InputContainer, index: int | None) -> str:
    """Why `video_stream` finds none, and what to do."""
    if index is None:
        return "it has no moving pictures; remove it from the source"
    others = ", ".join(str(stream.index) for stream in container.streams.video) or "none"
    return f"stream {index} is no video; set the stream to one that is ({others}), or let it be chosen"


def is_still_picture(container: av.container.InputContainer, stream: VideoStream, packets: int) -> bool:
    """Whether a file with this many packets of video is a picture rather than a film."""
    if packets != 1:
        return False
    context = stream.codec_context
    has_image_codec = context is not None and context.codec.canonical_name in IMAGE_CODECS
    return has_image_codec or container.metadata.get("major_brand", "").strip() in STILL_BRANDS


def _may_be_cover(stream: VideoStream) -> bool:
    """Whether a stream beside a film may be its cover: an image codec, and no more than one picture known."""
    context = stream.codec_context
    return context is not None and context.codec.canonical_name in IMAGE_CODECS and stream.frames <= 1


def _rank(stream: VideoStream) -> tuple[bool, int, int, int]:
    context = stream.codec_context
    rate = (context.bit_rate or 0) if context is not None else 0
    return bool(int(stream.disposition) & _DEFAULT), stream.frames, rate, -stream.index
