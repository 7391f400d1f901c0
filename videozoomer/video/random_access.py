"""Keyframes at which decoding may resume after damage.

A container's keyframe flag is not enough. A *recovery point* of H.264 may promise a right picture only some frames
later (intra refresh), and an I picture without any such promise may be followed by pictures that refer to older ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.video.codeccontext import VideoCodecContext

_H264_SLICES, _H264_IDR, _H264_SEI = frozenset({1, 5}), 5, 6
_RECOVERY_POINT = 6
"""Payload type of H.264's recovery point SEI."""
_HEVC_IDR, _HEVC_IRAP = frozenset({16, 17, 18, 19, 20}), range(16, 22)
_VVC_IDR, _VVC_IRAP = frozenset({7, 8}), range(7, 10)
_HEVC_SLICES, _VVC_SLICES = range(32), range(11)

RECOVERING_CODECS = frozenset({"h264", "hevc", "vvc", "vp8", "vp9", "av1"})
"""Decoders that show nothing before a picture that stands alone, or before a refresh without one is complete."""
_REFERRING = frozenset({2, 3, 4, 6})
"""FFmpeg's AVPictureType of pictures that refer to others: P, B, S and SP."""


class Entry(Enum):
    """What may be decoded from a packet on if everything before it is missing."""

    NO = "nothing is certain"
    OPEN = "it and what is shown after it"
    CLOSED = "it and everything after it"


def entry_of(packet: av.Packet, context: VideoCodecContext) -> Entry:
    """How decoding may begin at a packet."""
    if not packet.is_keyframe or packet.is_corrupt:
        return Entry.NO
    codec = context.codec.canonical_name
    if codec not in ("h264", "hevc", "vvc"):
        return Entry.CLOSED
    data, extradata = bytes(packet), context.extradata or b""
    for unit in nal_units(data, _length_bytes(codec, extradata)):
        if codec == "h264":
            kind = unit[0] & 31
            if kind == _H264_SEI and (frames := recovery_frames(unit)) is not None:
                return Entry.OPEN if frames == 0 else Entry.NO
            if kind in _H264_SLICES:
                return Entry.CLOSED if kind == _H264_IDR else Entry.NO
        elif len(unit) > 1:
            kind = (unit[0] >> 1) & 63 if codec == "hevc" else unit[1] >> 3
            slices, idr, irap = (
                (_HEVC_SLICES, _HEVC_IDR, _HEVC_IRAP) if codec == "hevc" else (_VVC_SLICES, _VVC_IDR, _VVC_IRAP)
            )
            if kind in slices:
                return Entry.CLOSED if kind in idr else Entry.OPEN if kind in irap else Entry.NO
    return Entry.NO


def stands_alone(frame: av.VideoFrame, context: VideoCodecContext) -> bool:
    """Whether a decoded picture refers to no other, as far as its decoder tells; a container's flag may be wrong."""
    if context.codec.canonical_name in RECOVERING_CODECS:
        return True
    return bool(frame.key_frame) or int(frame.pict_type) not in _REFERRING


def nal_units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """The NAL units of a packet: after start codes if `length_bytes` is 0, else each after its length."""
    if not length_bytes:
        at = data.find(b"\0\0\1")
        while at >= 0:
            following = data.find(b"\0\0\1", at + 3)
            unit = data[at + 3 : following if following >= 0 else len(data)]
            if unit:
                yield unit
            at = following
        return
    at = 0
    while at + length_bytes < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if not 0 < size <= len(data) - at:
            return
        yield data[at : at + size]
        at += size


def recovery_frames(unit: bytes) -> int | None:
    """`recovery_frame_cnt` of the recovery point in an SEI unit of H.264; None if the unit has none."""
    payload = unit[1:].replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(payload):
        kind, at = _sei_number(payload, at)
        size, at = _sei_number(payload, at)
        if kind == _RECOVERY_POINT:
            return _exp_golomb(payload[at : at + size])
        at += size
    return None


def _sei_number(payload: bytes, at: int) -> tuple[int, int]:
    """A number of SEI syntax, in bytes of 255 and a last smaller one, and the place after it."""
    value = 0
    while at < len(payload) and payload[at] == 255:
        value, at = value + 255, at + 1
    return value + (payload[at] if at < len(payload) else 0), at + 1


def _exp_golomb(data: bytes) -> int | None:
    """The unsigned Exp-Golomb number that data begins with."""
    bits = "".join(f"{byte:08b}" for byte in data)
    zeros = bits.find("1")
    if zeros < 0 or len(bits) < 2 * zeros + 1:
        return None
    return int(bits[zeros : 2 * zeros + 1], 2) - 1


def _length_bytes(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each NAL unit; 0 where start codes separate them (MPEG-TS, AVI)."""
    if codec == "h264" and len(extradata) > 6 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    if codec == "vvc" and len(extradata) > 4 and extradata[:3] != b"\0\0\1" and extradata[:4] != b"\0\0\0\1":
        return ((extradata[0] >> 1) & 3) + 1
    return 0
