import os
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from video_samples import read_code

from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.video.reader import ReaderPool
from videozoomer.video.source import VideoSource
from videozoomer.video.types import Frame, FrameError

LIMITS = (25_088, 100_352)


def test_the_frame_on_the_screen(coded_video: Path) -> None:
    rng = random.Random(1)
    times = [rng.uniform(0, 12) for _ in range(60)]
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(str(coded_video), times)
    for time_s, frame in zip(times, frames, strict=True):
        number = int(time_s * 25)
        assert read_code(frame.jpeg) == number
        assert frame.time_s == pytest.approx(number / 25, abs=1e-9)
        assert frame.requested_s == time_s
        assert frame.frame_id == frame_id_of(frame.jpeg)
        assert LIMITS[0] <= frame.width * frame.height <= LIMITS[1]


def test_a_frames_own_time_finds_it_again(coded_video: Path) -> None:
    with ReaderPool(*LIMITS) as pool:
        frames = pool.frames_at(str(coded_video), [index / 3 for index in range(30)])
        again = pool.frames_at(str(coded_video), [frame.time_s for frame in frames])
    assert [frame.frame_id for frame in frames] == [frame.frame_id for frame in again]


def test_before_the_start_and_past_the_end(coded_video: Path) -> None:
    with ReaderPool(*LIMITS) as pool:
        early, late = pool.frames_at(str(coded_video), [-3.0, 12.9])
        assert (read_code(early.jpeg), read_code(late.jpeg)) == (0, 299)
        with pytest.raises(FrameError, match=r"ends at 12\.000 s"):
            pool.frames_at(str(coded_video), [1.0, 13.5])
        assert read_code(pool.frames_at(str(coded_video), [1.0])[0].jpeg) == 25


def test_a_bad_time_and_a_missing_file_are_errors(tmp_path: Path, coded_video: Path) -> None:
    with ReaderPool(*LIMITS) as pool:
        assert pool.frames_at(str(coded_video), []) == []
        with pytest.raises(FrameError, match="not a time"):
            pool.frames_at(str(coded_video), [float("nan")])
        with pytest.raises(FrameError, match="cannot be opened"):
            pool.frames_at(str(tmp_path / "none.mp4"), [0.0])
    with pytest.raises(FrameError, match="closed"):
        pool.frames_at(str(coded_video), [0.0])


def test_many_threads_get_the_same_frames(coded_video: Path) -> None:
    times = [[start + step / 4 for step in range(8)] for start in range(10)]
    with ReaderPool(*LIMITS) as pool:
        alone = [pool.frames_at(str(coded_video), asked) for asked in times]
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(lambda asked: pool.frames_at(str(coded_video), asked), times))
    assert together == alone


def test_idle_files_beyond_the_limits_are_closed(coded_video: Path, tmp_path: Path) -> None:
    copies = [shutil.copy(coded_video, tmp_path / f"{index}.mp4") for index in range(4)]

    def open_files() -> int:
        return sum(str(tmp_path) in os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())

    with ReaderPool(*LIMITS, max_open=2) as pool:
        for copy in copies:
            assert read_code(pool.frames_at(str(copy), [1.0])[0].jpeg) == 25
        assert open_files() == 2
    assert open_files() == 0
    with ReaderPool(*LIMITS, max_memory_mb=3) as pool:  # One decoder of 320 x 180 counts 2.3 MB.
        for copy in copies:
            pool.frames_at(str(copy), [1.0])
        assert open_files() == 1


def test_requests_that_wait_for_the_same_file_share_a_decode(
    coded_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = VideoSource.frames_at
    calls: list[int] = []
    first_is_reading, others_wait = threading.Event(), threading.Event()

    def counted(self: VideoSource, times_s: list[float]) -> list[Frame]:
        calls.append(len(times_s))
        if len(calls) == 1:
            first_is_reading.set()
            others_wait.wait(10)
        return read(self, times_s)

    monkeypatch.setattr(VideoSource, "frames_at", counted)
    with ReaderPool(*LIMITS) as pool, ThreadPoolExecutor(8) as threads:
        first = threads.submit(pool.frames_at, str(coded_video), [0.0])
        first_is_reading.wait(10)
        others = [threads.submit(pool.frames_at, str(coded_video), [number / 25]) for number in range(10, 16)]
        too_late = threads.submit(pool.frames_at, str(coded_video), [99.0])
        while pool.counts.waiting < 7:
            time.sleep(0.01)
        others_wait.set()
        assert read_code(first.result()[0].jpeg) == 0
        # One time is past the end: that request fails and the others succeed.
        assert [read_code(other.result()[0].jpeg) for other in others] == list(range(10, 16))
        with pytest.raises(FrameError, match="ends at"):
            too_late.result()
    assert calls[:2] == [1, 7]
