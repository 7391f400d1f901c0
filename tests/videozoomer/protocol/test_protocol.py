"""The protocol's numbers, and the arithmetic of zoom times."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.protocol import Protocol, frame_tag, frames_asked, zoom_times
from videozoomer.settings.model import ProtocolSettings


def test_the_numbers_of_the_paper():
    protocol = Protocol()
    assert (protocol.overview_fps, protocol.overview_frames) == (0.5, 64)
    assert (protocol.zoom_frames, protocol.max_zooms, protocol.max_frames) == (16, 4, 128)
    assert (protocol.min_pixels, protocol.max_pixels) == (25_088, 100_352)


def test_a_recipe_names_every_number_but_the_tolerance_and_takes_its_defaults():
    numbers = set(Protocol().to_dict())
    assert set(ProtocolSettings.model_fields) - {"prompts"} == numbers - {"end_tolerance_s"}
    assert ProtocolSettings().to_protocol() == Protocol()
    chosen = {"overview_fps": 1, "overview_frames": 80, "zoom_frames": 8, "max_zooms": 2}
    assert ProtocolSettings(**chosen, min_pixels=784, max_pixels=8000).to_protocol() == Protocol(1, 80, 8, 2, 784, 8000)


def test_numbers_survive_json():
    protocol = Protocol(overview_fps=1.5, overview_frames=80, max_zooms=0)
    assert Protocol.from_dict(json.loads(json.dumps(protocol.to_dict()))) == protocol
    assert Protocol.from_dict({"zoom_frames": 8}) == Protocol(zoom_frames=8)


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ({"glance_frames": 3}, "glance_frames"),
        ({"zoom_frames": "16"}, "zoom_frames"),
        ({"max_zooms": True}, "max_zooms"),
    ],
)
def test_numbers_that_no_version_wrote_are_refused(numbers, named):
    with pytest.raises(ValueError, match=named):
        Protocol.from_dict(numbers)


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
        (1.1, 1.4, 10, 3),
        (1.7, 2.3, 10, 6),
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
