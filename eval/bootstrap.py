"""An interval around a mean over questions that share videos.

Questions of one video are not independent: a dark or crowded video makes all of its questions harder. So whole videos
are resampled, not questions. The plain percentile interval is too narrow for few videos; the *expanded* percentile
interval widens its tail as Student's t would (Hesterberg, "What Teachers Should Know About the Bootstrap", 2015,
section 5.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

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
    values: Mapping[str, float | None], videos: Mapping[str, str], *, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Mean of `values` (question -> value, None where unknown) with a 95% interval, resampled by video.

    `videos` maps each question to its video.
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
    low = high = None
    totals, sizes = np.array(list(sums.values())), np.array(list(counts.values()))
    if len(sums) > 1 and np.ptp(totals / sizes) > 1e-12:
        low, high = _interval(totals, sizes, resamples, seed)
    return Estimate(mean, low, high, len(known), unknown, len(sums))


def _interval(sums: np.ndarray, counts: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Both arrays: one entry a video. Each resample is a vector of how often each video was drawn."""
    number = len(sums)
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=resamples)
    means = (drawn @ sums) / (drawn @ counts)
    tail = expanded_tail(number)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def expanded_tail(number: int, level: float = 0.95) -> float:
    """Share of resamples beyond each end, for `number` videos: below 0.025, and nearing it as they grow."""
    from scipy.stats import t

    quantile = float(t.ppf((1 + level) / 2, number - 1))
    return NormalDist().cdf(-math.sqrt(number / (number - 1)) * quantile)
