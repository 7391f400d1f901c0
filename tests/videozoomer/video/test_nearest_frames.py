"""Around a bad span the overview shows the nearest certain frame, and the zoom store shows none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from damaged_films import FPS, LIMITS, drop_packets, ingest, make_film

from videozoomer.protocol.protocol import Protocol
from videozoomer.video.sampling import FrameSampler
from videozoomer.video.store import open_store
from videozoomer.video.stream_clock import StreamClock

TIMES_S = [0.0, 0.9, 1.0, 2.0, 3.0, 4.0, 4.4, 4.6, 5.0, 6.0, 7.9]
FRAMES = [(0, 1, 1), (1, 5, 2), (5, 6, 6), (6, None, 7)]
"""Presentation time, that of the next frame, and where it stops to be certain: bad spans are 2 to 5 and 7 to the end.

One tick is a second.
"""


def sampled(times_s: list[float], *, exact: bool) -> list[tuple[float, int]]:
    taken: list[tuple[float, int]] = []
    sampler = FrameSampler(
        StreamClock(0, Fraction(1, 10)), times_s, lambda time_s, pts, _: taken.append((time_s, pts // 10)), exact=exact
    )
    for pts, until, certain in FRAMES:
        sampler.offer(10 * pts, None, None if until is None else 10 * until, 10 * certain)
    return taken


def test_a_time_in_a_bad_span_gets_the_nearest_frame() -> None:
    near = [0, 0, 1, 1, 1, 5, 5, 5, 5, 6, 6]
    assert sampled(TIMES_S, exact=False) == list(zip(TIMES_S, near, strict=True))


def test_an_exact_sampler_takes_no_frame_for_a_time_in_a_bad_span() -> None:
    assert sampled(TIMES_S, exact=True) == [(0.0, 0), (0.9, 0), (1.0, 1), (5.0, 5), (6.0, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("shots", [True, False])
def test_the_overview_of_a_damaged_film_shows_the_nearest_frames(shots: bool, tmp_path: Path) -> None:
    film = make_film(tmp_path, "h264.ts")
    film.path.write_bytes(drop_packets(0.5, 5)(film.path.read_bytes()))
    protocol = Protocol(overview_fps=float(FPS), overview_frames=200)
    result = ingest(film.path, protocol=protocol, shots=shots)
    (span,) = result.bad_spans
    # Every frame is shown once, at the first time that it is nearest to; half of the bad span goes to the one after it.
    requested_s = {round(frame.time_s, 6): frame.requested_s for frame in result.overview}
    assert span.end_s - span.start_s > 5 / FPS
    middle_s = (span.start_s - 1 / FPS + span.end_s) / 2
    assert middle_s - 1e-6 <= requested_s.pop(round(span.end_s, 6)) <= middle_s + 1 / FPS
    assert all(time_s == pytest.approx(asked_s) for time_s, asked_s in requested_s.items())


@pytest.mark.slow
@pytest.mark.parametrize("fps", [3, FPS])
def test_the_zoom_store_has_nothing_for_a_bad_span(fps: int, tmp_path: Path) -> None:
    film = make_film(tmp_path, "h264.ts")
    film.path.write_bytes(drop_packets(0.5, 5)(film.path.read_bytes()))
    result = ingest(film.path, zoom_store_fps=float(fps), zoom_store_dir=str(tmp_path))
    (span,) = result.bad_spans
    duration_s = result.record.duration_s or 0.0
    store = open_store(tmp_path, str(film.path), *LIMITS)
    assert store is not None
    on_grid = 0
    for time_s in (number / fps for number in range(int(fps * duration_s))):
        (frame,) = store.frames_at([time_s])
        if span.start_s - 1e-6 <= time_s < span.end_s - 1e-6:
            assert frame is None, time_s
        else:
            on_grid += 1
            assert frame is not None and -1e-6 <= time_s - frame.time_s < 1 / FPS, time_s
    every = [number / FPS + 1e-3 for number in range(int(duration_s * FPS))]
    # The frames beside the bad span are nearest to times within it, and are not on the grid.
    assert len({frame.time_s for frame in store.frames_at(every) if frame}) == on_grid
    store.close()
