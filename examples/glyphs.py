"""Masks of shapes and digits. Painter and teacher share them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

_OVER = 4
_SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
}
"""Segments of a seven-segment digit: a on top, then clockwise, g in the middle."""


def _polygon(points: list[tuple[float, float]], size: float) -> list[tuple[float, float]]:
    return [(x * size, y * size) for x, y in points]


def _star(size: float) -> list[tuple[float, float]]:
    corners = []
    for index in range(10):
        radius = 0.5 if index % 2 == 0 else 0.21
        angle = -math.pi / 2 + index * math.pi / 5
        corners.append((size * (0.5 + radius * math.cos(angle)), size * (0.52 + radius * math.sin(angle))))
    return corners


def _digit(draw: ImageDraw.ImageDraw, name: str, size: float) -> None:
    left, right, top, bottom, bar = 0.2 * size, 0.8 * size, 0.02 * size, 0.98 * size, 0.16 * size
    middle = (top + bottom) / 2
    boxes = {
        "a": (left, top, right, top + bar),
        "b": (right - bar, top, right, middle),
        "c": (right - bar, middle, right, bottom),
        "d": (left, bottom - bar, right, bottom),
        "e": (left, middle, left + bar, bottom),
        "f": (left, top, left + bar, middle),
        "g": (left, middle - bar / 2, right, middle + bar / 2),
    }
    for segment in _SEGMENTS[name]:
        draw.rectangle(boxes[segment], fill=255)


def _shape(draw: ImageDraw.ImageDraw, name: str, size: float) -> None:
    box = (0.04 * size, 0.04 * size, 0.96 * size, 0.96 * size)
    if name in ("circle", "ring", "moon"):
        draw.ellipse(box, fill=255)
    if name == "ring":
        draw.ellipse((0.27 * size, 0.27 * size, 0.73 * size, 0.73 * size), fill=0)
    elif name == "moon":
        draw.ellipse((0.34 * size, -0.02 * size, 1.14 * size, 0.88 * size), fill=0)
    elif name == "square":
        draw.rectangle((0.08 * size, 0.08 * size, 0.92 * size, 0.92 * size), fill=255)
    elif name == "cross":
        draw.rectangle((0.35 * size, 0.04 * size, 0.65 * size, 0.96 * size), fill=255)
        draw.rectangle((0.04 * size, 0.35 * size, 0.96 * size, 0.65 * size), fill=255)
    elif name == "star":
        draw.polygon(_star(size), fill=255)
    elif name == "heart":
        draw.ellipse((0.04 * size, 0.08 * size, 0.53 * size, 0.57 * size), fill=255)
        draw.ellipse((0.47 * size, 0.08 * size, 0.96 * size, 0.57 * size), fill=255)
        draw.polygon(_polygon([(0.09, 0.46), (0.5, 0.34), (0.91, 0.46), (0.5, 0.97)], size), fill=255)
    else:
        corners = {
            "triangle": [(0.5, 0.05), (0.97, 0.93), (0.03, 0.93)],
            "diamond": [(0.5, 0.0), (0.92, 0.5), (0.5, 1.0), (0.08, 0.5)],
            "arrow": [(0.02, 0.36), (0.52, 0.36), (0.52, 0.08), (0.98, 0.5), (0.52, 0.92), (0.52, 0.64), (0.02, 0.64)],
        }
        if name in corners:
            draw.polygon(_polygon(corners[name], size), fill=255)


@cache
def glyph_mask(name: str, size: int) -> np.ndarray:
    """Coverage of each pixel by the glyph: (size, size) float32 in [0, 1], smooth at the edges.

    Raises:
        KeyError: there is no glyph of that name.
    """
    large = Image.new("L", (size * _OVER, size * _OVER))
    draw = ImageDraw.Draw(large)
    if name.isdigit():
        _digit(draw, name, size * _OVER)
    else:
        _shape(draw, name, size * _OVER)
    mask = np.asarray(large, np.float32).reshape(size, _OVER, size, _OVER).mean((1, 3)) / 255
    if not mask.any():
        raise KeyError(f"there is no glyph {name!r}")
    return mask
