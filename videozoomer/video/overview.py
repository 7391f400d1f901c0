"""Times of the overview (the glance): the same for teacher, student, training and evaluation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from videozoomer.protocol.protocol import Protocol
from videozoomer.video.types import Shot

PAPER = Protocol()


def overview_times(
    duration_s: float,
    *,
    fps: float = PAPER.overview_fps,
    max_frames: int = PAPER.overview_frames,
    last_frame_s: float | None = None,
) -> list[float]:
    """Times in seconds: every 1/fps from 0 if that gives at most `max_frames`, else `max_frames` spread evenly.

    `last_frame_s` is the time of the last frame, if known: evenly spread times then run from the first frame to that
    one. Otherwise they run to the end of the video, where the same frame is on the screen.

    Raises:
        ValueError: the duration, rate or number of frames is not above 0.
    """
    if not duration_s > 0 or not fps > 0 or max_frames < 1:
        raise ValueError(
            f"no overview of {duration_s} s of video at {fps} fps in {max_frames} frames; all three must be above 0"
        )
    last_s = duration_s if last_frame_s is None else last_frame_s
    # A time at the very end would show the last frame twice, so the grid stops before it.
    wanted = max(1, -int(-(duration_s * fps - 1e-6) // 1))
    if wanted <= max_frames:
        return [index / fps for index in range(wanted)]
    if max_frames == 1:
        return [0.0]
    return [last_s * index / (max_frames - 1) for index in range(max_frames)]


def shot_aware_times(shots: Sequence[Shot], grid_s: Sequence[float], *, frames: int, max_frames: int) -> list[float]:
    """Times on a grid that show every shot at least once, if there are at most `max_frames` shots.

    The overview gets as many times as the uniform one (`frames`), or one per shot where that is more. Times that remain
    after each shot has one go to the shots that are longest for the frames they have. With more shots than
    `max_frames`, the longest shots are shown. A shot's only frame comes from its middle.

    `grid_s` increases; a shot that no grid point falls into cannot be shown.

    Raises:
        ValueError: there are no shots, no grid points, or `max_frames` is below 1.
    """
    if not shots or not grid_s or max_frames < 1:
        raise ValueError("a shot-aware overview needs at least one shot, one time to choose from and one frame")
    inside = [grid_s[bisect_left(grid_s, shot.start_s) : bisect_left(grid_s, shot.end_s)] for shot in shots]
    visible = [index for index, points in enumerate(inside) if points]
    longest = sorted(visible, key=lambda index: shots[index].start_s - shots[index].end_s)[:max_frames]
    shares = dict.fromkeys(longest, 1)
    for _ in range(min(max_frames, frames) - len(shares)):
        growing = [index for index in shares if shares[index] < len(inside[index])]
        if not growing:
            break
        shares[max(growing, key=lambda index: (shots[index].end_s - shots[index].start_s) / (shares[index] + 1))] += 1
    return sorted(time_s for index, share in shares.items() for time_s in _spread(inside[index], share))


def _spread(points: Sequence[float], share: int) -> list[float]:
    """`share` of the points: the middles of that many equal parts."""
    return [points[(2 * part + 1) * len(points) // (2 * share)] for part in range(share)]
