"""A film as the search for copies sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from videozoomer.video.hashing import RATE_HZ, Hashes

KINDS = ("pictures", "motions")
"""The two hashes of a picture; see videozoomer/video/hashing.py."""
PAIRS: tuple[tuple[str, str, bool], ...] = (
    ("whole", "whole", False),
    ("trimmed", "trimmed", False),
    ("whole", "trimmed", False),
    ("trimmed", "whole", False),
    ("whole", "four_three", False),
    ("four_three", "whole", False),
    ("trimmed", "four_three", False),
    ("four_three", "trimmed", False),
    ("whole", "centre", False),
    ("centre", "whole", False),
    ("trimmed", "centre", False),
    ("centre", "trimmed", False),
    ("whole", "whole", True),
    ("trimmed", "trimmed", True),
    ("whole", "trimmed", True),
    ("trimmed", "whole", True),
)
"""Tracks that are compared, left and right, and whether the right one is mirrored. A crop is found where one film's
crop shows what the other shows whole; two crops show the same only where their wholes do."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    film_id: str
    tracks: Mapping[str, Hashes]

    @property
    def length_s(self) -> float:
        """Seconds that are not blank."""
        return int(np.count_nonzero(self.tracks["whole"].pictures)) / RATE_HZ if self.tracks else 0.0
