"""A film of which a part can be read, from ingest to the players, the report and a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from test_retried_files import Reader, made, picture

from assets.items import playable
from assets.kept_films import _from_json, _to_json
from eval.report.inputs import videos
from pipelines.summary import _inputs
from videozoomer.lake import Lake
from videozoomer.protocol.evidence import Window
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings import load_recipe
from videozoomer.settings.video import VideoSettings
from videozoomer.shards.build import _questions
from videozoomer.video import ingest
from videozoomer.video.settings import Ingested
from videozoomer.video.types import BadSpan, Frame, Shot, VideoRecord

pytestmark = pytest.mark.slow

SPANS = (BadSpan(2.0, 3.0, "damaged", 25), BadSpan(9.0, 10.0, "cut_off", 0))


def salvaged(uri: str) -> Ingested:
    jpeg = picture("film")
    record = VideoRecord(uri, "ok", "id-film", detail="salvaged: 20.0% of it", duration_s=10.0, unreadable_s=2.0)
    return Ingested(record, (Shot(0, 0.0, 10.0),), "none", (Frame(frame_id_of(jpeg), 0.0, 0.0, 8, 8, jpeg),), "uniform",
                    SPANS)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "film.mp4").write_text("salvaged")
    (tmp_path / "videos" / "slow.mp4").write_text("timeout")
    (tmp_path / "questions.jsonl").write_text(json.dumps({"video": "film", "question": "How many?", "answer": "3"}))
    reader = Reader()

    def read(uris, *given, **limits):
        for uri in uris:
            if Path(uri).stem == "film":
                reader.read.append("film")
                yield salvaged(uri)
            else:
                yield from reader([uri], *given, **limits)

    monkeypatch.setattr(ingest, "ingest_many", read)
    return tmp_path


def test_a_salvaged_film_is_told_everywhere(home: Path) -> None:
    from pipelines.run import run

    made(home)
    lake = Lake(home / "run" / "tables")
    rows = lake.read("bad_spans").to_dicts()
    spans = [BadSpan(row["start_s"], row["end_s"], row["reason"], row["packets"]) for row in rows]
    assert tuple(spans) == SPANS and [(row["video_id"], row["index"]) for row in rows] == [
        ("id-film", 0),
        ("id-film", 1),
    ]
    row = lake.read("videos").filter(status="ok").to_dicts()[0]
    assert (row["unreadable_s"], row["detail"]) == (2.0, "salvaged: 20.0% of it")
    assert ("salvaged", "1 damaged, the rest of them is used\n  film.mp4: 2.0 of 10.0 s unreadable") in _inputs(lake)
    assert "Salvaged files" in videos(lake, None).body  # type: ignore[arg-type]
    run(load_recipe(home / "recipe.yaml"), only=["questions"])
    (batch,) = lake.partitions("videos")
    (item,) = playable(lake, batch)
    windows = tuple(Window(span.start_s, span.end_s) for span in SPANS)
    assert item.bad_spans == item.task.bad_spans == windows
    asked, _ = _questions(lake, "train")
    assert asked["bad_spans"].to_list() == [[{"start_s": span.start_s, "end_s": span.end_s} for span in SPANS]]
    before = {name: lake.read(name).to_dicts() for name in ("bad_spans", "videos")}
    assert "videos" in made(home, timeout_s=1200)
    assert lake.read("bad_spans").to_dicts() == before["bad_spans"]
    again = lake.read("videos").to_dicts()
    assert [row["status"] for row in again] == ["ok", "ok"] and again[0] == before["videos"][0]


def test_a_kept_film_keeps_its_bad_spans() -> None:
    assert _from_json(_to_json(salvaged("film.mp4"))) == salvaged("film.mp4")


def test_the_default_makes_no_result_stale() -> None:
    before = VideoSettings().digest()
    assert VideoSettings(salvage=True, unreadable_share=0.5).digest() == before
    others = [VideoSettings(salvage=False), VideoSettings(unreadable_share=0.1)]
    assert len({before, *(one.digest() for one in others)}) == 3
    assert VideoSettings(salvage=False, unreadable_share=0.1).digest() == others[0].digest()
    assert yaml.safe_load("salvage: off")["salvage"] is False
