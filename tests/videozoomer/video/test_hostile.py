"""A hostile file affects no other file: right verdict, in time, within memory, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hostile_files import HOSTILE, Base
from video_samples import even_pts, read_code, write_video

from videozoomer.protocol.unreadable import unreadable_at
from videozoomer.video.ingest import Ingested, IngestSettings, ingest_many
from videozoomer.video.preflight import REASONS
from videozoomer.video.processes import ReadingProcess
from videozoomer.video.reader import ReaderPool
from videozoomer.video.types import FrameError

pytestmark = pytest.mark.slow

MEMORY_MB = 1500
PEAK_KB: list[int] = []


@contextmanager
def watched_memory() -> Iterator[list[int]]:
    """Peak memory of any reading process in kB, sampled while they run."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for pid in _children():
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                peak[0] = max(
                    [peak[0], *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))]
                )

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ingested]:
    """Every hostile file, in one batch."""
    base = Base(tmp_path_factory.mktemp("base"))
    folder = tmp_path_factory.mktemp("hostile")
    for hostile in HOSTILE:
        hostile.make(folder / hostile.name, base)
    uris = [str(folder / hostile.name) for hostile in HOSTILE]
    with watched_memory() as peak:
        results = list(ingest_many(uris, IngestSettings(), workers=2, timeout_s=60, memory_mb=MEMORY_MB))
    PEAK_KB.append(peak[0])
    assert len(results) == len(uris)
    return {
        Path(result.record.uri).name if "concat:" not in result.record.uri else "concat:a.mp4|b.mp4": result
        for result in results
    }


def test_there_are_at_least_forty_hostile_files() -> None:
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE) >= 40
    assert all(hostile.verdicts - {"ok"} <= REASONS.keys() for hostile in HOSTILE)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name.encode("unicode_escape").decode())
def test_a_hostile_file_is_read_correctly_or_quarantined_for_the_right_reason(
    hostile, verdicts: dict[str, Ingested]
) -> None:
    result = verdicts[hostile.name]
    record = result.record
    assert (record.reason or record.status) in hostile.verdicts, record.detail
    if record.status == "quarantined":
        assert record.detail and not result.overview and not result.shots
        with ReaderPool(25_088, 100_352) as pool, suppress(FrameError):
            # Some of its frames may be readable; any other error, or blocking on a pipe, is a bug.
            pool.frames_at(record.uri, [0.0])
        return
    for frame in result.overview:
        assert read_code(frame.jpeg) == round(frame.time_s * 25)
    shown = [frame for frame in result.overview if unreadable_at(result.bad_spans, frame.requested_s) is None]
    with ReaderPool(25_088, 100_352, bad_spans={record.uri: result.bad_spans}) as pool:
        assert pool.frames_at(record.uri, [frame.requested_s for frame in shown]) == shown


def test_nothing_is_left_behind_and_memory_stays_under_the_limit(verdicts: dict[str, Ingested]) -> None:
    assert _children() == []
    assert 0 < PEAK_KB[0] < MEMORY_MB * 1024


def test_a_decoder_crash_affects_only_its_file(
    coded_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim.mp4"
    victim.write_bytes(coded_video.read_bytes())
    start = ReadingProcess.start

    def start_and_crash(self: ReadingProcess, uri: str, *more: object, **settings: object) -> None:
        start(self, uri, *more, **settings)
        if uri == str(victim):
            os.kill(self.pid, signal.SIGSEGV)

    monkeypatch.setattr(ReadingProcess, "start", start_and_crash)
    uris = [str(coded_video), str(victim), str(coded_video)]
    results = list(ingest_many(uris, IngestSettings(), workers=1))
    assert [result.record.reason for result in results] == [None, "decoder_crashed", None]


def test_a_file_that_needs_too_much_memory_is_quarantined(coded_video: Path, tmp_path: Path) -> None:
    large = write_video(
        tmp_path / "large.mp4", pts=even_pts(20, 25), size=(1920, 1080), options={"preset": "ultrafast"}
    )
    results = list(ingest_many([str(large), str(coded_video)], IngestSettings(), workers=1, memory_mb=16))
    assert [result.record.reason for result in results] == ["out_of_memory", None]


def test_reading_processes_die_with_their_parent(coded_video: Path, tmp_path: Path) -> None:
    script = (
        "import sys, os\n"
        "from videozoomer.video.processes import ReadingProcess\n"
        "from videozoomer.video.settings import IngestSettings\n"
        "from videozoomer.video.tasks import IngestTask\n"
        "process = ReadingProcess()\n"
        "process.start(sys.argv[1], IngestTask(IngestSettings()), timeout_s=60, memory_mb=2000)\n"
        "print(process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(coded_video)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _alive(child):
            return
        time.sleep(0.05)
    pytest.fail("the reading process outlived its parent")


def test_leaving_the_iteration_early_ends_the_processes(coded_video: Path) -> None:
    results = ingest_many([str(coded_video)] * 4, IngestSettings(), workers=2)
    next(results)
    results.close()
    assert _children() == []


def _children() -> list[str]:
    """Reading processes of this process; the suite may have other children."""
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [pid for pid in children if _is_reader(pid)]


def _is_reader(pid: str) -> bool:
    try:
        return b"videozoomer.video.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
