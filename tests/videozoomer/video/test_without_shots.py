"""Ingest with `shots: false` decodes only the overview, whose frames are byte for byte those of a full decode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import av
import pytest
from exact_matrix import KINDS, Kind
from pydantic import ValidationError
from video_samples import even_pts, write_video

from videozoomer.protocol import Protocol
from videozoomer.settings.video import VideoSettings
from videozoomer.video import onepass, packets
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

NAMES = {
    *("h264-gop250", "h264-open-gop", "h264-variable", "h264-edit-list", "h264-ts", "h264-ts-variable-offset"),
    *("hevc-ts-open-gop", "vp9-webm-altref", "mpeg4-avi", "mpeg2-ps", "h264-rotated-90", "h264-anamorphic"),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS if kind.name in NAMES])
@pytest.mark.parametrize("frames", [64, 3])
def test_the_overview_is_that_of_a_full_decode(kind: Kind, frames: int, tmp_path: Path) -> None:
    path, _ = kind.write(tmp_path)
    protocol = Protocol(overview_frames=frames)
    full = ingest_one(str(path), IngestSettings(protocol))
    quick = ingest_one(str(path), IngestSettings(protocol, shots=False))
    assert len(full.overview) >= 3
    check_equal(quick, full)


def check_equal(quick: Ingested, full: Ingested) -> None:
    """Whether a film is the same without shots, but for what only a decode of every picture tells."""
    assert (quick.overview, quick.overview_policy, quick.bad_spans) == (full.overview, "uniform", full.bad_spans)
    assert (quick.shots, quick.detector, quick.signature) == ((), "none", ())
    expected, found = asdict(full.record), asdict(quick.record)
    assert found.pop("duration_s") == pytest.approx(expected.pop("duration_s"))
    assert found.pop("average_fps") == pytest.approx(expected.pop("average_fps"))
    assert found == expected


def test_the_rate_of_the_overview_is_the_protocols(coded_video: Path) -> None:
    protocol = Protocol(overview_fps=2.0)
    full = ingest_one(str(coded_video), IngestSettings(protocol))
    assert len(full.overview) == 24
    check_equal(ingest_one(str(coded_video), IngestSettings(protocol, shots=False)), full)


def with_empty(path: Path, *, first: int = 0, last: int = 0) -> Path:
    """150 pictures of HEVC at 25 fps, and packets around them that hold a delimiter and no picture.

    The decoder takes such packets without an error and shows nothing.
    """
    film = write_video(
        path.with_suffix(".raw.mp4"),
        pts=even_pts(150, 25),
        codec="libx265",
        options={"preset": "ultrafast", "x265-params": "keyint=20:min-keyint=20:bframes=0:log-level=none"},
    )
    with av.open(str(film)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        step = packets[0].duration
        empty = [av.Packet(b"\0\0\0\3\x46\1\x10") for _ in range(first + last)]
        for number, packet in enumerate([*empty[:first], *packets, *empty[first:]]):
            packet.pts = packet.dts = number * step
            packet.time_base, packet.duration, packet.stream = packets[0].time_base, step, stream
            packet.is_keyframe |= number == 0
            target.mux(packet)
    return path


def test_packets_that_show_nothing_at_the_beginning(tmp_path: Path) -> None:
    path = with_empty(tmp_path / "empty-start.mp4", first=2)
    full = ingest_one(str(path), IngestSettings(salvage=False))
    assert (full.record.status, full.record.frames) == ("ok", 150), full.record
    check_equal(ingest_one(str(path), IngestSettings(shots=False, salvage=False)), full)


@pytest.mark.parametrize(("last", "reason"), [(10, None), (50, "truncated")])
def test_packets_that_show_nothing_at_the_end(last: int, reason: str | None, tmp_path: Path) -> None:
    """Where the film ends shows only a decode of all of it."""
    path = with_empty(tmp_path / "empty-end.mp4", last=last)
    full = ingest_one(str(path), IngestSettings(salvage=False))
    quick = ingest_one(str(path), IngestSettings(salvage=False, shots=False))
    assert (quick.record.reason, quick.record.detail) == (full.record.reason, full.record.detail)
    assert (full.record.reason, len(full.overview)) == (reason, 0 if reason else 3)
    if reason is None:
        check_equal(quick, full)
        assert quick.record.duration_s == full.record.duration_s


@pytest.mark.parametrize(("large", "threads"), [(10**9, 3), (100, 1)])
def test_threads_are_those_of_a_full_decode(
    coded_video: Path, large: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures of more than a limit are decoded by one thread, because each needs memory for some of them."""
    used: list[int] = []

    def prepared(stream: object, threads: int) -> None:
        used.append(threads)

    monkeypatch.setattr(packets, "prepare_decoder", prepared)
    monkeypatch.setattr(onepass, "LARGE_PICTURE_PIXELS", large)
    ingest_one(str(coded_video), IngestSettings(shots=False, threads=3))
    assert set(used) == {threads}


def test_most_of_the_film_is_not_decoded(coded_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten frames of an overview in a film whose keyframes are 60 frames apart; the full decode reads all 300."""
    runs: list[list[int]] = []
    read = VideoSource._read

    def counted(self: VideoSource, run: list[int]) -> object:
        runs.append(run)
        return read(self, run)

    monkeypatch.setattr(VideoSource, "_read", counted)
    result = ingest_one(str(coded_video), IngestSettings(Protocol(overview_frames=3), shots=False))
    assert [len(run) for run in runs] == [1, 1, 1, 1]
    assert len(result.overview) == 3


def test_damage_in_the_overview_is_found(coded_video: Path, tmp_path: Path) -> None:
    data = bytearray(coded_video.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path = tmp_path / "broken.mp4"
    path.write_bytes(data)
    assert ingest_one(str(path), IngestSettings(shots=False, salvage=False)).reason == "damaged"


@pytest.mark.parametrize("more", [{"zoom_store_fps": 2}, {"overview": "shot_aware"}])
def test_what_needs_every_picture_cannot_be_combined(more: dict) -> None:
    with pytest.raises(ValidationError, match="shots: false decodes only the overview"):
        VideoSettings(shots=False, **more)
    assert VideoSettings(**more).shots


def test_results_made_before_the_setting_stay_current() -> None:
    assert VideoSettings(shots=True).digest() == VideoSettings().digest() != VideoSettings(shots=False).digest()
