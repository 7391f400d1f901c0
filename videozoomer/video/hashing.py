"""Hashes of a film's small grey pictures, four a second, by which copies of the film are found.

Two 64-bit hashes of each picture: the signs of its 64 lowest DCT coefficients without the mean, and the signs of these
coefficients minus their mean over two seconds before and after (the motion hash). The second one tells two films of
one fixed camera or of one slide template apart, and does not see logos and borders, which do not move.

Both are taken of four tracks, so that a crop or a border of a copy has a track that shows the same picture: the whole
picture, the picture without borders, its centre at 4:3, and 80% of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

RATE_HZ = 4
"""Pictures hashed a second."""
SIDE = 64
"""Side in pixels of the small square pictures."""
TRACKS = ("whole", "trimmed", "four_three", "centre")
"""Parts of the picture; a film has no `trimmed` without borders and no `four_three` if it is no wider than that."""
MOTION_S = 2
"""The motion hash compares a picture with the mean from this long before it to this long after it."""
FLAT = 1.5
"""Grey levels (of 255) of standard deviation in 64 coefficients, below which a picture is blank and has hash 0."""
STILL = 0.6
"""The same for the motion hash: below it nothing moves but the noise of the encoder."""
CENTRE = 0.8
_HASHED = 32
"""Side of the DCT's input, as in the usual picture hashes; parts of the picture are brought to it."""
_BLOCK = 1024
"""Pictures transformed at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Hashes:
    """One track: arrays (pictures,) of uint64; 0 where a picture is blank, or still."""

    pictures: np.ndarray
    motions: np.ndarray


@cache
def _frequencies() -> tuple[np.ndarray, np.ndarray]:
    """(64,) vertical and horizontal frequencies of the hash's bits, lowest first."""
    pairs = sorted(((v, u) for v in range(12) for u in range(12) if v + u), key=lambda pair: (sum(pair), pair))[:64]
    vertical, horizontal = np.array(pairs).T
    return vertical, horizontal


@cache
def mirror_mask() -> np.uint64:
    """A picture mirrored left to right has the hash `hash ^ mirror_mask()`: odd horizontal frequencies change sign."""
    _, horizontal = _frequencies()
    return np.packbits(horizontal % 2 == 1).view(">u8").astype(np.uint64)[0]


Read = Callable[[int, int], np.ndarray]
"""Pictures from one index to before another, as (pictures, SIDE, SIDE) of uint8: a long film's do not fit in memory."""


def hash_tracks(read: Read, count: int, aspect: float) -> Mapping[str, Hashes]:
    """Hashes by track, of `count` grey pictures; `aspect` is the film's width over height.

    Bits are packed with the lowest frequency as the most significant.
    """
    if not count:
        return {}
    looks = np.unique(np.linspace(0, count - 1, _LOOKS).astype(int))
    left, right, top, bottom = borders(np.concatenate([read(look, look + 1) for look in looks]))
    parts = {"whole": ((0.0, float(SIDE)), (0.0, float(SIDE)))}
    wide, high = right - left, bottom - top
    if wide * high < 0.985 * SIDE * SIDE:
        parts["trimmed"] = (left, right), (top, bottom)
    narrow = (4 / 3) / (aspect * wide / high)
    if narrow < 0.95:
        parts["four_three"] = _middle(left, right, narrow), (top, bottom)
    parts["centre"] = _middle(left, right, CENTRE), _middle(top, bottom, CENTRE)
    return _hashes(read, count, parts)


def borders(pictures: np.ndarray) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of what is inside the borders, in pixels; parts of a pixel are estimated.

    A border is even over its length and over the whole film. Its two sides need not have one colour.
    """
    top, bottom = _ends(pictures)
    left, right = _ends(pictures[:, int(np.ceil(top)) : int(bottom)].transpose(0, 2, 1))
    return left, right, top, bottom


_EVEN = 10
"""Grey levels by which a border's pixels may differ from their median: codecs leave ringing at its edge."""
_EVEN_SHARE = 0.97
_LOOKS = 240
"""Pictures, evenly spaced, that are searched for borders."""
_LARGEST = 0.35
"""Largest share of the side that one border may have."""


def _ends(pictures: np.ndarray) -> tuple[float, float]:
    """First and last row inside borders at the first and second side of (pictures, rows, columns)."""
    rows = pictures.astype(np.int16).transpose(1, 0, 2).reshape(pictures.shape[1], -1)
    length = len(rows)
    first = _border(rows)
    second = _border(rows[::-1])
    return first, length - second


def _border(rows: np.ndarray) -> float:
    """Width of the border that begins at row 0, of (rows, pixels)."""
    level = np.median(rows[0])
    even = (np.abs(rows - level) <= _EVEN).mean(axis=1) >= _EVEN_SHARE
    limit = int(_LARGEST * len(rows))
    width = int(np.argmin(even)) if not even.all() else 0
    if not 0 < width <= limit:
        return 0.0
    # The next row is part border, part picture: its distance from the border's level says how much.
    edge, inside = (np.abs(rows[width + offset] - level).mean() for offset in (0, 1))
    return width + float(np.clip(1 - edge / max(inside, 1e-6), 0, 1))


def _middle(start: float, stop: float, share: float) -> tuple[float, float]:
    cut = (stop - start) * (1 - share) / 2
    return start + cut, stop - cut


def _hashes(read: Read, count: int, parts: Mapping[str, tuple[tuple[float, float], ...]]) -> Mapping[str, Hashes]:
    """Hashes of parts of each picture; a part is between two columns and two rows."""
    vertical, horizontal = _frequencies()
    transforms = {
        name: (_transform(down, int(vertical.max()) + 1), _transform(across, int(horizontal.max()) + 1).T)
        for name, (across, down) in parts.items()
    }
    found = {name: np.empty((count, 64), np.float32) for name in parts}
    for at in range(0, count, _BLOCK):
        block = read(at, min(at + _BLOCK, count)).astype(np.float32)
        for name, (rows, columns) in transforms.items():
            found[name][at : at + _BLOCK] = (rows @ block @ columns)[:, vertical, horizontal]
    return {
        name: Hashes(_signs(values, FLAT), _signs(values - _running_mean(values), STILL))
        for name, values in found.items()
    }


def _transform(part: tuple[float, float], frequencies: int) -> np.ndarray:
    """(frequencies, SIDE): brings part of a line to _HASHED pixels and takes its orthonormal DCT, over their number."""
    start, stop = part
    edges = np.linspace(start, stop, _HASHED + 1)
    pixels = np.arange(SIDE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    resize = np.clip(overlap, 0, None) / ((stop - start) / _HASHED)
    order = np.arange(frequencies)[:, None]
    waves = np.cos(np.pi * order * (2 * np.arange(_HASHED) + 1) / (2 * _HASHED)) * np.sqrt(2 / _HASHED)
    waves[0] /= np.sqrt(2)
    return (waves @ resize / np.sqrt(_HASHED)).astype(np.float32)


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over MOTION_S before and after each row; at the ends, over what there is."""
    reach = MOTION_S * RATE_HZ
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    rows = np.arange(len(values))
    first, last = np.maximum(rows - reach, 0), np.minimum(rows + reach + 1, len(values))
    return ((sums[last] - sums[first]) / (last - first)[:, None]).astype(np.float32)


def _signs(values: np.ndarray, least: float) -> np.ndarray:
    """(rows,) hashes; 0 for rows whose standard deviation in grey levels is below `least`."""
    packed = np.packbits(values > 0, axis=1).view(">u8").astype(np.uint64)[:, 0]
    strong = (values.astype(np.float64) ** 2).sum(axis=1) >= least**2
    # A picture whose bits are all 0 would read as blank.
    return np.where(strong, np.maximum(packed, np.uint64(1)), np.uint64(0))
