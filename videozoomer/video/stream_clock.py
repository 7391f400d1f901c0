"""Converts between seconds from the first frame and the stream's own ticks, without losing a frame to rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

TOLERANCE_S = 1e-6
"""A time this little before a frame's own still shows that frame, so that a time stored as a float finds it again."""


@dataclass(frozen=True, slots=True)
class StreamClock:
    first_pts: int
    """Presentation time of the first frame shown, in ticks."""
    time_base: Fraction
    """Seconds per tick."""

    def ticks(self, time_s: float) -> int:
        """The last tick that is not past a time; a time before the first frame maps to the first frame."""
        return self.first_pts + max(0, math.floor((time_s + TOLERANCE_S) / self.time_base))

    def seconds(self, pts: int) -> float:
        return (pts - self.first_pts) * self.time_base.numerator / self.time_base.denominator
