"""The numbers of the protocol, declared once, and the arithmetic of times that follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "1"
"""Raised when the same reply would lead to another message; part of every ledger key and trajectory id."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Defaults are those of the paper; changing one changes what a trajectory teaches.

    The only declaration: a recipe's `protocol` section takes its defaults from here and becomes one by
    `to_protocol`, and the manifest of a data set stores `to_dict`.
    """

    overview_fps: float = 0.5
    """Frames per second of the overview, while they fit into `overview_frames`."""
    overview_frames: int = 64
    """K: maximum frames of the overview."""
    zoom_frames: int = 16
    """B: maximum frames of one zoom."""
    max_zooms: int = 4
    """Maximum zooms of an episode; it may generate once more to answer."""
    min_pixels: int = 25_088
    """Minimum pixels of a frame (32 visual tokens of 28x28)."""
    max_pixels: int = 100_352
    """Maximum pixels of a frame (128 visual tokens of 28x28)."""
    end_tolerance_s: float = 0.5
    """How far past the end of the video a segment may reach before it is a fault; it is cut at the end."""

    @property
    def max_frames(self) -> int:
        """Maximum frames that an episode can show."""
        return self.overview_frames + self.max_zooms * self.zoom_frames

    def to_dict(self) -> dict[str, float]:
        """Every number by its name, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, numbers: Mapping[str, Any]) -> Protocol:
        """The inverse of `to_dict`; a number that is missing takes its default.

        Raises:
            ValueError: a name is unknown or a value is not a number.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(numbers) - known):
            raise ValueError(
                f"unknown protocol numbers {unknown}; known are {sorted(known)}. If a newer version wrote them, upgrade"
            )
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"protocol number {name} must be a number, not {value!r}")
        return cls(**numbers)


def frames_asked(start_s: float, end_s: float, fps: float) -> int:
    """Frames that a zoom asks for: `int(fps * (end - start))`, and at least the one at its start.

    The small addend makes up for rounding: [1.1, 1.4] at 10 fps is 2.9999999999999982 in floating point, and means 3. A
    product that overflows is capped at a billion.
    """
    return max(1, int(min(fps * (end_s - start_s), 1e9) + 1e-6))


def zoom_times(start_s: float, end_s: float, fps: float) -> list[float]:
    """Times of a zoom's frames in seconds: start + i / fps, so that their spacing is exactly 1 / fps."""
    return [start_s + index / fps for index in range(frames_asked(start_s, end_s, fps))]


def frame_tag(index: int, time_s: float) -> str:
    """The text before a frame; `index` counts from 0 within its message, `time_s` is the frame's own time."""
    return f"<frame{index}_time{time_s:.2f}s>"
