"""Recognises one JPEG: the background's colour and texture, and a glyph if one stands out.

Classical recognition: backgrounds by mean hue and luma spectrum, glyphs as a patch of another hue compared with drawn
templates. It reports scores, not verdicts; the caller may still err among likely candidates.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
from cachetools import LRUCache

from examples.glyphs import glyph_mask
from examples.palette import GLYPH_COLOURS, GLYPHS, HEIGHT, SCENE_COLOURS, TEXTURES, WIDTH
from examples.textures import texture

_HALF = (HEIGHT // 2, WIDTH // 2)
_SIDE = 24
"""Side of a normalised glyph patch, in pixels."""
_PERIODS = (19.0, 21.0, 23.0, 25.0, 27.0)
_COLOUR_NAMES, _TEXTURE_NAMES, _GLYPH_COLOUR_NAMES = tuple(SCENE_COLOURS), tuple(TEXTURES), tuple(GLYPH_COLOURS)


class NotAnImage(ValueError):
    """A picture in the request cannot be decoded."""


@dataclass(frozen=True, slots=True)
class GlyphSight:
    names: tuple[tuple[str, float], ...]
    """Likeliest shapes or digits with their similarity in [-1, 1], best first."""
    colours: tuple[tuple[str, float], ...]
    """Likeliest colours with their distance, best first."""
    x: float
    y: float
    """Centre, in pixels of a 320x180 picture."""
    size: float
    contrast: float
    """Hue distance from the background; below about 25 it is hard to recognise."""


@dataclass(frozen=True, slots=True)
class Sight:
    colours: tuple[float, ...]
    """Likelihood of each scene colour, in the palette's order; sums to 1."""
    textures: tuple[float, ...]
    """Likelihood of each texture; sums to 1."""
    light: float
    """Mean luma, 0 to 255."""
    blank: bool
    """Whether the picture is black or nearly so."""
    glyph: GlyphSight | None
    pixels: int
    """Width times height as sent."""

    @property
    def look(self) -> tuple[str, str]:
        """The likeliest colour and texture."""
        return _COLOUR_NAMES[self.colours.index(max(self.colours))], _TEXTURE_NAMES[
            self.textures.index(max(self.textures))
        ]

    def match(self, colour: str, texture_name: str) -> float:
        """How well the picture fits a named look, 0 to 1; an unknown name matches anything."""
        of_colour = self.colours[_COLOUR_NAMES.index(colour)] if colour in SCENE_COLOURS else 1.0
        of_texture = self.textures[_TEXTURE_NAMES.index(texture_name)] if texture_name in TEXTURES else 1.0
        return 0.0 if self.blank else of_colour * of_texture


def see(jpeg: bytes) -> Sight:
    """Recognise one picture. About 1.5 ms.

    Raises:
        NotAnImage: the bytes are not a picture.
    """
    import cv2

    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if pixels is None:
        raise NotAnImage("one of the images cannot be decoded; send JPEG or PNG")
    size = pixels.shape[0] * pixels.shape[1]
    if pixels.shape[:2] != (HEIGHT, WIDTH):
        pixels = cv2.resize(
            pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA if size > HEIGHT * WIDTH else cv2.INTER_LINEAR
        )
    small = cv2.cvtColor(
        cv2.resize(pixels, (_HALF[1], _HALF[0]), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YCrCb
    ).astype(np.float32)
    luma, chroma = small[:, :, 0], small[:, :, :0:-1] - 128  # chroma: Cb, Cr
    light = float(luma.mean())
    ground = np.median(chroma.reshape(-1, 2), axis=0)
    away = np.hypot(chroma[:, :, 0] - ground[0], chroma[:, :, 1] - ground[1])
    limit = 8.0 + 5.0 * min(1.0, light / 110)
    found = (away > limit).astype(np.uint8)
    # Pixels whose hue differs from the background. Only the largest patch counts: one glyph is shown at a time.
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    glyph = None
    if count > 1:
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        left, top, width, height, area = (int(value) for value in stats[largest])
        if area >= 22 and 6 <= max(width, height) <= 60:
            box = (slice(top, top + height), slice(left, left + width))
            glyph = _read_glyph(
                small[box],
                np.where(labels[box] == largest, away[box], 0),
                ground,
                light,
                (left + width / 2, top + height / 2),
            )
    textures = _read_texture(np.where(found, light, luma) if count > 1 else luma, light)
    return Sight(_read_colour(ground, light), textures, light, light < 14, glyph, size)


@cache
def _scene_references() -> tuple[np.ndarray, np.ndarray]:
    """Chroma (colours, 2) and mean luma (colours,) of the backgrounds in good light."""
    import cv2

    rgb = np.array([list(SCENE_COLOURS.values())], np.uint8)
    reference = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[0].astype(np.float32)
    luma = reference[:, 0] + np.where(reference[:, 0] < 132, 20, -20)  # about 40% of a texture is the other tone
    return reference[:, :0:-1] - 128, luma


def _read_colour(ground: np.ndarray, light: float) -> tuple[float, ...]:
    chroma, luma = _scene_references()
    dimmed = np.clip(light / luma, 0.15, 1.2)
    distance = np.hypot(*(ground[None] / dimmed[:, None] - chroma).T)
    likely = np.exp(-((distance / 11) ** 2) / 2) + 1e-6
    return tuple((likely / likely.sum()).tolist())


@cache
def _bins() -> tuple[np.ndarray, int]:
    """Bin of each coefficient of the half-size picture's spectrum, by direction and by frequency; -1 is left out."""
    frequency_y = np.fft.fftfreq(_HALF[0])[:, None]
    frequency_x = np.fft.rfftfreq(_HALF[1])[None]
    radius = np.hypot(frequency_y, frequency_x)
    rings = np.digitize(radius, [0.03, 0.06, 0.085, 0.115, 0.15, 0.2, 0.26, 0.34]) - 1
    sectors = ((np.arctan2(frequency_y, frequency_x) / np.pi + 0.5 + 1 / 16) * 8).astype(int) % 8
    return np.where(rings < 0, 64, rings * 8 + sectors).ravel(), 65


def _detail(luma: np.ndarray) -> np.ndarray:
    """The luma without soft light and shadow."""
    import cv2

    return luma - cv2.blur(luma, (31, 31))


def _spectrum(detail: np.ndarray) -> np.ndarray:
    bins, count = _bins()
    power = np.abs(np.fft.rfft2(detail * _window())) ** 2
    pooled = np.bincount(bins, power.ravel(), count)[:-1]
    return np.sqrt(pooled / (pooled.sum() + 1e-6))


@cache
def _window() -> np.ndarray:
    return np.outer(np.hanning(_HALF[0]), np.hanning(_HALF[1])).astype(np.float32)


@cache
def _texture_templates() -> tuple[np.ndarray, np.ndarray]:
    import cv2

    rows, owners = [], []
    for index, name in enumerate(_TEXTURE_NAMES):
        for period in _PERIODS if name != "plain" else ():
            drawn = cv2.resize(
                texture(name, HEIGHT, WIDTH, period, 7.0), (_HALF[1], _HALF[0]), interpolation=cv2.INTER_AREA
            )
            rows.append(_spectrum(_detail(drawn)))
            owners.append(index)
    return np.array(rows), np.array(owners)


def _read_texture(luma: np.ndarray, light: float) -> tuple[float, ...]:
    likely = np.full(len(_TEXTURE_NAMES), 1e-6)
    detail = _detail(luma)
    spread = float(detail.std()) / max(light, 8.0)
    likely[_TEXTURE_NAMES.index("plain")] = 1 / (1 + np.exp((spread - 0.08) / 0.008))
    templates, owners = _texture_templates()
    closeness = templates @ _spectrum(detail)
    best = np.array(
        [closeness[owners == index].max() if (owners == index).any() else -1 for index in range(len(likely))]
    )
    sharp = np.exp((best - best.max()) / 0.025)
    sharp[_TEXTURE_NAMES.index("plain")] = 0
    likely += sharp / sharp.sum() * (1 - likely[_TEXTURE_NAMES.index("plain")])
    return tuple((likely / likely.sum()).tolist())


def _patch(cover: np.ndarray) -> np.ndarray:
    """A glyph's coverage, cropped and fitted into a square with its proportions kept, as a unit vector."""
    import cv2

    solid = cover > 0.45
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    if len(rows) and len(columns):
        cover = cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = cover.shape
    side = max(height, width)
    square = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = cover
    fitted = cv2.GaussianBlur(cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR), (3, 3), 0).ravel()
    fitted -= fitted.mean()
    return fitted / (np.linalg.norm(fitted) + 1e-6)


@cache
def _glyph_templates() -> tuple[np.ndarray, tuple[str, ...]]:
    rows, names = [], []
    for name in GLYPHS:
        for size in (14, 20, 28):
            rows.append(_patch(glyph_mask(name, size)))
            names.append(name)
    return np.array(rows), tuple(names)


def _read_glyph(
    patch: np.ndarray, away: np.ndarray, ground: np.ndarray, light: float, centre: tuple[float, float]
) -> GlyphSight:
    """`patch` is (h, w, 3) YCrCb, `away` its distance in hue from the background, zero outside the glyph."""
    peak = float(np.percentile(away[away > 0], 75))
    cover = np.clip(away / peak, 0, 1).astype(np.float32)
    templates, owners = _glyph_templates()
    best: dict[str, float] = {}
    for name, likeness in zip(owners, (templates @ _patch(cover)).tolist(), strict=True):
        best[name] = max(best.get(name, -1.0), likeness)
    names = sorted(best.items(), key=lambda item: -item[1])[:4]
    inside = patch[cover > 0.8].mean(0)
    seen = np.array([inside[0], inside[2] - 128, inside[1] - 128])
    return GlyphSight(
        tuple(names),
        _read_glyph_colour(seen, np.array([light, *ground]), light),
        centre[0] * 2,
        centre[1] * 2,
        2.0 * max(patch.shape[:2]),
        peak,
    )


@cache
def _glyph_references() -> np.ndarray:
    import cv2

    reference = cv2.cvtColor(np.array([list(GLYPH_COLOURS.values())], np.uint8), cv2.COLOR_RGB2YCrCb)[0].astype(
        np.float32
    )
    return np.stack([reference[:, 0], reference[:, 2] - 128, reference[:, 1] - 128], axis=1)


def _read_glyph_colour(seen: np.ndarray, ground: np.ndarray, light: float) -> tuple[tuple[str, float], ...]:
    """Compare with each colour blended over the background at several opacities and lights."""
    weights = np.array([0.45, 1.0, 1.0])
    lights = (1.0,) if light > 75 else (0.45, 1.0)
    distances = np.full(len(GLYPH_COLOURS), np.inf)
    for dimmed in lights:
        for opacity, penalty in ((1.0, 0.0), (0.4, 14.0)):
            expected = ground + (_glyph_references() * dimmed - ground) * opacity
            distances = np.minimum(distances, np.linalg.norm((expected - seen) * weights, axis=1) + penalty)
    order = np.argsort(distances)[:3]
    return tuple((_GLYPH_COLOUR_NAMES[index], float(distances[index])) for index in order)


class SightCache:
    """Recognition results by hash of the picture, so that none is recognised twice. Thread-safe."""

    def __init__(self, keep: int = 50_000) -> None:
        self._sights: LRUCache[bytes, Sight] = LRUCache(keep)
        self._lock = threading.Lock()

    def look(self, encoded: str) -> tuple[bytes, Sight]:
        """Key and recognition result of a base64 picture.

        Raises:
            NotAnImage: it is not base64, or not a picture.
        """
        key = hashlib.sha1(encoded.encode("ascii", "replace")).digest()
        with self._lock:
            sight = self._sights.get(key)
        if sight is not None:
            return key, sight
        try:
            jpeg = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotAnImage("one of the images is no valid base64") from error
        sight = see(jpeg)
        with self._lock:
            self._sights[key] = sight
        return key, sight
