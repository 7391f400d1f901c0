import itertools
import os
import shutil
from pathlib import Path

import pytest
from video_samples import read_code

from videozoomer.video.ingest import IngestSettings, ingest_many
from videozoomer.video.reader import Counts, ReaderPool
from videozoomer.video.store import StoreError, store_path

LIMITS = (25_088, 100_352)


@pytest.fixture
def stored(coded_video: Path, tmp_path: Path) -> tuple[str, Path]:
    """A video and the folder with its store at 8 fps."""
    video = shutil.copy(coded_video, tmp_path / "coded.mp4")
    stores = tmp_path / "stores"
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(stores))
    (result,) = ingest_many([str(video)], settings, workers=1)
    assert result.record.status == "ok"
    return str(video), stores


def test_stored_frames_are_the_bytes_of_a_direct_read(stored: tuple[str, Path]) -> None:
    uri, stores = stored
    for fps, start in itertools.product((0.5, 1, 2, 4, 8), (0, 1.5, 3.125)):
        times = [start + index / fps for index in range(16) if start + index / fps < 12]
        with ReaderPool(*LIMITS) as direct, ReaderPool(*LIMITS, zoom_store_dir=stores) as pool:
            assert pool.frames_at(uri, times) == direct.frames_at(uri, times)
            assert pool.counts == Counts(stored=len(times), decoded=0)


def test_off_the_grid_the_source_is_decoded_and_no_nearby_frame_is_returned(stored: tuple[str, Path]) -> None:
    uri, stores = stored
    times = [index / 25 for index in range(50)]
    with ReaderPool(*LIMITS, zoom_store_dir=stores) as pool:
        assert [read_code(frame.jpeg) for frame in pool.frames_at(uri, times)] == list(range(50))
        on_grid = {int(index / 8 * 25 + 1e-6) for index in range(16)}
        assert pool.counts == Counts(stored=len(on_grid), decoded=50 - len(on_grid))


def test_a_stale_store_is_not_used(stored: tuple[str, Path]) -> None:
    uri, stores = stored
    with ReaderPool(10_000, 20_000, zoom_store_dir=stores) as other_size:
        assert other_size.frames_at(uri, [1.0])[0].width < 320
        assert other_size.counts.stored == 0
    with ReaderPool(*LIMITS, zoom_store_dir=stores) as pool:
        pool.frames_at(uri, [1.0])
        os.utime(uri, (1, 1))
        pool.frames_at(uri, [1.0])
        assert pool.counts == Counts(stored=1, decoded=1)


def test_a_quarantined_video_leaves_no_store(coded_video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    data = bytearray(coded_video.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    broken.write_bytes(data)
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(tmp_path / "stores"), salvage=False)
    (result,) = ingest_many([str(broken)], settings, workers=1)
    assert result.record.reason == "damaged"
    assert list((tmp_path / "stores").iterdir()) == []


def test_each_uri_has_its_own_store(tmp_path: Path) -> None:
    assert store_path(tmp_path, "a.mp4") != store_path(tmp_path, "b.mp4")


def test_a_store_that_cannot_be_written_does_not_quarantine_the_video(coded_video: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = IngestSettings(zoom_store_fps=8, zoom_store_dir=str(tmp_path / "file" / "stores"))
    with pytest.raises(StoreError, match="check the disk"):
        list(ingest_many([str(coded_video)], settings, workers=1))
