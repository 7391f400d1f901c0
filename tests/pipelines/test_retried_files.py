"""A file that may be readable at another try is tried again alone; the rest of its batch is not read again."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from pipelines.run import run
from videozoomer.lake import Lake
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings import load_recipe
from videozoomer.video import ingest
from videozoomer.video.settings import Ingested
from videozoomer.video.types import Frame, Shot, VideoRecord

pytestmark = pytest.mark.slow


def picture(name: str) -> bytes:
    out = io.BytesIO()
    colour = tuple(hashlib.sha256(name.encode()).digest()[:3])
    Image.new("RGB", (8, 8), (colour[0], colour[1], colour[2])).save(out, "JPEG")
    return out.getvalue()


class Reader:
    """Stands for ingest: reads each file as its text says, `ok` or the reason why it cannot be read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, uris: Sequence[str], *settings: object, **limits: Any) -> Iterator[Ingested]:
        for uri in uris:
            name = Path(uri).stem
            self.read.append(name)
            reason = Path(uri).read_text().strip()
            long = reason == "timeout" and (limits["timeout_s"] or 600) > 600
            if reason != "ok" and not long:
                yield Ingested(VideoRecord(uri, "quarantined", reason=reason, detail=f"{reason} of {name}"))
                continue
            jpeg = picture(name)
            frames = tuple(Frame(frame_id_of(jpeg), time_s, time_s + 0.1, 8, 8, jpeg) for time_s in (0.0, 0.5))
            record = VideoRecord(uri, "ok", f"id-{name}", width=8, height=8, duration_s=1.0, keyframes_s=(0.0,))
            yield Ingested(record, (Shot(0, 0.0, 1.0),), "none", frames, "uniform")


@pytest.fixture
def reader(monkeypatch) -> Reader:
    reader = Reader()
    monkeypatch.setattr(ingest, "ingest_many", reader)
    return reader


@pytest.fixture
def home(tmp_path) -> Path:
    (tmp_path / "videos").mkdir()
    for name, text in {"a": "ok", "b": "ok", "slow": "timeout", "broken": "damaged"}.items():
        (tmp_path / "videos" / f"{name}.mp4").write_text(text)
    (tmp_path / "questions.jsonl").write_text(json.dumps({"video": "a", "question": "How many?", "answer": "3"}))
    return tmp_path


def made(home: Path, **video: float) -> set[str]:
    source = {"name": "films", "videos": str(home / "videos"), "questions": str(home / "questions.jsonl")}
    recipe = {"name": "test", "home": "run", "sources": [source], "teacher": {"base_url": "http://127.0.0.1:9/v1"}}
    (home / "recipe.yaml").write_text(yaml.safe_dump({**recipe, "video": {"failed_share": 1.0, **video}}))
    return {name for name, _ in run(load_recipe(home / "recipe.yaml"), only=["videos"]).materialized}


def tables(home: Path) -> dict[str, list[dict]]:
    lake = Lake(home / "run" / "tables")
    return {name: lake.read(name).to_dicts() for name in ("videos", "shots", "overviews", "frames")}


def test_a_raised_limit_reads_the_file_that_ran_into_it_and_no_other(home, reader, tmp_path):
    made(home)
    assert sorted(reader.read) == ["a", "b", "broken", "slow"]
    reader.read.clear()
    assert made(home) == set() and made(home, memory_mb=9000) == set() and not reader.read
    assert "videos" in made(home, timeout_s=500) and reader.read == ["slow"]
    assert made(home, timeout_s=500) == made(home, timeout_s=400) == set()
    assert "videos" in made(home, timeout_s=1200) and reader.read == ["slow", "slow"]
    assert made(home, timeout_s=1200) == set()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "videos").symlink_to(home / "videos")
    (fresh / "questions.jsonl").write_text((home / "questions.jsonl").read_text())
    made(fresh, timeout_s=1200)
    again, anew = tables(home), tables(fresh)
    anew["videos"] = [{**row, "uri": row["uri"].replace(str(fresh), str(home))} for row in anew["videos"]]
    assert again == anew and len(again["shots"]) == 3


def test_a_file_that_could_not_be_fetched_is_tried_at_every_run_until_it_can(home, reader):
    path = home / "videos" / "b.mp4"
    path.write_text("unreadable")
    made(home)
    times = path.stat()
    reader.read.clear()
    assert "videos" in made(home) and reader.read == ["b"]
    path.write_text("ok".ljust(len("unreadable")))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "videos" in made(home) and reader.read == ["b", "b"]
    assert made(home) == set()
