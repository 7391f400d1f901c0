from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol import Protocol
from videozoomer.video.ingest import IngestSettings, ingest_many
from videozoomer.video.overview import shot_aware_times
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import Shot


def _shots(lengths: list[float]) -> list[Shot]:
    starts = [sum(lengths[:index]) for index in range(len(lengths) + 1)]
    return [Shot(index, starts[index], starts[index + 1]) for index in range(len(lengths))]


@given(st.lists(st.integers(2, 120), min_size=1, max_size=40), st.integers(1, 64), st.integers(1, 64))
def test_every_shot_is_shown_while_there_are_frames(halves: list[int], frames: int, most: int) -> None:
    shots = _shots([half / 2 for half in halves])
    grid = [index / 2 for index in range(sum(halves))]
    times = shot_aware_times(shots, grid, frames=frames, max_frames=most)
    assert len(times) == len(set(times)) <= most and times == sorted(times)
    assert set(times) <= set(grid)
    seen = {shot.index for shot in shots if any(shot.start_s <= time_s < shot.end_s for time_s in times)}
    assert len(seen) == min(len(shots), most)
    assert len(times) == min(most, max(frames, len(shots)), len(grid))


def test_a_short_shot_that_a_uniform_overview_would_miss_is_shown() -> None:
    shots = _shots([10.5, 0.5, 19])
    times = shot_aware_times(shots, [index / 2 for index in range(60)], frames=4, max_frames=64)
    assert 10.5 in times and len(times) == 4


def test_a_shot_is_shown_at_its_middle() -> None:
    shots, grid = _shots([10, 0.5, 20]), [index / 2 for index in range(61)]
    assert shot_aware_times(shots, grid, frames=3, max_frames=64) == [5, 10, 20.5]
    # Two frames of a shot are the middles of its halves.
    assert shot_aware_times(shots, grid, frames=4, max_frames=64) == [5, 10, 15.5, 25.5]


def test_ingest_gives_the_frames_that_a_direct_read_gives(coded_video: Path) -> None:
    (result,) = ingest_many(
        [str(coded_video)], IngestSettings(overview="shot_aware", protocol=Protocol(overview_frames=7)), workers=1
    )
    assert result.overview_policy == "shot_aware" and 6 <= len(result.overview) <= 7
    with ReaderPool(25_088, 100_352) as pool:
        asked = [frame.requested_s for frame in result.overview]
        assert pool.frames_at(str(coded_video), asked) == list(result.overview)
