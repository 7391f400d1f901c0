"""A run killed while it reads a batch of films keeps those that it has finished."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from graph_fixture import write_recipe

import videozoomer.video.ingest
from assets.workspace import Workspace
from pipelines.run import run
from videozoomer.settings import Recipe, load_recipe

pytestmark = pytest.mark.slow

FILMS = 4
ONLY = ("sources", "videos", "shots", "overviews")


@pytest.fixture
def recipe(tmp_path: Path, world: Path) -> Recipe:
    """Films of which each takes a moment to read, read one after another."""
    videos = tmp_path / "videos"
    videos.mkdir()
    source = world / "train/videos/tape-01.mp4"
    for number in range(FILMS):
        # The same film under another id: bytes after the last box are ignored.
        (videos / f"film-{number}.mp4").write_bytes(source.read_bytes() + bytes([0, 0, 0, 9, *b"free", number]))
    video = {"workers": 1, "zoom_store_fps": 1}
    path = write_recipe(tmp_path / "recipe.yaml", world, "http://127.0.0.1:1", video=video)
    path.write_text(path.read_text().replace(str(world / "train/videos"), str(videos)))
    return load_recipe(path)


def read_films(monkeypatch: pytest.MonkeyPatch, recipe: Recipe, **options: object) -> list[str]:
    """Run, and return the films of the source `world` that were read."""
    read: list[str] = []
    original = videozoomer.video.ingest.ingest_many

    def noting(uris, *more, **settings):
        read.extend(Path(uri).name for uri in uris if Path(uri).name.startswith("film-"))
        return original(uris, *more, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(videozoomer.video.ingest, "ingest_many", noting)
        run(recipe, only=ONLY, **options)
    return read


def kill_after(films: int, recipe: Recipe, recipe_path: Path) -> int:
    """Kill a run once it has kept this many films; the number that it kept."""
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "-r",
        str(recipe_path),
        *(f"--only={name}" for name in ONLY),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    folder = recipe.home_path / "scratch/ingest/world-0001"
    while len(list(folder.glob("[!.]*.json"))) < films:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(folder.glob("[!.]*.json")))


def contents(recipe: Recipe) -> list[str]:
    lake = Workspace(recipe).lake
    return [
        lake.content_hash(table, partition)
        for table in ("videos", "shots", "overviews", "frames")
        for partition in lake.partitions(table)
    ]


def test_a_killed_run_keeps_each_finished_film(recipe, tmp_path, monkeypatch):
    finished = kill_after(2, recipe, tmp_path / "recipe.yaml")
    assert 2 <= finished < FILMS
    assert len(read_films(monkeypatch, recipe)) == FILMS - finished
    assert not (recipe.home_path / "scratch/ingest/world-0001").exists()
    resumed = contents(recipe)
    shutil.rmtree(recipe.home_path)
    assert len(read_films(monkeypatch, recipe)) == FILMS
    assert contents(recipe) == resumed


def test_a_changed_film_or_a_lost_zoom_store_is_read_again(recipe, tmp_path, monkeypatch):
    finished = kill_after(2, recipe, tmp_path / "recipe.yaml")
    changed = tmp_path / "videos/film-0.mp4"
    changed.write_bytes(changed.read_bytes() + bytes([0, 0, 0, 9, *b"free", 99]))
    shutil.rmtree(recipe.home_path / "zoom_store")
    assert finished >= 2 and len(read_films(monkeypatch, recipe)) == FILMS


def test_a_batch_that_fails_keeps_its_films_and_tries_the_others_again(recipe, tmp_path, monkeypatch):
    strict = recipe.model_copy(update={"video": recipe.video.model_copy(update={"failed_share": 0.0})})
    away = tmp_path / "film-3.mp4"
    shutil.move(tmp_path / "videos/film-3.mp4", away)
    (tmp_path / "videos/film-3.mp4").symlink_to(away)
    run(recipe, only=["sources"])
    away.rename(tmp_path / "away")
    with pytest.raises(Exception, match="cannot be read"):
        read_films(monkeypatch, strict)
    (tmp_path / "away").rename(away)
    assert read_films(monkeypatch, strict) == ["film-3.mp4"]
