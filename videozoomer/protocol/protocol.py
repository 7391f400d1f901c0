"""The numbers of the protocol, and the arithmetic of times that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "1"
"""Raised when the same reply would lead to another message; part of every ledger key and trajectory id."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Defaults are those of the paper; changing one changes what a trajectory teaches."""

    overview_fps: float = 0.5
    """Frames per second of the overview, while they fit into `overview_frames`."""
    overview_frames: int = 64
    """K: most frames of the overview."""
    zoom_frames: int = 16
    """B: most frames of one zoom."""
    max_zooms: int = 4
    """Most zooms of an episode; it may generate once more to answer."""
    min_pixels: int = 25_088
    """Least pixels of a frame (32 visual tokens of 28x28)."""
    max_pixels: int = 100_352
    """Most pixels of a frame (128 visual tokens of 28x28)."""
    end_tolerance_s: float = 0.5
    """How far past the end of the video a segment may reach before it is a fault; it is cut at the end."""

    @property
    def max_rounds(self) -> int:
        """Most generations of an episode."""
        return self.max_zooms + 1

    @property
    def max_frames(self) -> int:
        """Most frames that an episode can show."""
        return self.overview_frames + self.max_zooms * self.zoom_frames


def frames_asked(start_s: float, end_s: float, fps: float) -> int:
    """Frames that a zoom asks for: `int(fps * (end - start))`, and at least the one at its start."""
    return max(1, int(min(fps * (end_s - start_s), 1e9) + 1e-6))


def zoom_times(start_s: float, end_s: float, fps: float) -> list[float]:
    """Times of a zoom's frames in seconds: start + i / fps, so that their spacing is what was asked for."""
    return [start_s + index / fps for index in range(frames_asked(start_s, end_s, fps))]


def frame_tag(index: int, time_s: float) -> str:
    """The text before a frame; `index` counts from 0 within its message, `time_s` is the frame's own time."""
    return f"<frame{index}_time{time_s:.2f}s>"
