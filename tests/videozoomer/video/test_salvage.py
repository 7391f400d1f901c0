"""A damaged film: every frame that is served is that of the undamaged film; all else is in a recorded bad span."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import pytest
from damaged_films import (
    FILMS,
    FPS,
    LIMITS,
    Damage,
    Film,
    check_damaged,
    cut,
    drop_packets,
    ingest,
    join,
    make_film,
    noise,
    truncate,
    zeros,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from videozoomer.protocol.unreadable import unreadable_at
from videozoomer.video.boxes import broken_box
from videozoomer.video.inspection import inspect_one
from videozoomer.video.random_access import nal_units, recovery_frames
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

SHARES = st.floats(0, 1)
LENGTHS = st.integers(700, 8000)
"""Bytes. No decoder notices a few flipped bits everywhere."""
CUTS = [st.builds(cut, SHARES, LENGTHS), st.builds(truncate, st.floats(0.3, 1))]
OVERWRITTEN = [st.builds(noise, SHARES, LENGTHS, st.integers(0, 99)), st.builds(zeros, SHARES, LENGTHS)]
LOST = [st.builds(drop_packets, SHARES, st.integers(1, 20)), st.builds(join, SHARES)]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    folder = tmp_path_factory.mktemp("films")
    return {name: make_film(folder, name) for name in FILMS}


def damaged(film: Film, folder: Path, *damages: Damage) -> Path:
    data = film.path.read_bytes()
    for damage in damages:
        data = damage(data)
    path = folder / film.path.name
    path.write_bytes(data)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_frame_that_is_served_is_the_right_one(name: str, films: dict[str, Film], data: st.DataObject) -> None:
    ways = CUTS + (LOST if name.endswith(".ts") else []) + (OVERWRITTEN if not name.startswith("vp9") else [])
    # The times of an AVI whose beginning and index are both damaged cannot be checked.
    most = 1 if name.endswith(".avi") else 3
    damages = data.draw(st.lists(st.one_of(ways), min_size=1, max_size=most))
    with tempfile.TemporaryDirectory() as folder:
        path = damaged(films[name], Path(folder), *damages)
        check_damaged(films[name], path, Path(folder) / "store")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage", "unreadable_s"),
    [
        ("h264.ts", drop_packets(0.5, 5), (0.01, 1.2)),
        ("open.ts", drop_packets(0.5, 5), (0.01, 2.0)),
        ("hevc.ts", drop_packets(0.5, 17), (0.01, 1.2)),
        ("mpeg2.ts", drop_packets(0.5, 5), (0.01, 1.2)),
        ("h264.ts", join(0.5), (1.5, 3.0)),
        ("h264.mkv", truncate(0.7), (1.0, 2.5)),
        ("frag.mp4", truncate(0.7), (0.01, 1.2)),
        ("h264.mkv", noise(0.5, 1500, 0), (0.5, 3.0)),
        ("h264.mp4", zeros(0.5, 1500), (0.01, 2.0)),
        ("h264.flv", cut(0.5, 1500), (0.01, 2.5)),
        ("mpeg4.avi", noise(0.5, 1500, 0), (1.0, 4.5)),
        ("vp9.mkv", truncate(0.7), (1.0, 4.0)),
    ],
)
def test_a_damaged_film_is_usable_around_the_damage(
    name: str, damage: Damage, unreadable_s: tuple[float, float], films: dict[str, Film], tmp_path: Path
) -> None:
    path = damaged(films[name], tmp_path, damage)
    result = check_damaged(films[name], path, tmp_path / "store")
    record = result.record
    assert record.status == "ok" and record.unreadable_s is not None
    assert unreadable_s[0] < record.unreadable_s < unreadable_s[1], result.bad_spans
    assert record.detail and record.detail.startswith("salvaged: ")
    assert ingest(path, salvage=False).record.status == "quarantined"
    info = inspect_one(str(path))
    # A probe decodes five frames of a file whose packets seem whole, so it may not meet the damage.
    assert (info.bad_spans, info.unreadable_s) in ((result.bad_spans, record.unreadable_s), ((), None))
    assert info.bad_spans or not name.endswith(".ts")
    without_shots = ingest(path, shots=False, unreadable_share=1.0)
    # Without shots only the overview is decoded, unless damage is met.
    assert without_shots.bad_spans in (result.bad_spans, ())
    if without_shots.bad_spans or without_shots.record.status != "ok":
        assert without_shots.overview == result.overview
    assert without_shots.shots == () and without_shots.signature == ()


@pytest.mark.slow
def test_a_recording_that_begins_in_an_open_group_of_pictures_loses_that_group(
    films: dict[str, Film], tmp_path: Path
) -> None:
    film = films["open.ts"]
    with av.open(str(film.path)) as container:
        second = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe][1]
    path = tmp_path / "late.ts"
    # The first packets hold the tables of programs.
    data = film.path.read_bytes()
    path.write_bytes(data[: 3 * 188] + data[second:])
    result = check_damaged(film, path, tmp_path / "store")
    (span,) = result.bad_spans
    assert span.end_s == pytest.approx(20 / FPS)


@pytest.mark.slow
def test_a_decoder_that_met_damage_is_not_used_again(films: dict[str, Film], tmp_path: Path) -> None:
    """One wrong byte in a picture leaves the decoder of H.264 with wrong coefficients, even after it is flushed."""
    result = check_damaged(
        films["frag.mp4"], damaged(films["frag.mp4"], tmp_path, zeros(0.2527, 1)), tmp_path / "store"
    )
    assert len(result.bad_spans) == 1


@pytest.mark.slow
def test_too_much_damage_is_a_quarantine_that_names_the_share(films: dict[str, Film], tmp_path: Path) -> None:
    path = damaged(films["h264.mkv"], tmp_path, truncate(0.4))
    record = ingest(path).record
    assert record.reason == "truncated"
    assert record.detail and "cannot be read, and video.unreadable_share allows 50%" in record.detail
    assert ingest(path, unreadable_share=0.9).record.status == "ok"


@pytest.mark.slow
def test_a_recording_joined_behind_a_shorter_one_is_quarantined(films: dict[str, Film], tmp_path: Path) -> None:
    path = tmp_path / "joined.ts"
    data = films["h264.ts"].path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 10 // 188 * 188] + data)
    record = ingest(path).record
    assert record.status == "quarantined" and record.detail and "its times run back" in record.detail


@pytest.mark.slow
def test_damage_makes_no_cut_between_shots(films: dict[str, Film], tmp_path: Path) -> None:
    """The background drifts, so pictures on both sides of a bad span differ; the film itself has no cut there."""
    path = damaged(films["h264.ts"], tmp_path, drop_packets(0.5, 5))
    result = ingest(path, detectors=("content", "adaptive", "histogram"))
    (span,) = result.bad_spans
    assert all(abs(shot.start_s - span.end_s) > 1e-6 and not span.start_s <= shot.start_s < span.end_s
               for shot in result.shots)  # fmt: skip
    assert result.shots[0].start_s == 0.0 and result.shots[-1].end_s == result.record.duration_s


@pytest.mark.slow
def test_overview_frames_in_a_bad_span_are_the_nearest_certain_ones(films: dict[str, Film], tmp_path: Path) -> None:
    from videozoomer.protocol.protocol import Protocol

    path = damaged(films["h264.ts"], tmp_path, drop_packets(0.5, 5))
    result = ingest(path, protocol=Protocol(overview_fps=float(FPS), overview_frames=200))
    (span,) = result.bad_spans
    edges = {frame.time_s for frame in result.overview if unreadable_at(result.bad_spans, frame.requested_s)}
    assert edges <= {round(span.start_s - 1 / FPS, 6), span.end_s}
    times_s = [frame.time_s for frame in result.overview]
    assert times_s == sorted(set(times_s)) and len(times_s) == result.record.frames


def test_a_zoom_into_a_bad_span_says_where_it_is(films: dict[str, Film], tmp_path: Path) -> None:
    path = damaged(films["h264.ts"], tmp_path, drop_packets(0.5, 5))
    result = ingest(path)
    (span,) = result.bad_spans
    with (
        ReaderPool(*LIMITS, bad_spans={str(path): result.bad_spans}) as pool,
        pytest.raises(FrameError, match=rf"damaged from {span.start_s:.2f} to {span.end_s:.2f} s"),
    ):
        pool.frames_at(str(path), [0.0, span.start_s])


def test_recovery_points_are_read_from_their_bits() -> None:
    def sei(bits: str) -> bytes:
        payload = int(bits.ljust(16, "0"), 2).to_bytes(2, "big")
        return bytes([6, 5, 1, 0xAA, 6, 2, *payload, 0x80])

    assert recovery_frames(sei("1")) == 0
    assert recovery_frames(sei("00111")) == 6
    assert recovery_frames(bytes([6, 5, 1, 0xAA, 0x80])) is None
    units = [b"\x06abc", b"\x65def"]
    assert list(nal_units(b"".join(b"\0\0\1" + unit for unit in units), 0)) == units
    assert list(nal_units(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units), 4)) == units
    assert list(nal_units(b"\0\0\0\x20short", 4)) == []


def test_a_fragment_that_cannot_be_followed_is_no_end_of_the_film(films: dict[str, Film], tmp_path: Path) -> None:
    """FFmpeg takes what is left of a cut fragment for a box of an unknown kind, and skips the rest of the film."""
    path = damaged(films["hevc-frag.mp4"], tmp_path, cut(0.328125, 717))
    result = check_damaged(films["hevc-frag.mp4"], path, tmp_path / "store")
    assert result.record.detail is not None and result.record.duration_s != 0.68
    assert broken_box(str(path)) is not None and broken_box(str(films["hevc-frag.mp4"].path)) is None
