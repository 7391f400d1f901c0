"""Training happens where a recipe asks for it; where nothing is left to train on, the report says so and is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, json_bytes
from edited_home import EditedHome, read_films
from pydantic import ValidationError
from typer.testing import CliRunner

from assets.workspace import Workspace
from pipelines.build import build_assets
from pipelines.cli import app
from pipelines.cli.run import NOTHING_KEPT
from videozoomer.settings import Recipe
from videozoomer.settings.policy import PolicySettings, TinyModel
from videozoomer.video import ingest

TRAINED = {"sft_policy", "policy_evaluation"}
SMALL = {
    "policy": {
        "train_min_pixels": 784,
        "train_max_pixels": 784,
        "tiny": {"hidden_size": 32, "layers": 2, "heads": 2, "key_value_heads": 1, "vocabulary": 512},
    },
    "sft": {"max_steps": 1, "batch_size": 1, "zero_stage": 0, "bf16": False, "gradient_checkpointing": False},
    "evaluation": {"max_questions": 1, "max_new_tokens": 8, "bootstrap": 10},
}


def answers(letter: str):
    """A teacher that always gives this answer."""

    def behave(number: int, body: bytes) -> tuple[int, dict, bytes]:
        return json_bytes(200, teacher.completion(f"<think>it is {letter}</think><answer>{letter}</answer>"))

    teacher = ChatServer(behave=behave)
    return teacher


@pytest.fixture
def wrong(monkeypatch) -> Iterator[ChatServer]:
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with answers("A") as server:
        yield server


@pytest.fixture
def edited(tmp_path, wrong) -> EditedHome:
    """A home whose teacher answers every question wrong."""
    home = EditedHome(tmp_path, wrong.url)
    for number, film in enumerate("ab"):
        home.film(film).write_text(f"film {film}")
        home.ask(number, film, "B")
    return home


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "4000"})


def names(recipe: Recipe) -> set[str]:
    return {key.to_user_string() for asset in build_assets(recipe) for key in asset.keys}


def recipe_with(edited: EditedHome, **sections: object) -> Recipe:
    edited.settings |= sections
    return edited.recipe(edited.folder / "home")


@pytest.mark.parametrize("policy", [{"checkpoint": "some/model"}, {"tiny": {}}])
def test_a_policy_is_trained_only_where_the_recipe_sets_one(edited, policy):
    plain = recipe_with(edited)
    assert not plain.trains and not names(plain) & TRAINED
    asked = recipe_with(edited, policy=policy)
    assert asked.trains and names(asked) - names(plain) == TRAINED


def test_leaving_the_toy_out_keeps_the_digest_that_it_had():
    for fields in ({}, {"checkpoint": "some/model"}, {"lora_rank": 8}):
        assert PolicySettings(**fields).digest() == PolicySettings(**fields, tiny=TinyModel()).digest()
    assert PolicySettings(tiny=TinyModel(layers=9)).digest() != PolicySettings().digest()


def test_a_recipe_written_as_json_and_read_again_asks_for_no_more(edited):
    plain = recipe_with(edited)
    assert not Recipe.model_validate_json(plain.model_dump_json()).trains


@pytest.mark.parametrize("asks", [{"student": {}}, {"rl": {"enabled": True}}])
def test_a_student_and_rl_need_a_policy(edited, asks):
    with pytest.raises(ValidationError, match=r"needs a policy to train: set policy.checkpoint"):
        Recipe.model_validate(recipe_with(edited).model_dump() | asks)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--only", "sft_policy"], "so it has no sft_policy; to train, set policy.checkpoint"),
        (
            ["run", "--force", "rl_policy"],
            "policy.tiny to {} for a random model that only shows that training works; set",
        ),
        (["train"], "trains nothing; to train, set policy.checkpoint"),
        (["run", "--only", "exemplar"], "there is no asset 'exemplar'; did you mean exemplars?"),
    ],
)
def test_asking_for_what_the_recipe_lacks_says_what_to_set(edited, words, says):
    recipe_with(edited)
    result = call(words[0], "-r", edited.folder / "recipe.yaml", *words[1:])
    assert result.exit_code == 1 and says in result.output


def test_an_optional_asset_of_a_recipe_that_trains_says_what_to_set(edited):
    recipe_with(edited, policy={"tiny": {}})
    result = call("run", "-r", edited.folder / "recipe.yaml", "--only", "rl_policy")
    assert result.exit_code == 1 and "has no rl_policy; set rl.enabled to true" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("trains", [False, True])
def test_a_run_that_keeps_nothing_says_why_and_writes_the_report(edited, trains):
    recipe = recipe_with(edited, **(SMALL if trains else {}))
    result = call("run", "-r", edited.folder / "recipe.yaml")
    assert result.exit_code == NOTHING_KEPT, result.output
    assert "error: none of 2 trajectories was kept; most often: " in result.output and "wrong_answer (" in result.output
    report = (recipe.home_path / "report" / "index.html").read_text()
    assert ("no trajectory is in" if trains else "the recipe trains nothing") in report
    assert (recipe.home_path / "report" / "trajectories.html").is_file()
    assert not (recipe.home_path / "training" / "sft" / "checkpoint").exists()
    again = call("run", "-r", edited.folder / "recipe.yaml")
    assert again.exit_code == NOTHING_KEPT and "Everything is up to date" in again.output


@pytest.mark.slow
def test_a_policy_of_before_is_reported_no_more_where_nothing_is_left_to_train_on(edited):
    recipe = recipe_with(edited, **SMALL)
    folder = recipe.home_path / "training" / "sft"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"loss_before": 1.0, "loss_after": 0.5, "steps": 918273}))
    result = call("run", "-r", edited.folder / "recipe.yaml")
    assert result.exit_code == NOTHING_KEPT and "918,273" not in result.output and "918273" not in result.output
    page = Path(recipe.home_path / "report" / "index.html").read_text()
    assert "918273" not in page and "918,273" not in page
    assert Workspace(recipe).lake.read("evaluations").filter(player="sft_policy").is_empty()
