"""The boxes of a fragmented MP4 (ISO/IEC 14496-12): whether they reach to the end of the file."""

from __future__ import annotations

from contextlib import closing

from videozoomer.places.finding import open_bytes


def broken_box(place: str) -> int | None:
    """Where, in bytes, the boxes of a fragmented MP4 cannot be followed any further; None for any other whole file.

    FFmpeg takes damaged bytes between fragments for a box of an unknown kind, and skips what it calls its length, often
    the rest of the film, without a word. Other MP4s have an index that says how many pictures there are.
    """
    at, fragmented = 0, False
    with closing(open_bytes(place)) as handle:
        end = handle.seek(0, 2)
        while at < end:
            handle.seek(at)
            head = handle.read(16)
            kind, length = head[4:8], int.from_bytes(head[:4], "big")
            if at == 0 and kind not in (b"ftyp", b"styp", b"moov"):
                return None
            if not any(head):
                return None  # Files of cameras are padded with zeros.
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            fragmented |= kind == b"moof"
            if length == 0 and kind == b"mdat":
                return None  # To the end of the file.
            if length < 8 or at + length > end or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
                return at if fragmented else None
            at += length
    return None
