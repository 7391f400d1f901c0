"""Films that look alike and are not copies: made here, so that no one's films are needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

WIDTH, HEIGHT, FPS = 320, 180, 10
EACH = 6
"""Films of a kind; every two of them are a pair."""
Draw = Callable[[int, float, np.ndarray], None]
"""Draws a film (by its number) at a time in seconds onto a picture."""
_WORDS = "what the a frames colour when seven about light never again under walls speed order train other small".split()


def hard_pairs(folder: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Pairs of films by kind, written into the folder."""
    return {
        name: list(combinations(_films(folder, name, draw, length_s), 2)) for name, (draw, length_s) in KINDS.items()
    }


def _films(folder: Path, name: str, draw: Draw, length_s: int) -> Iterator[Path]:
    for film in range(EACH):
        path = folder / f"{name.replace(' ', '-')}-{film}.mp4"
        write_film(path, draw, film, length_s)
        yield path


def write_film(path: Path, draw: Draw, film: int, length_s: int) -> None:
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", str(24 + film), "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in range(length_s * FPS):
            picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            draw(film, frame / FPS, picture)
            process.stdin.write(picture.tobytes())
        process.stdin.close()
    if process.returncode:
        raise RuntimeError(f"FFmpeg could not write {path}")


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _line(
    picture: np.ndarray, words: str, x: int, y: int, size: float = 0.5, colour: tuple[int, ...] = (20, 20, 20)
) -> None:
    cv2.putText(picture, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _text(rng: np.random.Generator, words: int) -> str:
    return " ".join(rng.choice(_WORDS, words))


def scene(film: int, time_s: float, picture: np.ndarray) -> None:
    """A film of its own: a new shot every four seconds, with a background and three discs that move."""
    rng = _rng(film, int(time_s // 4))
    coarse = rng.integers(0, 255, (4, 6, 3), dtype=np.uint8)
    picture[:] = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(3):
        x, y, dx, dy = rng.uniform(0, 1, 4)
        at = (int(WIDTH * ((x + (dx - 0.5) * time_s * 0.3) % 1)), int(HEIGHT * ((y + (dy - 0.5) * time_s * 0.3) % 1)))
        cv2.circle(picture, at, int(rng.integers(10, 40)), rng.integers(0, 255, 3).tolist(), -1)


def template(film: int, time_s: float, picture: np.ndarray) -> None:
    """Slides with one title bar and logo, and other words every five seconds."""
    rng = _rng(100 + film, int(time_s // 5))
    picture[:] = 245
    picture[:30] = (140, 60, 20)
    cv2.circle(picture, (295, 160), 14, (30, 120, 220), -1)
    _line(picture, _text(rng, 3), 10, 21, 0.6, (255, 255, 255))
    for row in range(int(rng.integers(3, 6))):
        _line(picture, "- " + _text(rng, int(rng.integers(3, 6))), 14, 55 + 22 * row)


def screencast(film: int, time_s: float, picture: np.ndarray) -> None:
    """One editor's windows; each film's lines come in its own time, and a cursor moves."""
    rng = _rng(200 + film)
    picture[:] = 30
    picture[:14] = 70
    picture[:, :60] = 50
    for row in range(8):
        _line(picture, _text(_rng(5, row), 1), 4, 28 + 18 * row, 0.35, (200, 200, 200))
    typed_s = np.cumsum(rng.exponential(2.5, 9))
    for row in range(int((typed_s < time_s).sum())):
        words, indent = (
            _text(_rng(250 + film, row), int(_rng(film, row).integers(1, 6))),
            int(_rng(film, row).integers(4)),
        )
        _line(picture, words, 70 + 14 * indent, 30 + 17 * row, 0.4, (180, 220, 180))
    x, y = (int(v) for v in rng.uniform((70, 20), (300, 170)))
    cv2.circle(picture, (int(x + 30 * np.sin(time_s * rng.uniform(0.2, 0.9))) % WIDTH, y), 3, (255, 255, 255), -1)


def credits_roll(film: int, time_s: float, picture: np.ndarray) -> None:
    """White names that roll over black, in groups with headings, at each film's own pace."""
    rng = _rng(300 + film)
    y = HEIGHT - time_s * rng.uniform(18, 34)
    for _ in range(60):
        heading = rng.random() < 0.25
        y += 40 if heading else 20
        words, x = _text(rng, int(rng.integers(1, 5))), int(rng.integers(20, 120))
        if -10 < y < HEIGHT + 20:
            _line(picture, words, x, int(y), 0.6 if heading else 0.45, (240, 240, 240))


def studio(film: int, time_s: float, picture: np.ndarray) -> None:
    """One desk and wall, a speaker who moves a little, and a screen beside that changes."""
    rng = _rng(400 + film)
    picture[:] = cv2.resize(_rng(4).integers(40, 120, (3, 4, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    picture[140:] = (60, 40, 30)
    phase, speed = rng.uniform(0, 6, 2), rng.uniform(0.4, 1.6, 2)
    x, y = 110 + 8 * np.sin(phase[0] + speed[0] * time_s), 70 + 5 * np.sin(phase[1] + speed[1] * time_s)
    cv2.ellipse(picture, (int(x), int(y)), (22, 28), 0, 0, 360, (150, 170, 220), -1)
    cv2.rectangle(picture, (int(x) - 34, int(y) + 28), (int(x) + 34, 142), (90, 30, 30), -1)
    mouth = 2 + int(5 * abs(np.sin(time_s * 5 * speed[0])))
    cv2.ellipse(picture, (int(x), int(y) + 14), (8, mouth), 0, 0, 360, (40, 40, 120), -1)
    picture[30:100, 210:300] = cv2.resize(
        _rng(500 + film, int(time_s // 6)).integers(0, 255, (3, 4, 3), dtype=np.uint8), (90, 70)
    )


def scoreboard(film: int, time_s: float, picture: np.ndarray) -> None:
    """One scoreboard and stadium over games of their own."""
    rng = _rng(600 + film)
    picture[:] = (60, 140, 60)
    cv2.line(picture, (160, 0), (160, HEIGHT), (230, 230, 230), 2)
    cv2.circle(picture, (160, 90), 30, (230, 230, 230), 2)
    for player in range(12):
        a, b, c, d = rng.uniform(0.1, 1.2, 4)
        at = (int(160 + 150 * np.sin(a * time_s + 9 * c)), int(90 + 85 * np.sin(b * time_s + 9 * d)))
        cv2.circle(picture, at, 6, (30, 30, 220) if player % 2 else (220, 60, 30), -1)
    picture[6:30, 8:120] = 20
    _line(picture, f"HOM {int(time_s // 9) + film} AWY 1", 12, 22, 0.45, (255, 255, 255))


def lower_third(film: int, time_s: float, picture: np.ndarray) -> None:
    """Films of their own under one channel's lower third, logo and ticker."""
    scene(700 + film, time_s, picture)
    picture[128:164] = (160, 40, 20)
    _line(picture, "BREAKING NEWS", 12, 152, 0.7, (255, 255, 255))
    picture[164:] = 240
    _line(picture, " ".join(_WORDS), int(WIDTH - 40 * time_s) % 900 - 580, 176, 0.4)
    cv2.rectangle(picture, (280, 6), (314, 24), (0, 200, 240), -1)


def intro_of(share: float, length_s: int) -> Draw:
    def draw(film: int, time_s: float, picture: np.ndarray) -> None:
        scene(999 if time_s < share * length_s else 800 + film, time_s, picture)

    return draw


KINDS: dict[str, tuple[Draw, int]] = {
    "slides of one template": (template, 30),
    "screencasts": (screencast, 24),
    "credits": (credits_roll, 24),
    "one studio": (studio, 24),
    "one scoreboard": (scoreboard, 24),
    "one lower third": (lower_third, 24),
    "an intro of a third": (intro_of(1 / 3, 30), 30),
    "an intro of a half": (intro_of(1 / 2, 30), 30),
}
