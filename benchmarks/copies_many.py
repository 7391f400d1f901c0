"""Made-up signatures of many films, to measure what finding copies among them costs."""

from __future__ import annotations

import resource
import time

import numpy as np

from filters.copies.film import Film
from filters.copies.find import find_copies, status_of
from videozoomer.video.hashing import RATE_HZ, Hashes

SECONDS = 600
COPIED = 50
"""Every so many-th left film has a copy on the right."""
TRACKS = ("whole", "four_three", "centre")


def made_film(name: str, rng: np.random.Generator, seconds: int = SECONDS) -> Film:
    """Shots of 2 to 9 seconds in which pictures differ by a bit or two; what moves is new twice a second."""
    count = seconds * RATE_HZ
    tracks = {}
    for track in TRACKS:
        lengths = rng.integers(2 * RATE_HZ, 10 * RATE_HZ, seconds // 2)
        shots = rng.integers(1, 2**64, len(lengths), dtype=np.uint64)
        moving = np.repeat(rng.integers(1, 2**64, count // 2 + 1, dtype=np.uint64), 2)[:count]
        tracks[track] = Hashes(_noisy(np.repeat(shots, lengths)[:count], rng, 2), _noisy(moving, rng, 2))
    return Film(name, tracks)


def _noisy(hashes: np.ndarray, rng: np.random.Generator, bits: int) -> np.ndarray:
    for _ in range(bits):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, len(hashes), dtype=np.uint64))
    return hashes


def many(films: int) -> dict[str, object]:
    """CPU seconds, elapsed seconds and memory of comparing `films` with as many, and what is found of their copies."""
    rng = np.random.default_rng(0)
    left = [made_film(f"left {number}", rng) for number in range(films)]
    right = []
    for number in range(films):
        if number % COPIED:
            right.append(made_film(f"right {number}", rng))
            continue
        tracks = {
            name: Hashes(_noisy(hashes.pictures[41:], rng, 6), _noisy(hashes.motions[41:], rng, 6))
            for name, hashes in left[number].tracks.items()
        }
        right.append(Film(f"right {number}", tracks))
    before, began = time.process_time(), time.perf_counter()
    found = find_copies(left, right)
    cpu_s, elapsed_s = time.process_time() - before, time.perf_counter() - began
    verdicts = [c for c in found if status_of(c.match.evidence, c.match.share, c.match.length_s) == "verdict"]
    return {
        "films on each side": films,
        "copies": -(-films // COPIED),
        "found": sum(c.left.split()[1] == c.right.split()[1] for c in verdicts),
        "false": sum(c.left.split()[1] != c.right.split()[1] for c in found),
        "cpu_s": round(cpu_s, 1),
        "elapsed_s": round(elapsed_s, 1),
        "largest_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
