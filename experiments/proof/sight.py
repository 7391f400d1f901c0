"""What the proof's teacher sees: colour, texture and disc, from a frame's pixels alone."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from experiments.proof.world import COLOURS

DARK = 60
"""Upper bound of the brightest channel in a disc's ring."""
RING_PIXELS = 8
_NAMES = list(COLOURS)
_PALETTE = np.array(list(COLOURS.values()), dtype=float)


@dataclass(frozen=True, slots=True)
class Seen:
    colour: str
    texture: str
    disc: str | None

    @property
    def name(self) -> str:
        return f"{self.texture}{self.colour}"


def see(jpeg: bytes) -> Seen:
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), dtype=float)
    height, width, _ = picture.shape
    ring = picture.max(-1) < DARK
    disc = None
    outside = np.ones((height, width), bool)
    if ring.sum() >= RING_PIXELS:
        rows, columns = np.nonzero(ring)
        y, x = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
        distance = np.hypot(*(np.mgrid[:height, :width] - np.array([y, x])[:, None, None]))
        outside = distance > distance[ring].max() + 1
        disc = _nearest(picture[distance < distance[ring].max() / 3].mean(0))
    light = np.where(outside, picture.max(-1), np.nan)
    bright = picture[outside & (picture.max(-1) >= np.nanpercentile(light, 60))].mean(0)
    return Seen(_nearest(bright), _texture(light), disc)


def _nearest(colour: np.ndarray) -> str:
    return _NAMES[int(np.abs(_PALETTE - colour).sum(-1).argmin())]


def _texture(light: np.ndarray) -> str:
    """`plain`, `stripe` (light and dark alternate along columns) or `check` (along both axes)."""
    if np.nanstd(light) < 0.12 * np.nanmean(light):
        return "plain"
    dark = light < np.nanmean(light)
    # Rows of stripes are alike; in a check the upper row of a square is the inverse of the lower one.
    known = ~np.isnan(light)
    shares = np.array(
        [dark[known[:, column], column].mean() for column in range(light.shape[1]) if known[:, column].any()]
    )
    return "stripe" if np.abs(shares - 0.5).mean() > 0.35 else "check"
