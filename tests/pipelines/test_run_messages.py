"""A run that has nothing to do says why: a missing parent, a mistyped batch, no usable question, a home in use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from assets.workspace import Workspace
from pipelines.cli import app
from pipelines.cli.run import HOME_IN_USE
from pipelines.run import RunFailed, run
from videozoomer.lake.lock import HomeInUse, hold
from videozoomer.settings import Recipe, load_recipe

pytestmark = pytest.mark.slow


def write_recipe(folder: Path, questions: list[dict[str, str]]) -> Path:
    (folder / "videos").mkdir()
    for name in ("a", "b"):
        (folder / "videos" / f"{name}.mp4").write_bytes(b"no video")
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    source = {"name": "films", "videos": str(folder / "videos"), "questions": str(folder / "questions.jsonl")}
    recipe = {
        "name": "test",
        "home": "run",
        "sources": [source],
        "teacher": {"base_url": "http://127.0.0.1:9/v1", "model": "none"},
        "video": {"batch_size": 1, "failed_share": 1.0},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


GOOD = {"video": "a.mp4", "question": "How many?", "answer": "3"}


@pytest.fixture
def path(tmp_path) -> Path:
    return write_recipe(tmp_path, [GOOD])


@pytest.fixture
def recipe(path) -> Recipe:
    return load_recipe(path)


def command(path: Path, *arguments: str):
    return CliRunner().invoke(app, ["run", "-r", str(path), *arguments], env={"COLUMNS": "4000"})


def test_only_names_what_it_left_stale(path):
    assert command(path, "--only", "funnel").exit_code == 0
    assert "Everything is up to date" in command(path, "--only", "funnel").output
    with path.with_name("questions.jsonl").open("a") as file:
        file.write(json.dumps(GOOD | {"question": "Which?", "answer": "red"}) + "\n")
    output = command(path, "--only", "funnel").output
    assert "left out by --only: questions" in output and "up to date" not in output


def test_only_makes_what_is_missing_before_it(recipe):
    made = {name for name, _ in run(recipe, only=["exemplars"]).materialized}
    assert made == {"sources", "questions", "videos", "shots", "overviews", "exemplars"}
    again = run(recipe, only=["exemplars"])
    assert not again.materialized and set(again.current) == {("exemplars", "films-0001"), ("exemplars", "films-0002")}


def test_only_leaves_a_stale_parent_alone(recipe, tmp_path):
    run(recipe, only=["questions"])
    (tmp_path / "videos" / "c.mp4").write_bytes(b"no video")
    assert {name for name, _ in run(recipe, only=["videos"]).materialized} == {"videos", "shots", "overviews"}
    assert Workspace(recipe).batches() == ["films-0001", "films-0002"]


def test_a_batch_that_does_not_exist_is_an_error_that_names_those_that_do(path):
    result = command(path, "--only", "videos", "--batch", "film-0001")
    assert result.exit_code == 1
    assert "there is no batch 'film-0001'; choose from films-0001, films-0002" in result.output


@pytest.mark.parametrize(
    "questions, expected",
    [
        ([], "there is no question in"),
        (
            [{**GOOD, "video": "x.mp4"}, {**GOOD, "answer": ""}, {**GOOD, "video": "y.mp4"}],
            "none of the 3 questions in",
        ),
    ],
)
def test_a_run_without_a_usable_question_ends_with_the_reason(tmp_path, questions, expected):
    result = command(write_recipe(tmp_path, questions), "--only", "exemplars")
    assert result.exit_code == 1 and expected in result.output and "questions.jsonl" in result.output
    if questions:
        assert "unknown_video (2), no_answer (1)" in result.output and "'x.mp4'" in result.output


def test_a_second_run_says_who_holds_the_home(path, recipe):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from videozoomer.lake.lock import hold\n"
            "with hold(Path(sys.argv[1]), 'a test'):\n    print('held', flush=True)\n    time.sleep(300)",
            str(recipe.home_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        result = command(path, "--only", "sources")
        assert result.exit_code == HOME_IN_USE and f"in use by a test (process {holder.pid}, since " in result.output
        assert not Workspace(recipe).stamps.partitions("sources")
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert command(path, "--only", "sources").exit_code == 0


def test_steps_share_a_home_and_no_run_starts_beside_them(tmp_path):
    with (
        hold(tmp_path, "step 1", shared=True),
        hold(tmp_path, "step 2", shared=True),
        pytest.raises(HomeInUse, match="step 2"),
        hold(tmp_path, "a run"),
    ):
        pass
    with hold(tmp_path, "a run"), hold(tmp_path, "its own step", shared=True):
        pass
    with hold(tmp_path, "another run"):
        pass


def test_an_unknown_asset_is_named(recipe):
    with pytest.raises(RunFailed, match="there is no asset 'exemplar'"):
        run(recipe, only=["exemplar"])
