"""The header of a QuickTime file whose pictures are files of their own (Apple, QuickTime File Format, 2012)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_WIDE = 16
"""Bytes of a box's own header with a 64-bit size."""


def movie_header(
    codec: bytes, size: tuple[int, int], rate: Fraction, numbers: Sequence[int], sizes: Sequence[int]
) -> bytes:
    """Everything before the bytes of the first picture, for a film without sound.

    `codec` is `jpeg` or `png `, `size` width and height. Picture number n is on the screen from n / rate (counted from
    the first) until the next one; `sizes` are the bytes of the pictures, which follow the header without gaps.
    """
    head = _box(b"ftyp", b"qt  ", struct.pack(">I", 0x200), b"qt  ")
    moov_bytes = len(_moov(codec, size, rate, numbers, sizes, 0))
    first = len(head) + moov_bytes + _WIDE
    mdat = struct.pack(">I4sQ", 1, b"mdat", _WIDE + sum(sizes))
    return head + _moov(codec, size, rate, numbers, sizes, first) + mdat


def _moov(
    codec: bytes, size: tuple[int, int], rate: Fraction, numbers: Sequence[int], sizes: Sequence[int], first: int
) -> bytes:
    scale, step = rate.numerator, rate.denominator
    shown = [(after - before) * step for before, after in zip(numbers, [*numbers[1:], numbers[-1] + 1], strict=True)]
    duration, (width, height) = sum(shown), size
    offsets, at = [], first
    for length in sizes:
        offsets.append(at)
        at += length
    runs = [(len(list(same)), ticks) for ticks, same in groupby(shown)]
    entry = struct.pack(
        ">I4s6xHHHIIIHHIIIH32xHh",
        86, codec, 1, 0, 0, 0, 0, 0, width, height, 72 << 16, 72 << 16, 0, 1, 24, -1,
    )  # fmt: skip
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">I", len(runs)), *(struct.pack(">II", *run) for run in runs)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        _full(b"stsz", struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        _full(b"co64", struct.pack(f">I{len(offsets)}Q", len(offsets), *offsets)),
    )
    data = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">QQIQHH", 0, 0, scale, duration, 0x55C4, 0), version=1),
        _full(b"hdlr", b"mhlr", b"vide", bytes(13)),
        _box(b"minf", _full(b"vmhd", bytes(8), flags=1), data, table),
    )
    track = _full(
        b"tkhd",
        struct.pack(">QQIIQ8x4H", 0, 0, 1, 0, duration, 0, 0, 0, 0),
        _MATRIX,
        struct.pack(">II", width << 16, height << 16),
        version=1,
        flags=0xF,
    )
    movie = _full(
        b"mvhd",
        struct.pack(">QQIQIH10x", 0, 0, scale, duration, 0x10000, 0x100),
        _MATRIX,
        bytes(24),
        struct.pack(">I", 2),
        version=1,
    )
    return _box(b"moov", movie, _box(b"trak", track, media))


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)
