"""Luma patterns of the scenes' backgrounds."""

from __future__ import annotations

import numpy as np


def texture(name: str, height: int, width: int, period: float, phase: float = 0.0) -> np.ndarray:
    """Pattern of a texture: (height, width) float32 in [0, 1], repeating about every `period` pixels.

    Raises:
        KeyError: there is no texture of that name.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x + phase, y + phase / 2
    half = period / 2
    if name == "plain":
        return np.zeros((height, width), np.float32)
    if name == "vertical":
        pattern = (x % period) < half
    elif name == "horizontal":
        pattern = (y % period) < half
    elif name == "diagonal":
        pattern = ((x + y) % (period * 1.3)) < half * 1.3
    elif name == "dots":
        pattern = np.hypot(x % period - half, y % period - half) < period * 0.29
    elif name == "checks":
        pattern = ((x % period) < half) ^ ((y % period) < half)
    elif name == "waves":
        pattern = ((y + 0.3 * period * np.sin(2 * np.pi * x / (2.2 * period))) % period) < half
    elif name == "bricks":
        row = np.floor(y / (period * 0.6))
        pattern = ((y % (period * 0.6)) < period * 0.14) | (
            ((x + (row % 2) * period * 0.75) % (period * 1.5)) < period * 0.14
        )
    elif name == "grid":
        pattern = ((x % period) < period * 0.16) | ((y % period) < period * 0.16)
    else:
        raise KeyError(f"there is no texture {name!r}")
    return pattern.astype(np.float32)
