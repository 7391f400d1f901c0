"""No rule drops a good trajectory of the voices in benchmarks/good_voices.py; the benchmark counts what one drops."""

from dataclasses import replace

import pytest

from benchmarks.false_alarms import dropped, wilson
from benchmarks.good_voices import FIRST, SECOND, good_trajectories

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("voices", [FIRST, SECOND], ids=["first", "second"])
def test_good_trajectories_pass_every_rule(voices):
    good = list(good_trajectories(voices))
    assert len(good) >= 300 and dropped(good) == {}


def test_a_fault_put_into_one_of_them_is_found():
    good = list(good_trajectories())[:20]
    good[3] = replace(good[3], conclusion="I'm sorry, but I cannot view videos. I will just guess the answer here.")
    good[5] = replace(good[5], conclusion="I was asked to look again, and the prompt says to zoom. So it is right.")
    assert dropped(good) == {"refusal": [3], "guess_admitted": [3], "tells": [5]}


def test_wilsons_interval():
    low, high = wilson(24, 388)
    assert (round(low, 3), round(high, 3)) == (0.042, 0.09)
    assert wilson(0, 360)[0] == 0.0
