"""Names and appearance of everything in the sample world, shared by the painter and the teacher."""

from __future__ import annotations

SCENE_COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (190, 60, 55),
    "orange": (205, 130, 68),
    "yellow": (205, 190, 70),
    "green": (70, 150, 75),
    "teal": (45, 145, 150),
    "blue": (60, 90, 180),
    "purple": (130, 75, 165),
    "pink": (205, 120, 165),
    "grey": (125, 125, 125),
}
"""Background colour -> RGB of its darker tone."""

GLYPH_COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 30, 35),
    "orange": (250, 140, 20),
    "yellow": (250, 230, 40),
    "green": (30, 190, 60),
    "blue": (40, 70, 230),
    "purple": (150, 40, 190),
    "white": (245, 245, 245),
    "black": (15, 15, 15),
}
"""Colour of a glyph -> RGB."""

TEXTURES: dict[str, str] = {
    "plain": "plain",
    "vertical": "vertical stripes",
    "horizontal": "horizontal stripes",
    "diagonal": "diagonal stripes",
    "dots": "dots",
    "checks": "checks",
    "waves": "waves",
    "bricks": "bricks",
    "grid": "grid lines",
}
"""Texture -> its words in a question."""

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond", "ring", "heart", "arrow", "moon")
DIGITS = tuple("0123456789")
GLYPHS = (*SHAPES, *DIGITS)
WIDTH, HEIGHT = 320, 180
"""Size of a sample video, in pixels."""


def ycbcr(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """BT.601 in the limited range of video (luma 16 to 235), which is what a decoder assumes for small pictures."""
    red, green, blue = rgb
    return (
        16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255,
        128 + (-37.797 * red - 74.203 * green + 112.0 * blue) / 255,
        128 + (112.0 * red - 93.786 * green - 18.214 * blue) / 255,
    )


def scene_phrase(colour: str, texture: str) -> str:
    """How a question names a scene: by its look."""
    return f"the plain {colour} scene" if texture == "plain" else f"the scene with {colour} {TEXTURES[texture]}"
