"""Intervals around means over questions that share videos."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from eval.statistics import estimate, half_width


@given(
    st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.floats(-1, 1))), max_size=30),
    st.integers(0, 3),
)
def test_interval_contains_the_value_and_every_question_counts_once(drawn, seed):
    values = {f"q{n}": value for n, (_, value) in enumerate(drawn)}
    videos = {f"q{n}": f"v{video}" for n, (video, _) in enumerate(drawn)}
    found = estimate(values, videos, resamples=300, seed=seed)
    assert found == estimate(values, videos, resamples=300, seed=seed)
    assert found.questions + found.unknown == len(drawn)
    if found.questions:
        assert found.value == pytest.approx(np.mean([v for v in values.values() if v is not None]))
    if found.low is not None:
        assert found.low <= found.value + 1e-9 and found.high >= found.value - 1e-9


def test_no_interval_from_one_video_or_from_equal_videos():
    assert estimate({"q0": 1.0, "q1": 0.0}, {"q0": "a", "q1": "a"}).low is None
    assert estimate({"q0": 1.0, "q1": 1.0}, {"q0": "a", "q1": "b"}).high is None


def test_interval_is_clipped_to_possible_values():
    values, videos = {"q0": 1.0, "q1": 0.0, "q2": 1.0}, {"q0": "a", "q1": "b", "q2": "a"}
    found = estimate(values, videos, within=(0.0, 1.0))
    assert (found.low, found.high) == (0.0, 1.0)
    assert estimate(values, videos).low < -1.0


@pytest.mark.parametrize("number", [2, 3, 5, 20])
def test_with_equal_videos_the_width_is_that_of_students_t_interval(number):
    """For videos of equal size the bootstrap must reproduce the textbook interval: t * s / sqrt(n), s over n - 1."""
    means = np.random.default_rng(number).normal(0.5, 0.2, number)
    textbook = t.ppf(0.975, number - 1) * means.std(ddof=1) / math.sqrt(number)
    assert half_width(10 * means, np.full(number, 10), resamples=40_000, seed=0) == pytest.approx(textbook, rel=0.02)


@pytest.mark.parametrize("number", [2, 4, 6, 20, 40])
def test_interval_covers_the_true_value_at_its_nominal_rate(number):
    assert 0.88 <= coverage(number, by_video=True) <= 0.99


@pytest.mark.slow
def test_resampling_questions_instead_of_videos_would_be_overconfident():
    assert coverage(20, by_video=False) < 0.8


def coverage(number: int, *, by_video: bool, trials: int = 250, truth: float = 0.6) -> float:
    """Share of simulated evaluations of `number` videos with 10 questions each whose interval covers the true value."""
    rng, covered = np.random.default_rng(11), 0
    for trial in range(trials):
        difficulty = rng.beta(1.5, 1.0, size=number)  # mean 0.6; shared by a video's questions
        right = {f"{v}.{q}": float(rng.random() < difficulty[v]) for v in range(number) for q in range(10)}
        found = estimate(right, {q: q.split(".")[0] if by_video else q for q in right}, resamples=400, seed=trial)
        covered += found.low is not None and found.low <= truth <= found.high
    return covered / trials
