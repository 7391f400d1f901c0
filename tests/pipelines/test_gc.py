"""`videozoomer gc`: what a later run replaced goes, and the views that named it are written again."""

import duckdb
import pytest
from chat_server import ChatServer
from edited_home import EditedHome, contents, read_films
from typer.testing import CliRunner

from assets.workspace import Workspace
from pipelines.cli import app
from pipelines.plan import READ
from pipelines.run import run
from videozoomer.video import ingest

pytestmark = pytest.mark.slow


@pytest.fixture
def edited(tmp_path, monkeypatch) -> EditedHome:
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with ChatServer(zooms=0) as server:
        home = EditedHome(tmp_path, server.url)
        home.film("a").write_text("film a")
        home.ask(0, "a", "A")
        home.run()
        yield home


def gc(edited: EditedHome, *options: str) -> str:
    result = CliRunner().invoke(app, ["gc", "-r", str(edited.folder / "recipe.yaml"), *options])
    assert result.exit_code in (0, 1), result.output
    return result.output


def answers(home) -> list[tuple[str]]:
    with duckdb.connect(str(home / "lake.duckdb"), read_only=True) as views:
        return views.execute("select answer from questions").fetchall()


def test_replaced_files_go_and_the_views_still_open(edited):
    home = edited.folder / "home"
    Workspace(edited.recipe(home)).lake.write_views(home / "lake.duckdb")
    edited.ask(0, "a", "B")
    edited.run()
    before = contents(home)
    assert "0 files removed" in gc(edited)
    assert answers(home) == [("A",)]
    shown = gc(edited, "--older-than", "0", "--dry-run")
    files = int(shown.split()[0])
    assert files >= 3 and "would be removed" in shown
    assert f"{files} files removed" in gc(edited, "--older-than", "0")
    assert contents(home) == before and answers(home) == [("B",)]
    assert edited.run() == set()


def test_the_views_are_stale_once_a_table_has_another_file(edited):
    workspace = Workspace(edited.recipe(edited.folder / "home"))
    before = READ["lake_views"](workspace)
    workspace.lake.write("leaks", workspace.lake.read("leaks"))
    assert READ["lake_views"](workspace) == before
    edited.ask(0, "a", "B")
    run(edited.recipe(edited.folder / "home"), only=["questions"])
    assert READ["lake_views"](workspace) != before
