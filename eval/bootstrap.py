"""An interval around a mean over questions that share videos.

Questions of one video are not independent: a dark or crowded video makes all of its questions harder. So whole videos
are resampled, not questions. Resamples of few videos spread too little (of two videos, the extremes are the two
themselves, and the percentile interval would hold the truth about half of the time). So the resamples give the
standard error, and Student's t over the number of videos the width: wide where there are few, as it must be
(Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, "bootstrap t with bootstrap standard error").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float | None
    """Mean over the questions known; None where none is."""
    low: float | None
    """Lower end of the 95% interval; None where there is one video, or where videos do not differ:
    resampling then says nothing, and a width of zero would be a false promise."""
    high: float | None
    questions: int
    """Questions that the value rests on."""
    unknown: int
    """Questions left out of the value, because they could not be played or judged."""
    videos: int
    """Videos that those questions are about."""


def estimate(
    values: Mapping[str, float | None],
    videos: Mapping[str, str],
    *,
    resamples: int = 2000,
    seed: int = 0,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Mean of `values` (question -> value, None where unknown) with a 95% interval, resampled by video.

    `videos` maps each question to its video; `within` is the range that the figure can have, at which the interval
    is cut.
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
    """Half of a 95% interval of sum(sums) / sum(counts); both arrays have one entry a video, of which at least two."""
    from scipy.stats import t

    videos = len(sums)
    # Each resample is a vector of how often each video was drawn.
    drawn = np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), size=resamples)
    error = ((drawn @ sums) / (drawn @ counts)).std() * math.sqrt(videos / (videos - 1))
    return float(error * t.ppf(0.975, videos - 1))
