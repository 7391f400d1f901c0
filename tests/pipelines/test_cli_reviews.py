"""`videozoomer view` and `videozoomer reviews` on the command line."""

import json
import shutil

import pytest
from lake_fixture import write_lake
from typer.testing import CliRunner

from pipelines.cli import app
from videozoomer.lake.lake import Lake
from videozoomer.reviews import Journal, applying


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    world = write_lake(tmp_path_factory.mktemp("world"), width=64)
    return world.lake.root


@pytest.fixture
def home(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "home" / "tables")
    asked = tmp_path / "q.jsonl"
    asked.write_text("")
    (tmp_path / "r.yaml").write_text(
        f"name: r\nhome: {tmp_path / 'home'}\nsources: [{{name: s, videos: {tmp_path}, questions: {asked}}}]\n"
        'teacher: {base_url: "http://127.0.0.1:9/v1"}\n'
    )
    return tmp_path


def run(*arguments, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_reviews_survive_a_rebuilt_home(home, finished):
    lake = Lake(home / "home" / "tables")
    one, other = lake.read("trajectories")["trajectory_id"].head(2)
    journal = Journal(lake)
    journal.decide("Ann Ä", "trajectory", one, "drop", None, None)
    journal.decide("Ann Ä", "trajectory", other, "note", "[bold]two\nlines ü", None)
    file = home / "reviews.jsonl"
    assert "wrote 2 reviews" in run("reviews", "export", file, "-r", home / "r.yaml")
    assert run("reviews", "export", "-", "-r", home / "r.yaml") == file.read_text()
    assert "trajectory drop" in run("reviews", "summary", "-r", home / "r.yaml")
    shutil.rmtree(home / "home")
    shutil.copytree(finished, home / "home" / "tables")
    assert "there are no reviews" in run("reviews", "summary", "-r", home / "r.yaml")
    assert "added 2 reviews" in run("reviews", "import", file, "-r", home / "r.yaml")
    assert "2 were known" in run("reviews", "import", file, "-r", home / "r.yaml")
    assert {(review.decision, review.value) for review in applying(lake)} == {
        ("drop", None),
        ("note", "[bold]two\nlines ü"),
    }


def test_lines_that_are_no_reviews_are_named_and_the_rest_is_added(home):
    lake = Lake(home / "home" / "tables")
    one = lake.read("trajectories")["trajectory_id"][0]
    review = {
        "subject": "trajectory", "key": one, "decision": "tag", "value": "x\u2028y", "who": "ann",
        "at": "2026-01-31T12:00:00+00:00", "content": "c",
    }  # fmt: skip
    lines = [json.dumps(review, ensure_ascii=False), "", "{", "[]", json.dumps(review | {"decision": "burn"})]
    (home / "r.jsonl").write_text("\n".join(lines))
    output = run("reviews", "import", home / "r.jsonl", "-r", home / "r.yaml", code=1)
    for said in ("line 3", "line 4", "line 5", "no decision 'burn'", "added 1 reviews", "3 lines were refused"):
        assert said in output
    assert lake.read("reviews")["value"].to_list() == ["x\u2028y"]
    run("reviews", "import", home / "none.jsonl", "-r", home / "r.yaml", code=1)


def test_what_cannot_be_shown_is_said(home):
    assert "--home" in run("view", code=2)
    assert "has no tables" in run("view", "--home", home / "nowhere", code=1)
    assert "needs --sample" in run("view", "--home", home / "home", "--blind", code=2)
    written = run("view", "-r", home / "r.yaml", "--export", home / "page.html")
    assert "page.html" in written and (home / "page.html").stat().st_size > 100_000
