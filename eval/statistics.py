"""Confidence intervals for means over questions that share videos.

Questions about one video are not independent: a dark or crowded video makes all of its questions harder. The bootstrap
therefore resamples whole videos. With few videos it underestimates the spread (with two, a percentile interval covers
the true value about half of the time), so the resamples give only the standard error. The interval's width comes from
Student's t over the number of videos (Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, "bootstrap t
with bootstrap standard error").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float | None
    """Mean over the known questions; None if none is known."""
    low: float | None
    """Lower end of the 95% interval. None for a single video and for videos that do not differ: resampling then shows
    no spread, and an interval of width zero would mislead."""
    high: float | None
    """Upper end of the 95% interval, or None as for `low`."""
    questions: int
    """Number of known questions."""
    unknown: int
    """Questions left out because they could not be played or judged."""
    videos: int
    """Number of videos behind the known questions."""


def estimate(
    values: Mapping[str, float | None],
    videos: Mapping[str, str],
    *,
    resamples: int = 2000,
    seed: int = 0,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Mean of `values` (question -> value, None if unknown) with a 95% interval, resampled by video.

    `videos` maps each question to its video. The interval is clipped to `within`, the range of possible values.
    """
    known = {question: value for question, value in values.items() if value is not None}
    unknown = len(values) - len(known)
    if not known:
        return Estimate(None, None, None, 0, unknown, 0)
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for question, value in sorted(known.items()):
        video = videos[question]
        sums[video] = sums.get(video, 0.0) + value
        counts[video] = counts.get(video, 0) + 1
    mean = sum(sums.values()) / len(known)
    totals, sizes = np.array(list(sums.values())), np.array(list(counts.values()))
    low = high = None
    if len(sums) > 1 and np.ptp(totals / sizes) > 1e-12:
        width = half_width(totals, sizes, resamples, seed)
        low, high = max(within[0], mean - width), min(within[1], mean + width)
    return Estimate(mean, low, high, len(known), unknown, len(sums))


def half_width(sums: np.ndarray, counts: np.ndarray, resamples: int, seed: int) -> float:
    """Half the width of a 95% interval around sum(sums) / sum(counts).

    Both arrays are (videos,), with at least two videos. The bootstrap divides by n where the sample variance divides by
    n - 1, so its standard error is scaled by sqrt(n / (n - 1)).
    """
    from scipy.stats import t

    videos = len(sums)
    # Each resample is a vector of how often each video was drawn.
    drawn = np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), size=resamples)
    error = ((drawn @ sums) / (drawn @ counts)).std() * math.sqrt(videos / (videos - 1))
    return float(error * t.ppf(0.975, videos - 1))
