"""As a new user would: a folder of own films of several kinds, questions in a published layout, and two commands after
`init`, to a page of trajectories."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import imageio_ffmpeg
import pytest

from examples.ten_films import write_films
from videozoomer.lake import Lake

PQ = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
LABEL = "Counting 🏀👩‍👩‍👧‍👦 " * 12


def ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments], check=True)


def videozoomer(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def own_films(folder: Path) -> list[dict]:
    """A long, a damaged and an HDR film and one in an archive; their questions as Video-MME has them."""
    asked = [json.loads(line) for line in write_films(folder / "made", 2).read_text(encoding="utf-8").splitlines()]
    films = folder / "films"
    films.mkdir()
    whole = (folder / "made" / "film-01.mp4").read_bytes()
    ffmpeg("-stream_loop", "6", "-i", str(folder / "made" / "film-01.mp4"), "-c", "copy", str(films / "long.mp4"))
    (films / "damaged.mp4").write_bytes(whole[: len(whole) // 2] + bytes(3000) + whole[len(whole) // 2 + 3000 :])
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=3", "-c:v", "libx265", "-x265-params", PQ, "-pix_fmt",
           "yuv420p10le", str(films / "hdr.mp4"))  # fmt: skip
    with tarfile.open(films / "more.tar", "w") as tar:
        tar.add(folder / "made" / "film-02.mp4", "film-02.mp4")
    films_of = {"film-01.mp4": ("long", "damaged"), "film-02.mp4": ("film-02",)}
    rows = [
        {"video_id": "001", "duration": "long", "videoID": film, "url": "https://www.youtube.com/watch?v=x",
         "question_id": f"{film}-{number}", "task_type": LABEL if number % 2 else "Which", "question": row["question"],
         "options": [f"{letter}. {text}" for letter, text in zip("ABCD", row["options"], strict=False)],
         "answer": row["answer"]}
        for number, row in enumerate(asked) if row.get("options") for film in films_of[row["video"]]
    ]  # fmt: skip
    rows.append({**rows[0], "question_id": "hdr-1", "videoID": "hdr"})
    return rows


@pytest.mark.slow
def test_own_films_become_a_page_of_trajectories_in_two_commands(tmp_path: Path, teacher) -> None:
    rows = own_films(tmp_path)
    (tmp_path / "videomme.json").write_text(json.dumps(rows), encoding="utf-8")
    named = ("--videos", "films/", "--questions", "videomme.json", "--server", teacher.base_url, "--samples", "1")
    said = videozoomer(tmp_path, "init", "my.yaml", *named)
    assert "4 videos" in said and "layout of Video-MME" in said and "all usable" in said
    videozoomer(tmp_path, "check", "-r", "my.yaml")
    said = videozoomer(tmp_path, "run", "-r", "my.yaml")
    lake = Lake(tmp_path / "runs" / "my" / "tables")
    videos = {Path(str(row["uri"])).name: row for row in lake.read("videos").to_dicts()}
    assert {name.split("::")[0] for name in videos} >= {"long.mp4", "damaged.mp4", "hdr.mp4"} and len(videos) == 4
    assert [row["status"] for name, row in videos.items() if name != "damaged.mp4"] == ["ok"] * 3
    assert set(lake.read("questions")["status"]) == {"ok"}
    played = set(lake.read("trajectories")["question_id"].to_list())
    assert {question.split(":")[1].split("-")[0] for question in played} >= {"long", "hdr", "film"}
    page = (tmp_path / "runs" / "my" / "report" / "trajectories.html").read_text(encoding="utf-8")
    assert "long.mp4" in page and (tmp_path / "runs" / "my" / "report" / "index.html").exists()
    assert "trajectories.html" in said
