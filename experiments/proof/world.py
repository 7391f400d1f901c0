"""The proof's world: short H.264 films whose scenes differ in colour and texture, each with one disc to find.

A film lasts 48 seconds at 8 fps (shorter in the quick proof) and has four scenes of 8, 12 or 16 seconds; no two scenes
of a film share colour and texture. Each scene shows a ringed disc for half a second, strictly between two overview
frames (one every 4 seconds), so the overview never shows it. A question asks for the disc's colour, one of eight, drawn
independently of the scene: chance is 12.5%.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videozoomer.lake.atomic import replaced_file

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 35),
    "green": (40, 170, 50),
    "blue": (45, 65, 225),
    "yellow": (235, 225, 50),
    "purple": (150, 45, 175),
    "cyan": (50, 205, 215),
    "orange": (245, 135, 25),
    "white": (240, 240, 240),
}
TEXTURES = ("plain", "stripe", "check")
FPS, SIDE = 8, 56
OVERVIEW_S = 4
"""Seconds between overview frames."""
GLYPH_S = 0.5
LENGTHS_S = (8, 12, 16)
MEAN_S = 12
"""Mean scene length in seconds: films with equally many scenes have equal length."""


@dataclass(frozen=True, slots=True)
class Scene:
    start_s: int
    end_s: int
    colour: str
    texture: str
    disc: str
    disc_s: float
    """When the disc appears; it stays for GLYPH_S seconds."""

    @property
    def name(self) -> str:
        """One word, such as `stripered`; both halves are needed to tell scenes apart."""
        return f"{self.texture}{self.colour}"


@dataclass(frozen=True, slots=True)
class Film:
    path: Path
    scenes: tuple[Scene, ...]

    @property
    def duration_s(self) -> int:
        return self.scenes[-1].end_s


@dataclass(frozen=True, slots=True)
class World:
    """How hard the world is: with all textures, scenes differ in colour and texture."""

    scenes: int = 4
    textures: tuple[str, ...] = TEXTURES


def plan(rng: random.Random, world: World) -> tuple[Scene, ...]:
    lengths = [0]
    while sum(lengths) != MEAN_S * world.scenes:
        lengths = [rng.choice(LENGTHS_S) for _ in range(world.scenes)]
    names = rng.sample([(colour, texture) for colour in COLOURS for texture in world.textures], world.scenes)
    scenes, start_s = [], 0
    for length, (colour, texture) in zip(lengths, names, strict=True):
        glance = rng.randrange(start_s, start_s + length, OVERVIEW_S)
        disc_s = glance + rng.randint(1, (OVERVIEW_S - 1) * FPS + FPS // 2 - 1) / FPS
        scenes.append(Scene(start_s, start_s + length, colour, texture, rng.choice(list(COLOURS)), disc_s))
        start_s += length
    return tuple(scenes)


def paint(scenes: Sequence[Scene], rng: np.random.Generator) -> Iterator[bytes]:
    """Frames as RGB bytes, SIDE x SIDE."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    dark = {
        "plain": np.zeros((SIDE, SIDE), bool),
        "stripe": columns // 7 % 2 == 1,
        "check": (columns // 14 + rows // 14) % 2 == 1,
    }
    for scene in scenes:
        base = np.array(COLOURS[scene.colour]) + rng.normal(0, 5, 3)
        x, y, radius = (*rng.integers(SIDE // 2 - 1, SIDE // 2 + 2, 2), rng.integers(22, 25))
        distance = np.hypot(columns - x, rows - y)
        dim = np.where(dark[scene.texture], 0.5, 1.0)[..., None]
        for number in range(scene.start_s * FPS, scene.end_s * FPS):
            picture = base * dim * rng.uniform(0.95, 1.05) + rng.normal(0, 3, (SIDE, SIDE, 1))
            if scene.disc_s <= number / FPS < scene.disc_s + GLYPH_S:
                picture[distance < radius] = 8
                picture[distance < radius - 5] = COLOURS[scene.disc]
            yield np.clip(picture, 0, 255).astype(np.uint8).tobytes()


def make_films(folder: Path, split: str, count: int, seed: int, world: World) -> list[Film]:
    """The films of a split, written unless present. Deterministic in split, seed and world."""
    folder.mkdir(parents=True, exist_ok=True)
    films = [
        Film(folder / f"{split}-{number:04d}.mp4", plan(random.Random(f"{seed} {split} {number}"), world))
        for number in range(count)
    ]
    missing = [film for film in films if not film.path.is_file()]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda film: _encode(film, seed), missing):
            pass
    return films


def _encode(film: Film, seed: int) -> None:
    import ffmpeg
    import imageio_ffmpeg

    rng = np.random.default_rng([seed, int.from_bytes(film.path.stem.encode()[-8:])])
    with replaced_file(film.path) as partial:
        stream = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{SIDE}x{SIDE}", r=FPS).output(
            str(partial),
            pix_fmt="yuv420p",
            f="mp4",
            **{"c:v": "libx264", "preset": "ultrafast", "crf": 20, "g": 16, "threads": 1},
        )
        command = ffmpeg.compile(
            stream.global_args("-hide_banner", "-loglevel", "error", "-y"), cmd=imageio_ffmpeg.get_ffmpeg_exe()
        )
        subprocess.run(command, input=b"".join(paint(film.scenes, rng)), check=True, capture_output=True)
