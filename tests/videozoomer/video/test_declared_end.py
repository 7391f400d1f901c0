"""A file is truncated only if it ends clearly before its declared end: by more than a second and by more than 2%."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from videozoomer.video.preflight import Quarantine, Timeline, check_timeline


def check(declared_s: float, found_s: float, *, of: str) -> None:
    """Check a file at one frame per second whose container or video stream declares another length."""
    timeline = Timeline(
        time_base=Fraction(1, 1000),
        pts=np.arange(0, int(found_s * 1000), 1000, dtype=np.int64),
        keyframes=np.zeros(1, np.int64),
        last_duration=int(found_s * 1000) - (int(found_s * 1000) - 1) // 1000 * 1000,
        hidden=0,
        container_end_s=found_s,
        broken=None,
        packets=int(found_s),
        packets_promised=0,
    )
    container = SimpleNamespace(
        duration=int(declared_s * av.time_base) if of == "container" else None,
        start_time=0,
        format=SimpleNamespace(name="mov,mp4"),
    )
    stream = SimpleNamespace(duration=int(declared_s * 1000) if of == "stream" else None, start_time=0)
    check_timeline(timeline, container, stream)


@pytest.mark.parametrize("of", ["container", "stream"])
@pytest.mark.parametrize(("declared_s", "found_s"), [(10, 9.1), (100, 98.1), (1000, 981), (100, 130)])
def test_a_small_difference_is_tolerated(declared_s, found_s, of):
    check(declared_s, found_s, of=of)


@pytest.mark.parametrize("of", ["container", "stream"])
@pytest.mark.parametrize(("declared_s", "found_s"), [(10, 8.9), (100, 97.9), (1000, 979)])
def test_a_file_that_ends_too_early_is_truncated(declared_s, found_s, of):
    with pytest.raises(Quarantine, match=f"should end at {declared_s:.1f} s but ends at {found_s:.1f} s") as caught:
        check(declared_s, found_s, of=of)
    assert caught.value.reason == "truncated"
