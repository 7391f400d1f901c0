"""The disk that a run needs is known before anything is read, and compared with what is free."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import disk, preflight
from pipelines.disk import BYTES_PER_HOUR, disk_need, lengths_s
from pipelines.estimate import expected_stages
from videozoomer.settings import Recipe
from videozoomer.sources.files import Offered
from videozoomer.sources.listing import list_place


def recipe_of(folder: Path, **sections: object) -> Recipe:
    source = {"name": "films", "videos": str(folder), "questions": "q"}
    recipe = {"name": "x", "home": str(folder / "home"), "sources": [source], "teacher": {"base_url": "http://x/v1"}}
    return Recipe.model_validate(recipe | sections)


def need_of(recipe: Recipe, films: list[Offered], questions: int = 0) -> disk.DiskNeed:
    return disk_need(recipe, films, expected_stages(recipe, {"train": questions, "evaluation": 0}))


HOUR = [Offered("s3://b/a.mp4", BYTES_PER_HOUR, ""), Offered("s3://b/b.mp4", BYTES_PER_HOUR, "")]


@pytest.mark.slow
def test_lengths_come_from_headers_and_for_other_films_from_their_bytes(world):
    films = list_place(str(world / "train" / "videos")).offered
    elsewhere = Offered("s3://bucket/other.mp4", sum(film.bytes for film in films), "")
    found = lengths_s([*films, elsewhere])
    assert 30 < found[0] < 3600 and found[-1] == pytest.approx(sum(found[:-1]), rel=0.2)
    assert lengths_s(HOUR) == [3600, 3600]


def test_a_film_without_a_readable_header_is_counted_by_its_bytes(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no film" * 1000)
    assert lengths_s(list_place(str(tmp_path)).offered) == [7000 * 3600 / BYTES_PER_HOUR]


def test_the_zoom_store_takes_what_its_setting_says(tmp_path):
    """`video.zoom_store_fps`: 2 takes about 70 MB an hour, 8 about 290 MB."""
    for fps, documented in ((2, 70e6), (8, 290e6), (0, 0)):
        need = need_of(recipe_of(tmp_path, video={"zoom_store_fps": fps}), HOUR)
        assert need.zoom_store == pytest.approx(2 * documented, rel=0.05) and need.hours == 2
    small = recipe_of(tmp_path, video={"zoom_store_fps": 2}, protocol={"max_pixels": 50_176})
    assert need_of(small, HOUR).zoom_store == pytest.approx(70e6, rel=0.05)


def test_more_questions_need_more_and_overviews_are_certain(tmp_path):
    recipe = recipe_of(tmp_path)
    without, asked = need_of(recipe, HOUR), need_of(recipe, HOUR, questions=1000)
    assert without.certain == asked.certain == without.frames == 2 * 64 * 10_000 * 2
    assert asked.frames > 5 * without.frames and asked.ledger > without.ledger


def test_films_that_a_zip_compresses_are_unpacked_and_counted(tmp_path):
    with zipfile.ZipFile(tmp_path / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", b"0" * 50_000)
        archive.writestr(zipfile.ZipInfo("b.mp4"), b"0" * 70_000)
    films = list_place(str(tmp_path / "films.zip")).offered
    assert len(films) == 2 and need_of(recipe_of(tmp_path), films).unpacked == 50_000


def test_films_in_parquet_are_unpacked_and_counted(tmp_path):
    rows = [bytes([number]) * 40_000 for number in range(5)]
    pq.write_table(pa.table({"video": rows}), tmp_path / "films.parquet", compression="none", use_dictionary=False)
    films = list_place(str(tmp_path / "films.parquet")).offered
    need = need_of(recipe_of(tmp_path), films)
    assert need.unpacked == pytest.approx(200_000, rel=0.01)
    assert need.hours == pytest.approx(need.unpacked / BYTES_PER_HOUR)
    assert "unpacked films" in str(need)


@pytest.mark.parametrize(
    ("free_gb", "fps", "level", "says"),
    [
        (1000, 2, "note", "disk: the run needs about"),
        (0.2, 2, "warning", "lower video.zoom_store_fps"),
        (0.05, 2, "error", "free some, or set home to another disk, or lower video.zoom_store_fps"),
        (1.5, 0, "warning", "only 1.5 GB are free"),
    ],
)
def test_what_is_free_decides(tmp_path, monkeypatch, free_gb, fps, level, says):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage._replace(free=int(free_gb * 1e9)))
    recipe = recipe_of(tmp_path, video={"zoom_store_fps": fps})
    (finding,) = preflight._disk(recipe, need_of(recipe, HOUR))
    assert finding.level == level and says in finding.sentence


def test_what_a_home_already_holds_is_not_needed_again(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage._replace(free=int(2.2e9)))
    recipe = recipe_of(tmp_path, video={"zoom_store_fps": 2})
    need = need_of(recipe, HOUR * 20)
    assert preflight._disk(recipe, need)[0].level == "error"
    (tmp_path / "home").mkdir()
    with (tmp_path / "home" / "store").open("wb") as file:
        file.truncate(2 * 10**9)
    assert preflight._disk(recipe, need)[0].level == "note"
