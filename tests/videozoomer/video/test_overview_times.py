from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.video.overview import overview_times


def test_short_videos_get_a_frame_every_two_seconds() -> None:
    assert overview_times(9.0) == [0, 2, 4, 6, 8]
    assert overview_times(10.0) == [0, 2, 4, 6, 8]
    assert overview_times(0.04) == [0]
    assert len(overview_times(128.0)) == 64


def test_long_videos_get_frames_evenly_from_first_to_last() -> None:
    times = overview_times(3600.0, last_frame_s=3599.96)
    assert len(times) == 64 and times[0] == 0 and times[-1] == 3599.96


@given(st.floats(0.01, 1e5), st.floats(0.01, 60), st.integers(1, 128))
def test_times_are_within_the_video_increasing_and_at_most_as_many_as_allowed(
    duration_s: float, fps: float, most: int
) -> None:
    times = overview_times(duration_s, fps=fps, max_frames=most)
    assert 1 <= len(times) <= most
    assert times[0] == 0 and times[-1] <= duration_s + 1e-6
    assert all(a < b for a, b in pairwise(times))


@pytest.mark.parametrize(
    "arguments", [{"duration_s": 0}, {"duration_s": 5, "fps": 0}, {"duration_s": 5, "max_frames": 0}]
)
def test_a_duration_rate_or_count_of_zero_is_an_error(arguments: dict) -> None:
    with pytest.raises(ValueError, match="above 0"):
        overview_times(**arguments)
