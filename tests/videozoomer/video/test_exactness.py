"""The benchmark of exactness passes on films of several kinds, and fails if a frame is served at a wrong time."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner
from video_samples import even_pts, write_video

from benchmarks import exactness
from videozoomer.video.settings import IngestSettings
from videozoomer.video.source import VideoSource
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import Frame


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    uneven = [0, 1800, 3600, 5400, 9000, 9900, 18000, 19800, 45000, 46800, 90000, 91800]
    write_video(folder / "even.mp4", pts=even_pts(40, 25), options={"preset": "veryfast", "bf": "3", "g": "12"})
    write_video(folder / "uneven.mkv", pts=uneven, options={"preset": "veryfast", "bf": "2"})
    write_video(folder / "late.ts", pts=even_pts(30, 25, start=900_000), options={"preset": "veryfast"})
    (folder / "broken.mp4").write_bytes((folder / "even.mp4").read_bytes()[:3000])
    return folder


def outcome(path: Path, store: Path) -> exactness.Outcome:
    settings = IngestSettings(zoom_store_fps=8.0, zoom_store_dir=str(store))
    return exactness.check(ingest_one(str(path), settings), settings, samples=12)


def test_served_frames_are_those_of_a_straight_decode(films: Path, tmp_path: Path) -> None:
    for path in sorted(films.iterdir()):
        found = outcome(path, tmp_path)
        assert found.wrong == found.refused == [], path
        if path.name == "broken.mp4":
            assert found.reason != "ok" and not found.compared
        else:
            assert found.reason == "ok"
            assert {"source", "zoom", "store", "overview", "from the store itself"} == set(+found.compared), path


def test_a_frame_of_another_time_or_picture_is_wrong(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = VideoSource.frames_at

    def late(self: VideoSource, times_s: list[float]) -> list[Frame]:
        return right(self, [time_s + 0.04 for time_s in times_s])

    def disguised(self: VideoSource, times_s: list[float]) -> list[Frame]:
        found = zip(right(self, times_s), late(self, times_s), strict=True)
        return [Frame(b.frame_id, a.time_s, a.requested_s, a.width, a.height, b.jpeg) for a, b in found]

    for fault, says in ((late, "the frame of"), (disguised, "another picture")):
        monkeypatch.setattr(VideoSource, "frames_at", fault)
        wrong = outcome(films / "even.mp4", tmp_path).wrong
        assert wrong and all(says in line for line in wrong)
        assert {line.split()[0] for line in wrong} >= {"source", "zoom"}


@pytest.mark.slow
def test_the_command_counts_files_and_frames(films: Path) -> None:
    ran = CliRunner().invoke(exactness.app, [str(films), "--samples", "10"])
    assert ran.exit_code == 0, ran.output
    assert "4 files: 3 ok, 1 " in ran.output
    assert "wrong frames: 0; refused with an error: 0" in ran.output
