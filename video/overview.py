"""When the overview (the glance) looks: the same times for a teacher, a student, training and evaluation."""

from __future__ import annotations


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
        raise ValueError(f"cannot look at {duration_s} s of video at {fps} fps in {max_frames} frames: all must be above 0")
    last_s = duration_s if last_frame_s is None else last_frame_s
    # A time at the very end would show the last frame once more, so the grid stops short of it.
    wanted = max(1, -int(-(duration_s * fps - 1e-6) // 1))
    if wanted <= max_frames:
        return [index / fps for index in range(wanted)]
    if max_frames == 1:
        return [0.0]
    return [last_s * index / (max_frames - 1) for index in range(max_frames)]
