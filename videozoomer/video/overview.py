"""When the overview (the glance) looks: the same times for a teacher, a student, training and evaluation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from videozoomer.video.types import Shot


def overview_times(
    duration_s: float, *, fps: float = 0.5, max_frames: int = 64, last_frame_s: float | None = None
) -> list[float]:
    """Times in seconds: every 1/fps from 0 while those fit into `max_frames`, else `max_frames` spread evenly.

    `last_frame_s` is the time of the last frame, where known: spread times run from the first frame to that one. Where
    it is not known they run to the end, whose frame is the same one.

    Raises:
        ValueError: a duration, rate or number of frames that leaves nothing to look at.
    """
    if not duration_s > 0 or not fps > 0 or max_frames < 1:
        raise ValueError(
            f"cannot look at {duration_s} s of video at {fps} fps in {max_frames} frames: all must be above 0"
        )
    last_s = duration_s if last_frame_s is None else last_frame_s
    # A time at the very end would show the last frame once more, so the grid stops short of it.
    wanted = max(1, -int(-(duration_s * fps - 1e-6) // 1))
    if wanted <= max_frames:
        return [index / fps for index in range(wanted)]
    if max_frames == 1:
        return [0.0]
    return [last_s * index / (max_frames - 1) for index in range(max_frames)]


def shot_aware_times(shots: Sequence[Shot], grid_s: Sequence[float], *, frames: int, max_frames: int) -> list[float]:
    """Times on a grid such that every shot is seen at least once, while there are no more shots than `max_frames`.

    As many times are chosen as the uniform overview has (`frames`), or one for each shot where that is more. What is
    left after each shot has one goes to the shots that last longest for the frames they have. With more shots than
    `max_frames`, the longest shots are seen.

    `grid_s` increases; a shot without a point of the grid cannot be seen.

    Raises:
        ValueError: no shots, or no grid.
    """
    if not shots or not grid_s or max_frames < 1:
        raise ValueError("a shot-aware overview needs shots, times to choose from, and at least one frame")
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
    """`share` of the points: the middles of so many equal parts."""
    return [points[(2 * part + 1) * len(points) // (2 * share)] for part in range(share)]
