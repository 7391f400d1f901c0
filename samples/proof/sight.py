"""What the proof's teacher sees: colour, texture and disc, read from the pixels of a frame it is sent."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from samples.proof.world import COLOURS

DARK = 60
"""Brightest channel of a pixel that belongs to a disc's ring."""
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
        top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
        outside[max(0, top - 1) : bottom + 2, max(0, left - 1) : right + 2] = False
        y, x = (top + bottom) // 2, (left + right) // 2
        disc = _nearest(picture[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)))
    light = np.where(outside, picture.max(-1), np.nan)
    bright = picture[outside & (picture.max(-1) >= np.nanpercentile(light, 60))].mean(0)
    return Seen(_nearest(bright), _texture(light), disc)


def _nearest(colour: np.ndarray) -> str:
    return _NAMES[int(np.abs(_PALETTE - colour).sum(-1).argmin())]


def _texture(light: np.ndarray) -> str:
    """Light and dark halves: none, along columns alone, or along both."""
    if np.nanstd(light) < 0.12 * np.nanmean(light):
        return "plain"
    dark = light < np.nanmean(light)
    # In stripes the rows are alike; in a check the upper row of a square is the lower one's opposite.
    known = ~np.isnan(light)
    shares = np.array([dark[known[:, column], column].mean() for column in range(light.shape[1]) if known[:, column].any()])
    return "stripe" if np.abs(shares - 0.5).mean() > 0.35 else "check"
