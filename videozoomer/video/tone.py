"""High dynamic range to BT.709: a PQ or HLG picture as a display for standard dynamic range shows it.

A picture's codes become light by the transfer functions of ITU-R BT.2100. The curve of ITU-R BT.2390 (EETF) compresses
the light of a display with 1,000 nits to the 203 nits that ITU-R BT.2408 takes for white. It is applied to the largest
of red, green and blue, and all three shrink by the same factor, so that hue and saturation stay. The light then gets
the primaries of BT.709; a colour that lies outside of them is clipped. The inverse of ITU-R BT.1886 makes it codes.

The curve is the same for every picture: the same codes always give the same colours, and a frame looks the same from
wherever it is read. Metadata of the mastering display is not used; light above 1,000 nits is white.

libswscale's own conversion (FFmpeg 8) takes seconds to set up, works at the film's full size and leaves 68 to 92% of
the saturation of libplacebo's; see docs/measurements.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from videozoomer.video.stream_facts import BT709, BT2020, HLG, PQ

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

WHITE_NITS = 203.0
"""White of a picture with a standard range, from BT.2408."""
PEAK_NITS = 1000.0
"""Brightest light that is told apart, and the nominal peak of HLG."""
MOST_NITS = 10_000.0
"""Brightest light that PQ can code."""
CODES = 1 << 16
"""Codes of a 16-bit component."""
CUBE_SIDE = 33
"""Points along each side of the table for clips."""
D65 = (0.3127, 0.3290)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES = {
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: _P3,
}
"""Code of ITU-T H.273 -> x and y of red, green and blue, with white D65. Others count as BT.2020, as HDR is made."""
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
"""Constants of HLG, from BT.2100."""
_HLG_GAMMA = 1.2
"""System gamma of HLG on a display of 1,000 nits."""


def pq_to_nits(code: np.ndarray) -> np.ndarray:
    """The EOTF of PQ: codes from 0 to 1 to nits."""
    import numpy as np

    power = np.asarray(code, np.float64) ** (32 / 2523)
    return MOST_NITS * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)


def nits_to_pq(nits: np.ndarray) -> np.ndarray:
    """The inverse of `pq_to_nits`."""
    import numpy as np

    power = (np.asarray(nits, np.float64) / MOST_NITS) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_to_scene(code: np.ndarray) -> np.ndarray:
    """The inverse OETF of HLG: codes from 0 to 1 to the light of the scene, from 0 to 1."""
    import numpy as np

    code = np.asarray(code, np.float64)
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)


def compressed(nits: np.ndarray) -> np.ndarray:
    """The EETF of BT.2390 with black at 0: light up to PEAK_NITS to light up to WHITE_NITS."""
    import numpy as np

    peak = nits_to_pq(np.asarray(PEAK_NITS))
    given = np.minimum(nits_to_pq(nits) / peak, 1)
    white = nits_to_pq(np.asarray(WHITE_NITS)) / peak
    knee = 1.5 * white - 0.5
    t = (given - knee) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    return pq_to_nits(np.where(given < knee, given, bent) * peak)


def to_xyz(primaries: int) -> np.ndarray:
    """The matrix from linear RGB with these primaries to XYZ, where white has Y = 1. Its second row gives luminance."""
    import numpy as np

    corners = _PRIMARIES.get(primaries, _PRIMARIES[BT2020])
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    x, y = D65
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))


class ToneMapper:
    """Converts pictures of one transfer function, PQ or HLG, and one set of primaries."""

    def __init__(self, transfer: int, primaries: int) -> None:
        import numpy as np

        code = np.arange(CODES) / (CODES - 1)
        to_bt709 = np.linalg.solve(to_xyz(BT709), to_xyz(primaries)) / WHITE_NITS
        self._is_hlg = transfer == HLG
        if self._is_hlg:
            light = hlg_to_scene(code)
            self._luminance = to_xyz(primaries)[1:2].astype(np.float32)
        elif transfer == PQ:
            light = pq_to_nits(code)
        else:
            raise ValueError(f"transfer function {transfer} of ITU-T H.273 has no high dynamic range")
        self._light = light.astype(np.float32)
        self._to_bt709 = to_bt709.astype(np.float32)
        # By the square root of light, because equal steps of light would be too coarse in the shadows.
        nits = np.maximum(MOST_NITS * code**2, 1e-9)
        self._factor = (compressed(nits) / nits).astype(np.float32)
        self._code = np.round(255 * (code**2) ** (1 / 2.4)).astype(np.uint8)

    def convert(self, rgb: np.ndarray) -> np.ndarray:
        """A picture of 16-bit codes, (height, width, 3), as one of 8 bits."""
        import cv2
        import numpy as np

        light = np.take(self._light, rgb)
        if self._is_hlg:
            luminance = cv2.transform(light, self._luminance).reshape(rgb.shape[:2])
            light *= (PEAK_NITS * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1))[..., None]
        red, green, blue = cv2.split(light)
        light *= np.take(self._factor, _root(cv2.max(cv2.max(red, green), blue) / MOST_NITS))[..., None]
        return np.take(self._code, _root(cv2.transform(light, self._to_bt709)))


def write_cube(target: Path, transfer: int, primaries: int) -> None:
    """The conversion as a table in Adobe's format, for FFmpeg's `lut3d` filter. Between its points colours are blended.

    Its points are equal steps of code, so that shadows are as fine as lights.
    """
    import numpy as np

    steps = np.round(np.linspace(0, CODES - 1, CUBE_SIDE)).astype(np.uint16)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # Red changes fastest.
    picture = np.stack([red, green, blue], axis=-1).reshape(CUBE_SIDE * CUBE_SIDE, CUBE_SIDE, 3)
    shown = tone_mapper(transfer, primaries).convert(picture).reshape(-1, 3) / 255
    np.savetxt(target, shown, fmt="%.4f", header=f"LUT_3D_SIZE {CUBE_SIDE}", comments="")


@lru_cache(maxsize=4)
def tone_mapper(transfer: int, primaries: int) -> ToneMapper:
    """The tables take some 20 ms to compute; a mapper keeps no state and may be shared by threads."""
    return ToneMapper(transfer, primaries)


def _root(light: np.ndarray) -> np.ndarray:
    """The square root of light from 0 to 1, as an index of a table."""
    import numpy as np

    return (np.sqrt(np.clip(light, 0, 1)) * (CODES - 1) + 0.5).astype(np.uint16)
