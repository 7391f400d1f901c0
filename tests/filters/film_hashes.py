"""Films as the search for copies sees them, made of random hashes, and what copying does to hashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from filters.copies.film import Film
from videozoomer.video.hashing import RATE_HZ, Hashes


def random_hashes(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(1, 2**64, count, dtype=np.uint64)


def film(seed: int, seconds: int = 120) -> Film:
    """Shots of 2 to 9 seconds, within which pictures differ by a few bits; what moves is new twice a second."""
    rng = np.random.default_rng(seed)
    count = seconds * RATE_HZ
    lengths = rng.integers(2 * RATE_HZ, 10 * RATE_HZ, seconds)
    tracks = {}
    for track in ("whole", "centre"):
        pictures = noisy(np.repeat(random_hashes(rng, len(lengths)), lengths)[:count], 2, seed)
        motions = noisy(np.repeat(random_hashes(rng, count // 2 + 1), 2)[:count], 2, seed + 1)
        tracks[track] = Hashes(pictures, motions)
    return Film(f"film{seed}", tracks)


def noisy(hashes: np.ndarray, bits: int, seed: int = 0) -> np.ndarray:
    """The same hashes with up to `bits` bits flipped in each, as after re-encoding; blanks stay blank."""
    rng = np.random.default_rng(seed)
    changed = hashes
    for _ in range(bits):
        changed = changed ^ (np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64))
    return np.where(hashes == 0, hashes, changed)


def mapped(film: Film, change: Callable[[np.ndarray], np.ndarray], name: str = "copy") -> Film:
    """The film with every array of hashes changed."""
    tracks = {track: Hashes(change(hashes.pictures), change(hashes.motions)) for track, hashes in film.tracks.items()}
    return replace(film, film_id=name, tracks=tracks)


def spliced(first: Film, second: Film, name: str = "copy") -> Film:
    tracks = {
        track: Hashes(
            np.concatenate([first.tracks[track].pictures, second.tracks[track].pictures]),
            np.concatenate([first.tracks[track].motions, second.tracks[track].motions]),
        )
        for track in first.tracks
    }
    return Film(name, tracks)


def part(film: Film, start_s: float, stop_s: float, name: str = "part") -> Film:
    return mapped(film, lambda hashes: hashes[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)], name)
