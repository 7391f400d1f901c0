"""The arithmetic of times: what is asked for is what is shown."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.protocol import Protocol, frame_tag, frames_asked, zoom_times


def test_the_numbers_of_the_paper():
    protocol = Protocol()
    assert (protocol.overview_fps, protocol.overview_frames, protocol.zoom_frames, protocol.max_rounds) == (
        0.5,
        64,
        16,
        5,
    )
    assert (protocol.min_pixels, protocol.max_pixels, protocol.max_frames) == (25_088, 100_352, 128)


@given(st.floats(0, 10_000), st.floats(0.001, 600), st.floats(0.01, 60))
def test_times_are_one_frame_apart_and_inside_the_segment(start_s, length_s, fps):
    end_s = start_s + length_s
    times = zoom_times(start_s, end_s, fps)
    assert times[0] == start_s
    assert len(times) == frames_asked(start_s, end_s, fps)
    assert all(abs(later - earlier - 1 / fps) < 1e-9 for earlier, later in pairwise(times))
    assert all(start_s <= time_s < end_s or time_s == start_s for time_s in times)
    assert len(times) == 1 or (len(times) - 1) / fps <= end_s - start_s < (len(times) + 1.001) / fps


@pytest.mark.parametrize(
    ("start_s", "end_s", "fps", "frames"),
    [
        (10, 18, 2, 16),
        (0.1, 0.4, 10, 3),
        (0, 1.1, 10, 11),
        (10, 10.001, 1, 1),
        (0, 100, 0.001, 1),
        (0, 1e308, 1e308, 10**9),
        (0, 1, 5e-324, 1),
    ],
)
def test_frames_of_a_call(start_s, end_s, fps, frames):
    assert frames_asked(start_s, end_s, fps) == frames


def test_the_tag_names_number_and_time():
    assert frame_tag(3, 12.3456) == "<frame3_time12.35s>"
