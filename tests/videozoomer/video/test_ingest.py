import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from video_samples import even_pts, read_code, write_video

from videozoomer.protocol import Protocol
from videozoomer.video import watch
from videozoomer.video.ingest import Ingested, IngestSettings, ingest_many, threads_per_file
from videozoomer.video.onepass import ingest_file
from videozoomer.video.preflight import REASONS
from videozoomer.video.processes import ReadingProcess
from videozoomer.video.reader import ReaderPool
from videozoomer.video.tasks import IngestTask
from videozoomer.video.watch import cpu_limit_s


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
    assert record.keyframes_s[:2] == pytest.approx((0, 2.4))
    tracks = {found.track: (len(found.pictures), len(found.motions)) for found in result.signature}
    assert tracks == dict.fromkeys(("whole", "four_three", "centre"), (12 * 4 * 8, 12 * 4 * 8))
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


@pytest.mark.slow
def test_a_file_that_takes_too_long_is_quarantined(tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mp4", pts=even_pts(1500, 25), size=(640, 360), options={"preset": "ultrafast"})
    (tmp_path / "empty.mp4").touch()
    results = list(ingest_many([str(long), str(tmp_path / "empty.mp4")], IngestSettings(), workers=1, timeout_s=0.1))
    assert [result.record.reason for result in results] == ["timeout", "empty"]
    assert "0.1 s of CPU time" in str(results[0].record.detail)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown shot detectors"):
        IngestSettings(detectors=("magic",))


@pytest.mark.slow
def test_only_cpu_time_counts_against_the_limit(coded_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that waits, on a busy machine or a slow disk, is not quarantined."""
    start = ReadingProcess.start

    def start_and_pause(self: ReadingProcess, uri: str, *more: object, **settings: object) -> None:
        start(self, uri, *more, **settings)
        os.kill(self.pid, signal.SIGSTOP)
        threading.Timer(6, os.kill, (self.pid, signal.SIGCONT)).start()

    monkeypatch.setattr(ReadingProcess, "start", start_and_pause)
    (result,) = ingest_many([str(coded_video)], IngestSettings(), workers=1, timeout_s=5)
    assert result.record.status == "ok", result.record.detail


@pytest.mark.slow
def test_a_reader_that_reports_nothing_for_long_is_ended(coded_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = ReadingProcess.start

    def start_and_stop(self: ReadingProcess, uri: str, *more: object, **settings: object) -> None:
        start(self, uri, *more, **settings)
        os.kill(self.pid, signal.SIGSTOP)

    monkeypatch.setattr(ReadingProcess, "start", start_and_stop)
    monkeypatch.setattr(watch, "SILENCE_S", 0.5)
    (result,) = ingest_many([str(coded_video)], IngestSettings(), workers=1, timeout_s=0.5)
    assert result.record.reason == "timeout" and "no progress for 1 s" in result.record.detail


def test_the_default_limit_grows_with_the_film() -> None:
    """Two hours of 1080p HEVC take some 1,850 CPU seconds on an ordinary core."""
    two_hours = cpu_limit_s(4_000_000_000, 2 * 3600 * 24, 1920 * 1080)
    assert two_hours > 5 * 1850
    assert cpu_limit_s(4_000_000_000, 2 * 3600 * 24, 1920 * 1080, transnet=True) > two_hours + 5 * 172_800 * 0.02
    assert cpu_limit_s(1_000_000, 250, 320 * 180) < 600


@pytest.mark.slow
def test_the_limit_of_a_film_is_set_in_the_process_that_reads_it(coded_video: Path) -> None:
    process = ReadingProcess[Ingested]()
    try:
        process.start(str(coded_video), IngestTask(IngestSettings()), timeout_s=None, memory_mb=2000)
        limits = []
        while isinstance(received := process.receive(), watch.Report):
            limits.append(received.cpu_limit_s)
    finally:
        process.kill()
    assert received is not None and received.record.frames == 300
    size = coded_video.stat().st_size
    assert limits[0] == cpu_limit_s(0) and limits[-1] == cpu_limit_s(size, 300, 320 * 180)


def test_progress_within_a_film_is_reported(coded_video: Path) -> None:
    shares: list[float] = []

    class Noting(watch.Watch):
        def reached(self, share: float) -> None:
            shares.append(share)

    ingest_file(str(coded_video), str(coded_video), IngestSettings(), Noting())
    assert shares == pytest.approx([picture / 300 for picture in range(1, 301)])
    seen: list[tuple[str, float]] = []
    list(ingest_many([str(coded_video)], IngestSettings(), on_progress=lambda *report: seen.append(report)))
    assert {uri for uri, _ in seen} == {str(coded_video)}


def test_cores_are_shared_among_the_files_that_are_read_at_once() -> None:
    assert [threads_per_file(8, files, 2048) for files in (1, 2, 4, 8, 100)] == [4, 4, 2, 1, 1]
    assert threads_per_file(1, 1, 2048) == threads_per_file(8, 1, 16) == 1


@pytest.mark.slow
def test_threads_change_no_frame(coded_video: Path) -> None:
    one, four = _one(coded_video, threads=1), _one(coded_video, threads=4)
    assert one == four
