"""How many zooms a zoom store serves, by where zooms start: computed from the times, without reading a video.

    python -m benchmarks.zoom_store

A 30 fps video, zooms of 16 frames, rates mixed as the paper reports them for its policy. A store of F fps holds the
frames on screen at multiples of 1/F. It serves a frame if it holds the one that is on screen at the requested time.
Prints the share of zooms that are served entirely, and of frames.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import typer

VIDEO_FPS = 30
ZOOM_FRAMES = 16
RATES = {0.5: 0.125, 1.0: 0.125, 2.0: 0.66, 4.0: 0.08, 8.0: 0.01}
"""Frames per second of a zoom -> share of zooms. The paper gives intervals: each is taken at its upper end, and the
lowest, up to 1, is split between 0.5 and 1."""
STARTS = {"whole seconds": 1.0, "tenths of a second": 0.1, "any time": 0.0}
"""Where zooms start -> step of the start times in seconds; 0 draws them freely."""


def served(step_s: float, store_fps: float, zooms: int, seed: int) -> tuple[float, float]:
    """Share of zooms served entirely, and of frames."""
    random = np.random.default_rng(seed)
    rates = random.choice(list(RATES), size=zooms, p=list(RATES.values()))
    starts_s = random.uniform(0, 3000, zooms)
    if step_s:
        starts_s = np.round(starts_s / step_s) * step_s
    times_s = starts_s[:, None] + np.arange(ZOOM_FRAMES) / rates[:, None]
    held = on_screen(np.arange(int(times_s.max() * store_fps) + 2) / store_fps)
    hits = np.isin(on_screen(times_s), held)
    return float(hits.all(axis=1).mean()), float(hits.mean())


def on_screen(times_s: np.ndarray) -> np.ndarray:
    """Number of the frame on screen at each time."""
    return np.floor(times_s * VIDEO_FPS + 1e-6).astype(int)


def rows(zooms: int, seed: int) -> Iterator[str]:
    yield f"{'zooms start at':20} {'8 fps: zooms':>13} {'frames':>7} {'2 fps: zooms':>13} {'frames':>7}"
    for name, step_s in STARTS.items():
        shares = [share for store_fps in (8.0, 2.0) for share in served(step_s, store_fps, zooms, seed)]
        yield f"{name:20} {shares[0]:13.0%} {shares[1]:7.0%} {shares[2]:13.0%} {shares[3]:7.0%}"


def main(zooms: int = 100_000, seed: int = 0) -> None:
    for row in rows(zooms, seed):
        print(row)


if __name__ == "__main__":
    typer.run(main)
