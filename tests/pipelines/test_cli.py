"""The command line as a newcomer meets it."""

import json
import re

import pytest
import yaml
from typer.testing import CliRunner

from assets.workspace import Workspace
from pipelines.cli import app
from videozoomer.settings import load_recipe

runner = CliRunner()


def call(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments])


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


@pytest.mark.parametrize(
    "command", ["run", "status", "init", "ui", "sources add", "sources list", "trajectories show", "trajectories list"]
)
def test_help_of_every_command_has_an_example(command):
    result = call(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"videozoomer {command}" in plain(result.output)


def test_init_writes_a_recipe_that_loads_and_explains_itself(tmp_path):
    path = tmp_path / "mine.yaml"
    assert call("init", path).exit_code == 0
    assert load_recipe(path).sources[0].name == "films"
    assert "# Any OpenAI-compatible server" in path.read_text()
    again = call("init", path)
    assert again.exit_code == 1 and "exists already" in plain(again.output)


def test_sources_add_keeps_comments_and_says_what_is_unusable(tmp_path):
    path = tmp_path / "mine.yaml"
    call("init", path)
    videos = tmp_path / "clips"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"x")
    questions = tmp_path / "q.jsonl"
    questions.write_text(
        "\n".join(
            json.dumps(row)
            for row in (
                {"video": "a.mp4", "question": "what?", "answer": "this"},
                {"video": "b.mp4", "question": "what?", "answer": "that"},
            )
        )
    )
    result = call("sources", "add", "clips", "--videos", videos, "--questions", questions, "-r", path)
    assert result.exit_code == 0
    assert "1 videos, 2 questions, 1 of them unusable" in plain(result.output) and "unknown_video" in result.output
    assert [source.name for source in load_recipe(path).sources] == ["films", "clips"]
    assert "# Any OpenAI-compatible server" in path.read_text()


def test_a_wrong_recipe_is_answered_with_field_and_remedy(tmp_path):
    path = tmp_path / "mine.yaml"
    call("init", path)
    broken = yaml.safe_load(path.read_text())
    broken["teacher"]["temprature"] = 1
    path.write_text(yaml.safe_dump(broken))
    result = call("status", "-r", path)
    assert result.exit_code == 1 and "teacher.temprature" in plain(result.output)
    missing = call("status", "-r", tmp_path / "none.yaml")
    assert missing.exit_code == 1 and "videozoomer init" in plain(missing.output)


def test_trajectories_are_listed_and_shown(finished):
    listed = call("trajectories", "list", "-r", finished.recipe_path, "--kind", "exemplar", "--limit", 3)
    assert listed.exit_code == 0
    row = Workspace(finished.recipe).lake.read("trajectories").row(0, named=True)
    shown = call("trajectories", "show", row["trajectory_id"][:16], "-r", finished.recipe_path)
    question = row["messages"][1]["parts"][-1]["text"].split("Question: ")[1].split("\n")[0]
    assert shown.exit_code == 0 and plain(question) in plain(shown.output)
    nobody = call("trajectories", "show", "zzzz", "-r", finished.recipe_path)
    assert nobody.exit_code == 1 and "0 trajectories begin with" in plain(nobody.output)


def test_status_of_a_finished_run_is_current(finished):
    result = call("status", "-r", finished.recipe_path)
    assert result.exit_code == 0 and "stale" not in result.output and "missing" not in result.output
