"""The commands for one video: output, files and exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import pytest
from PIL import Image
from typer.testing import CliRunner
from video_samples import even_pts, read_code, turned, write_video

from pipelines.cli.video import app

pytestmark = pytest.mark.slow

runner = CliRunner()


def _run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_probe_describes_a_file(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "phone.mp4",
        pts=even_pts(60, 30, start=90_000),
        size=(180, 320),
        rotation=90,
        picture=turned(3),
        pix_fmt="yuv420p10le",
        options={"g": "15", "sc_threshold": "0"},
    )
    facts = json.loads(_run("probe", path, "--json"))
    shown = {
        key: facts[key]
        for key in ("status", "codec", "bit_depth", "width", "height", "frames", "variable_rate", "has_audio")
    }
    assert shown == {
        "status": "ok",
        "codec": "h264",
        "bit_depth": 10,
        "width": 320,
        "height": 180,
        "frames": 60,
        "variable_rate": False,
        "has_audio": False,
    }
    assert facts["streams"] == ["video h264"]
    assert facts["rotation_degrees"] == 90 and facts["pixel_aspect"] == 1
    assert facts["duration_s"] == pytest.approx(2) and facts["average_fps"] == pytest.approx(30)
    assert facts["keyframes_s"] == pytest.approx([0, 0.5, 1, 1.5]) and len(facts["decoded_at_s"]) == 5
    assert "phone.mp4" in _run("probe", path)


def test_probe_gives_the_reason_why_a_file_cannot_be_read(tmp_path: Path, coded_video: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    lines = _run("probe", tmp_path / "text.mp4", coded_video, "--json", code=1).splitlines()
    assert {json.loads(line)["reason"] for line in lines} == {"not_a_video", None}


def test_frames_at_times(coded_video: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheets" / "sheet.jpg"
    rows = json.loads(
        _run(
            "frames",
            coded_video,
            "--at",
            1,
            "--start",
            2,
            "--end",
            4,
            "--fps",
            2,
            "--out",
            tmp_path / "out",
            "--sheet",
            sheet,
            "--json",
        )
    )
    assert [row["requested_s"] for row in rows] == [1, 2, 2.5, 3, 3.5]
    assert [read_code(Path(row["file"]).read_bytes()) for row in rows] == [25, 50, 62, 75, 87]
    assert Image.open(io.BytesIO(sheet.read_bytes())).width > 500
    assert len(json.loads(_run("frames", coded_video, "--overview", "--json"))) == 6


def test_frames_that_cannot_be_shown(coded_video: Path, tmp_path: Path) -> None:
    assert "ends at 12.000 s" in _run("frames", coded_video, "--at", 99, code=1)
    assert "cannot be opened" in _run("frames", tmp_path / "none.mp4", "--at", 1, code=1)
    _run("frames", coded_video, code=2)
    _run("frames", coded_video, "--start", 5, code=2)
    _run("frames", coded_video, "--start", 5, "--end", 4, code=2)


def test_shots(coded_video: Path, tmp_path: Path) -> None:
    found = json.loads(
        _run("shots", coded_video, "--detector", "histogram", "--sheet", tmp_path / "shots.jpg", "--json")
    )
    assert found[0]["start_s"] == 0 and found[-1]["end_s"] == pytest.approx(12)
    assert (tmp_path / "shots.jpg").exists()
    _run("shots", coded_video, "--detector", "magic", code=2)
    (tmp_path / "empty.mp4").touch()
    assert "empty" in _run("shots", tmp_path / "empty.mp4", code=1)


def test_clip(coded_video: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "clip.mp4"
    written = json.loads(_run("clip", coded_video, 2, 4, "-o", target, "--width", 160, "--json"))
    assert written == [{"file": str(target), "start_s": 2, "end_s": 4, "bytes": target.stat().st_size}]
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 160, 90)
        frames = [frame.to_image() for frame in container.decode(stream)]
    assert len(frames) == 50
    first = io.BytesIO()
    frames[0].save(first, "PNG")
    assert read_code(first.getvalue()) == 50
    assert "empty or reversed" in _run("clip", coded_video, 4, 4, "-o", target, code=1)
    assert "no clip" in _run("clip", tmp_path / "none.mp4", 1, 2, "-o", tmp_path / "x.mp4", code=1)
    assert list(tmp_path.glob("**/.*")) == []
