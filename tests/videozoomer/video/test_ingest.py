import os
from pathlib import Path

import numpy as np
import pytest
from video_samples import even_pts, read_code, write_video

from videozoomer.protocol import Protocol
from videozoomer.video.ingest import Ingested, IngestSettings, ingest_many
from videozoomer.video.preflight import REASONS
from videozoomer.video.reader import ReaderPool


def _one(path: Path, **settings: object) -> Ingested:
    (result,) = ingest_many([str(path)], IngestSettings(**settings), workers=1, timeout_s=60)
    return result


def test_one_file(coded_video: Path) -> None:
    result = _one(coded_video)
    record = result.record
    assert (record.status, record.reason) == ("ok", None)
    assert (record.codec, record.width, record.height, record.frames) == ("h264", 320, 180, 300)
    assert record.duration_s == pytest.approx(12) and record.average_fps == pytest.approx(25)
    assert record.variable_rate is False and record.has_audio is False
    assert record.keyframes_s[:2] == pytest.approx((0, 2.4)) and len(record.signature) == 12
    assert [frame.requested_s for frame in result.overview] == [0, 2, 4, 6, 8, 10]
    assert [read_code(frame.jpeg) for frame in result.overview] == [0, 50, 100, 150, 200, 250]


def test_overview_and_zoom_show_the_same_bytes(coded_video: Path) -> None:
    overview = _one(coded_video, protocol=Protocol(overview_frames=5)).overview
    assert overview[-1].time_s == pytest.approx(11.96)
    with ReaderPool(25_088, 100_352) as pool:
        assert pool.frames_at(str(coded_video), [frame.requested_s for frame in overview]) == list(overview)


def test_shots_begin_at_the_cuts(tmp_path: Path) -> None:
    colours = np.random.default_rng(3).integers(0, 255, (4, 9, 16, 3), dtype=np.uint8)

    def picture(number: int, width: int, height: int) -> np.ndarray:
        return np.kron(colours[number // 60], np.ones((height // 9, width // 16, 1), np.uint8))

    path = write_video(tmp_path / "cuts.mp4", pts=even_pts(240, 30), picture=picture, size=(320, 180))
    shots = _one(path).shots
    assert [shot.start_s for shot in shots] == pytest.approx([0, 2, 4, 6])
    assert [shot.end_s for shot in shots] == pytest.approx([2, 4, 6, 8])


def test_unreadable_files_are_quarantined_and_the_batch_continues(tmp_path: Path, coded_video: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n{coded_video}\n")
    (tmp_path / "half.mp4").write_bytes(coded_video.read_bytes()[:20_000])
    os.mkfifo(tmp_path / "pipe.mp4")
    expected = {
        "empty.mp4": "empty",
        "text.mp4": "not_a_video",
        "list.mp4": "playlist",
        "half.mp4": "damaged",
        "pipe.mp4": "not_a_file",
        "none.mp4": "missing",
    }
    uris = [str(tmp_path / name) for name in expected] + [str(tmp_path), str(coded_video)]
    results = {Path(result.record.uri).name: result.record for result in ingest_many(uris, IngestSettings(), workers=2)}
    assert {name: results[name].reason for name in expected} == expected
    assert results[tmp_path.name].reason == "not_a_file" and results[coded_video.name].status == "ok"
    assert set(expected.values()) <= REASONS.keys()
    assert all(record.detail for record in results.values() if record.status == "quarantined")


def test_a_file_that_takes_too_long_is_quarantined(coded_video: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    uris = [str(coded_video), str(tmp_path / "empty.mp4")]
    results = list(ingest_many(uris, IngestSettings(), workers=1, timeout_s=0.05))
    assert [result.record.reason for result in results] == ["timeout", "empty"]


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown shot detectors"):
        IngestSettings(detectors=("magic",))
