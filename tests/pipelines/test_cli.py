"""The command line as a newcomer uses it."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperGroup
from typer.testing import CliRunner

from assets.workspace import Workspace
from pipelines.cli import app
from videozoomer.settings import load_recipe

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()
COMMENT = "# The vision model that plays the questions"
"""A comment in every new recipe."""


def call(*arguments: object):
    return runner.invoke(app, [str(argument) for argument in arguments])


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


def every_command() -> list[str]:
    """`run`, `sources add`, ...: all commands, found in the application itself."""

    def walk(command: object, names: tuple[str, ...]) -> list[str]:
        if isinstance(command, TyperGroup):
            return [found for name, below in command.commands.items() for found in walk(below, (*names, name))]
        return [" ".join(names)]

    return walk(typer.main.get_command(app), ())


@pytest.mark.parametrize("command", every_command())
def test_help_of_every_command_has_an_example(command):
    result = call(*command.split(), "--help")
    assert result.exit_code == 0
    example = plain(result.output).split("Example", 1)[1]
    assert f"videozoomer {command} " in example


def test_the_version_is_that_of_the_installed_package():
    result = call("--version")
    assert result.exit_code == 0 and result.output == f"videozoomer {version('videozoomer')}\n"


def test_the_package_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "videozoomer [OPTIONS] COMMAND" in plain(result.stdout)


def test_init_writes_a_recipe_that_loads_and_explains_itself(tmp_path):
    path = tmp_path / "mine.yaml"
    assert call("init", path).exit_code == 0
    assert load_recipe(path).sources[0].name == "films"
    assert COMMENT in path.read_text()
    assert len(path.read_text().splitlines()) < 36 and "--full" in path.read_text()
    again = call("init", path)
    assert again.exit_code == 1 and "exists already" in plain(again.output)


def test_init_fills_in_what_it_is_given_and_says_what_it_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("films", "recipes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"x")
    (tmp_path / "q.csv").write_text("video,question,answer\na.mp4,what?,this\n")
    given = ["--videos", "films", "--questions", "q.csv", "--server", "https://there/v1", "--model", "a: b #c"]
    given += ["--key-env", "MY_KEY", "--home", "out", "--samples", 2]
    loaded = []
    for name, full in (("recipes/one.yaml", []), ("recipes/all.yaml", ["--full"])):
        result = call("init", name, *given, *full)
        assert result.exit_code == 0 and "1 rows, all usable" in plain(result.output)
        assert f"Next: videozoomer check -r {name} videozoomer run -r {name}" in plain(result.output)
        loaded.append(load_recipe(name))
    one, everything = loaded
    assert one.model_copy(update={"name": "all"}) == everything
    assert one.name == "one" and one.home == str(tmp_path / "out") and one.distill.samples == 2
    assert one.sources[0].videos == str(tmp_path / "films") and one.sources[0].questions == str(tmp_path / "q.csv")
    assert (one.teacher.base_url, one.teacher.model, one.teacher.api_key_env) == (
        "https://there/v1",
        "a: b #c",
        "MY_KEY",
    )


@pytest.mark.parametrize("name", ["recipe.yaml", "My Films!.yaml", "__.yaml", "übung.yml"])
def test_init_names_the_run_after_its_file(tmp_path, name):
    assert call("init", tmp_path / name).exit_code == 0
    recipe = load_recipe(tmp_path / name)
    assert recipe.home == str(tmp_path / "runs" / recipe.name) and not recipe.trains


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--server", "localhost:8000"], "write it as http://localhost:8000"),
        (["--key-env", "sk-abcdefgh"], "needs the NAME of an environment variable"),
        (["--videos", "${NOWHERE}/films"], "NOWHERE is not set"),
    ],
)
def test_init_refuses_what_no_run_could_use_and_leaves_no_file(tmp_path, given, says):
    result = call("init", tmp_path / "my.yaml", *given)
    assert result.exit_code == 1 and says in plain(result.output) and not (tmp_path / "my.yaml").exists()


def test_init_into_a_folder_says_to_name_a_file(tmp_path):
    assert "is a folder; name a file" in plain(call("init", tmp_path).output)


def test_sources_add_keeps_comments_and_lists_unusable_questions(tmp_path):
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
    assert COMMENT in path.read_text()


def test_sources_add_takes_what_a_question_file_does_not_say(tmp_path):
    videos, path = tmp_path / "films", tmp_path / "my.yaml"
    videos.mkdir()
    (videos / "a.mp4").touch()
    questions, answers = tmp_path / "q.json", tmp_path / "truth.json"
    questions.write_text(json.dumps([{"name": "x", "video": "a", "ask": "What?", "options": ["red", "blue"]}]))
    answers.write_text('{"x": 1}')
    assert call("init", path).exit_code == 0
    command = ["sources", "add", "clips", "--videos", videos, "--questions", questions, "-r", path]
    refused = call(*command)
    assert refused.exit_code == 1 and "no column for the question" in refused.output
    said = ["--answers", answers, "--column", "question=ask", "--column", "id=name"]
    result = call(*command, *said, "--index-base", "1")
    assert result.exit_code == 0 and "1 questions, 0 of them unusable" in result.output
    source = load_recipe(path).sources[-1]
    assert (source.answers, source.columns) == (str(answers), {"question": "ask", "id": "name"})
    for wrong in ("question", "qestion=ask"):
        refused = call(*command, "--column", wrong)
        assert refused.exit_code == 2 and "ROLE=NAME" in refused.output


def test_sources_check_says_what_was_understood_of_each_file(tmp_path):
    path = tmp_path / "mine.yaml"
    call("init", path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    rows = [{"clip": "a.mp4", "question": f"{n}?", "candidates": ["x", "y"], "answer": n} for n in (0, 1, 2)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    refused = call("sources", "check", "-r", path)
    assert refused.exit_code == 1 and "no column for the video" in plain(refused.output)
    given = yaml.safe_load(path.read_text())
    given["sources"][0]["columns"] = {"video": "clip"}
    path.write_text(yaml.safe_dump(given))
    result = call("sources", "check", "-r", path)
    said = plain(result.output)
    assert result.exit_code == 0
    assert "video from `clip`, options from `candidates`" in said and "answer is a 0-based index (a row has 0)" in said
    assert "3 rows, 1 quarantined: 1 answer_not_in_options" in said
    assert "line 3: answer_not_in_options: answer '2' is none of its 2 options" in said


def test_a_wrong_recipe_is_reported_with_field_and_remedy(tmp_path):
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


def test_balance_shows_what_the_rules_shift(finished):
    shown = call("balance", "-r", finished.recipe_path)
    assert shown.exit_code == 0 and "pass rate of the question" in plain(shown.output)
    assert call("balance", "--kind", "question", "--rule", "chance", "-r", finished.recipe_path).exit_code == 0
    for option in (("--kind", "nobody"), ("--rule", "nothing")):
        refused = call("balance", *option, "-r", finished.recipe_path)
        assert refused.exit_code == 2 and "choose from" in plain(refused.output)


def test_status_of_a_finished_run_is_current(finished):
    result = call("status", "-r", finished.recipe_path)
    assert result.exit_code == 0 and "stale" not in result.output and "missing" not in result.output


@pytest.mark.parametrize(
    "command",
    [
        "status {}",
        "run {} --dry-run",
        "run --dry-run {}",
        "sources check {}",
        "sources list {}",
        "trajectories list {}",
    ],
)
def test_a_recipe_may_be_given_without_its_option(command, tmp_path, monkeypatch):
    monkeypatch.delenv("VIDEOZOOMER_RECIPE", raising=False)
    missing = tmp_path / "none.yaml"
    named = call(*command.format(f"-r {missing}").split())
    alone = call(*command.format(missing).split())
    assert (alone.exit_code, alone.output) == (named.exit_code, named.output)
    assert "none.yaml does not exist" in alone.output.replace("\n", "")


def test_a_file_that_an_option_takes_is_no_recipe(tmp_path, monkeypatch):
    monkeypatch.delenv("VIDEOZOOMER_RECIPE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("sources: []\n")
    (tmp_path / "site.yaml").write_text("nav: []\n")
    result = call("run", "--only", "exemplars.yaml")
    assert result.exit_code == 2
    assert "say which recipe, such as `-r mine.yaml`; here is mine.yaml" in " ".join(result.output.split())
