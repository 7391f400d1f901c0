"""Mistakes in a recipe and at the command line, in this process: each has its sentence, remedy and exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from videozoomer.settings import load_recipe

SERVER = "http://127.0.0.1:9/v1"


def call(*arguments: object):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "4000"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def write(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"never read by a check")
    (tmp_path / "q.csv").write_text("video,question,answer\na.mp4,what?,this\n")

    def writer(**changes: object) -> Path:
        source = {"name": "films", "videos": "films", "questions": "q.csv"} | changes.pop("source", {})  # type: ignore[operator]
        recipe = {"name": "x", "home": "run", "sources": [source], "teacher": {"base_url": SERVER}}
        path = tmp_path / "x.yaml"
        path.write_text(yaml.safe_dump(recipe | changes))
        return path

    return writer


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"teacher": {"base_url": "127.0.0.1:8000/v1"}},
            "teacher.base_url: must be an address that begins with http://",
        ),
        ({"teacher": {"base_url": ""}}, "teacher.base_url: must be an address that begins with http://"),
        ({"teacher": {"base_url": f"{SERVER}/chat/completions"}}, "is the address before /chat/completions"),
        ({"teacher": SERVER}, "teacher: should be a section with fields such as base_url"),
        ({"sources": {"name": "films"}}, "sources: should be a list; begin each entry with '- '"),
        ({"source": {"name": "My Films"}}, "is not of this form: Short name of the source: lower-case letters"),
        ({"source": {"questions": "films"}}, "questions must be a file, but"),
        ({"source": {"questions": "none.csv"}}, "none.csv does not exist; check the path under questions"),
        ({"protocol": {"prompts": "v9"}}, "there are no prompts of version 'v9'; choose one of"),
        ({"policy": {"checkpoint": "./nope"}}, "./nope is neither a folder nor a name on the hub"),
        (
            {"policy": {"tiny": {}}, "sft": {"batch_size": 5, "micro_batch_size": 2}},
            "sft.batch_size 5 is no multiple of",
        ),
    ],
)
def test_a_mistake_in_a_recipe_is_found_by_a_check(write, changes, says):
    result = call("check", "-r", write(**changes))
    assert result.exit_code == 1 and says in result.output


def test_an_entry_that_is_wrong_does_not_also_make_its_list_empty(write):
    result = call("status", "-r", write(source={"split": "test"}))
    assert "sources.0.split: Input should be 'train' or 'evaluation'" in result.output
    assert "at least 1 item" not in result.output


def test_a_checkpoint_beside_the_recipe_is_found(write, tmp_path):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert load_recipe(write(policy={"checkpoint": "models/mine"})).policy.checkpoint == str(tmp_path / "models/mine")
    assert load_recipe(write(policy={"checkpoint": "Qwen/Other"})).policy.checkpoint == "Qwen/Other"


def test_what_is_no_recipe_is_named(write, tmp_path):
    write()
    assert "is a folder; name the recipe, such as" in call("run", "-r", tmp_path).output
    result = call("run", "-r", tmp_path / "q.csv")
    assert "is no recipe: it must be a mapping" in result.output and "init my.yaml" in result.output


@pytest.mark.parametrize(("option", "typed"), [("--kind", "exemplars"), ("--outcome", "keep"), ("--limit", 0)])
def test_a_filter_that_fits_nothing_is_wrong(write, option, typed):
    assert call("trajectories", "list", "-r", write(), option, typed).exit_code == 2


@pytest.mark.slow
def test_a_clip_after_the_end_is_an_error_and_leaves_no_file(world, tmp_path):
    film = next((world / "train" / "videos").glob("tape-*.mp4"))
    result = call("video", "clip", film, 90_000, 90_001, "-o", tmp_path / "clip.mp4")
    assert result.exit_code == 1 and "choose a segment inside the video" in result.output
    assert not list(tmp_path.glob("*.mp4"))
    assert call("video", "clip", film, 1, 2, "-o", tmp_path / "clip.mp4").exit_code == 0
    assert call("video", "frames", film, "--at", "-5").exit_code == 2


@pytest.mark.parametrize("command", ["ui -r x.yaml", "serve some/model"])
def test_a_port_that_cannot_be_is_wrong(command):
    assert call(*command.split(), "--port", 99_999).exit_code == 2


def test_probe_names_what_is_wrong_with_an_address():
    result = call("ledger", "probe", "nonsense")
    assert result.exit_code == 1 and "error: the address must be an address that begins with http" in result.output


@pytest.mark.slow
def test_serve_does_not_look_on_the_hub_for_a_folder_that_is_missing(tmp_path):
    pytest.importorskip("torch")
    assert call("serve", tmp_path / "none").exit_code == 1
