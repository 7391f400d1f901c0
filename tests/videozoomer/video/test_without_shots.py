"""Ingest with `shots: false` decodes only the overview, whose frames are byte for byte those of a full decode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from exact_matrix import KINDS, Kind
from pydantic import ValidationError

from videozoomer.protocol import Protocol
from videozoomer.settings.video import VideoSettings
from videozoomer.video.settings import IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.tasks import ingest_one

pytestmark = pytest.mark.slow

NAMES = {
    *("h264-gop250", "h264-open-gop", "h264-variable", "h264-edit-list", "h264-ts", "h264-ts-variable-offset"),
    *("hevc-ts-open-gop", "vp9-webm-altref", "mpeg4-avi", "mpeg2-ps", "h264-rotated-90", "h264-anamorphic"),
}
ONLY_BY_DECODING = {"signature"}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS if kind.name in NAMES])
@pytest.mark.parametrize("frames", [64, 3])
def test_the_overview_is_that_of_a_full_decode(kind: Kind, frames: int, tmp_path: Path) -> None:
    path, _ = kind.write(tmp_path)
    protocol = Protocol(overview_frames=frames)
    full = ingest_one(str(path), IngestSettings(protocol))
    quick = ingest_one(str(path), IngestSettings(protocol, shots=False))
    assert quick.overview == full.overview and len(full.overview) >= 3
    assert (quick.shots, quick.record.signature) == ((), None)
    expected, found = asdict(full.record), asdict(quick.record)
    for name in ONLY_BY_DECODING:
        del expected[name], found[name]
    assert found.pop("duration_s") == pytest.approx(expected.pop("duration_s"))
    assert found.pop("average_fps") == pytest.approx(expected.pop("average_fps"))
    assert found == expected


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
