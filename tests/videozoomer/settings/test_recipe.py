"""Errors of a recipe name the field and what to do; a field that is left out has its default."""

import re
from pathlib import Path

import pytest
import yaml

from videozoomer.settings import Recipe, RecipeError, load_recipe
from videozoomer.settings.edit import add_source
from videozoomer.settings.template import template

SMALLEST = {
    "name": "trial",
    "home": "out",
    "sources": [{"name": "films", "videos": "videos", "questions": "q/questions.jsonl"}],
    "teacher": {"base_url": "http://127.0.0.1:8000/v1"},
}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def write(tmp_path):
    def writer(changes=None, text=None):
        target = tmp_path / "recipes" / "mine.yaml"
        target.parent.mkdir(exist_ok=True)
        target.write_text(yaml.safe_dump({**SMALLEST, **(changes or {})}) if text is None else text, encoding="utf-8")
        return target

    return writer


def refused(path, **options) -> str:
    with pytest.raises(RecipeError) as error:
        load_recipe(path, **options)
    return str(error.value)


def test_the_smallest_recipe_has_the_numbers_of_the_paper(write):
    recipe = load_recipe(write())
    assert (
        recipe.protocol.overview_fps,
        recipe.protocol.overview_frames,
        recipe.protocol.zoom_frames,
        recipe.protocol.max_zooms,
    ) == (0.5, 64, 16, 4)
    assert (recipe.sft.learning_rate, recipe.sft.warmup_share, recipe.sft.epochs, recipe.sft.max_tokens) == (
        5e-6,
        0.1,
        1.0,
        32_768,
    )
    assert recipe.teacher.temperature == 1.0 and recipe.sft.failed_turn_weight == 0.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"teecher": {}}, "teecher: Extra inputs"),
        ({"teacher": {"base_url": "x", "api_key": "secret"}}, "teacher.api_key: Extra inputs"),
        ({"teacher": {}}, "teacher.base_url: Field required"),
        ({"teacher": None}, "teacher.base_url: Field required"),
        ({"protocol": {"zoom_frames": 0}}, "protocol.zoom_frames: Input should be greater than or equal to 1"),
        ({"filters": {"non_zoom_share": 1.5}}, "filters.non_zoom_share: Input should be less than or equal to 1"),
        ({"filters": {"signature_distance": 65}}, "filters.signature_distance:"),
        ({"sft": {"zero_stage": 4}}, "sft.zero_stage:"),
        ({"sft": {"keep": "best"}}, "sft: keep: best needs validation_steps"),
        ({"sft": {"packing": True, "packing_tokens": 10}}, "packing_tokens must not be less than max_tokens"),
        ({"sources": []}, "sources:"),
        ({"sources": [{**SMALLEST["sources"][0], "split": "test"}]}, "sources.0.split:"),
        ({"sources": [SMALLEST["sources"][0]] * 2}, "source names must differ"),
        ({"name": "Bad Name"}, "name:"),
        ({"filters": {"evidence": {"probes": ["shuffled", "shuffled"]}}}, "probes must differ"),
        ({"filters": {"evidence": {"right_rate": 1}}}, "filters.evidence.right_rate:"),
        ({"distill": {"max_samples": 9}}, "set filters.evidence to {}"),
        ({"distill": {"max_samples": 2}, "filters": {"evidence": {}}}, "must not be below distill.samples"),
        ({"distill": {"max_samples": 9, "enough_correct": 1}, "filters": {"evidence": {}}}, "set one of both"),
    ],
)
def test_an_invalid_field_is_named(write, changes, says):
    path = write(changes)
    message = refused(path)
    assert says in message and str(path) in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "not valid YAML"),
        ("just words", "must be a mapping"),
        ("", "must be a mapping"),
        ("- 1", "must be a mapping"),
    ],
)
def test_a_file_that_is_not_a_recipe(write, text, says):
    assert says in refused(write(text=text))


def test_a_recipe_that_is_missing_or_not_text(tmp_path):
    assert "videozoomer init" in refused(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    assert "UTF-8" in refused(tmp_path / "binary.yaml")


def test_environment_variables_are_replaced_at_loading(write, monkeypatch):
    path = write(
        {
            "home": "${PLACE}/${RUN:-first}",
            "teacher": {
                "base_url": "${URL:-http://127.0.0.1:9/v1}",
                "concurrency": "${MANY:-3}",
                "model": "${MODEL:-}",
            },
        }
    )
    monkeypatch.delenv("URL", raising=False)
    monkeypatch.setenv("PLACE", "/data")
    recipe = load_recipe(path)
    assert (recipe.home, recipe.teacher.base_url, recipe.teacher.concurrency) == (
        "/data/first",
        "http://127.0.0.1:9/v1",
        3,
    )
    monkeypatch.setenv("URL", "http://other/v1")
    monkeypatch.setenv("RUN", "second")
    recipe = load_recipe(path)
    assert (recipe.home, recipe.teacher.base_url) == ("/data/second", "http://other/v1")


def test_a_variable_that_is_not_set_is_named_with_its_field(write, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    message = refused(write({"sources": [{**SMALLEST["sources"][0], "videos": "${NOWHERE}/v"}]}))
    assert "sources[0].videos" in message and "NOWHERE" in message and "${NOWHERE:-default}" in message


def test_relative_paths_are_relative_to_the_file(write, monkeypatch, tmp_path):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/someone")
    path = write(
        {
            "home": "../out",
            "sources": [
                {"name": "a", "videos": "./videos/*.mp4", "questions": "q.jsonl"},
                {"name": "b", "videos": "s3://bucket/videos", "questions": "/data/q.csv"},
                {"name": "c", "videos": "~/films", "questions": "q.jsonl"},
                {"name": "d", "videos": "zip://a/*.mp4::films.zip", "questions": "q.jsonl"},
            ],
        }
    )
    recipe = load_recipe(path)
    assert recipe.home_path == tmp_path / "out"
    assert [source.videos for source in recipe.sources] == [
        str(tmp_path / "recipes" / "videos" / "*.mp4"), "s3://bucket/videos", "/home/someone/films",
        f"zip://a/*.mp4::{tmp_path}/recipes/films.zip",
    ]  # fmt: skip
    assert recipe.sources[1].questions == "/data/q.csv"


def test_overrides_are_checked_like_the_file(write):
    path = write()
    recipe = load_recipe(path, {"teacher.base_url": "http://other/v1", "distill.samples": 7})
    assert (recipe.teacher.base_url, recipe.distill.samples) == ("http://other/v1", 7)
    assert "distill.samples" in refused(path, overrides={"distill.samples": 0})
    assert "distill.sampels" in refused(path, overrides={"distill.sampels": 1})
    assert "sources.0 is not a section" in refused(path, overrides={"sources.0.name": "x"})


def test_digests_follow_the_values(write):
    one, same = load_recipe(write()), load_recipe(write())
    other = load_recipe(write({"distill": {"samples": 5}}))
    assert one.digest() == same.digest() != other.digest()
    assert one.teacher.digest() == other.teacher.digest()


def test_the_template_is_a_recipe_that_explains_every_field(write):
    text = template()
    assert load_recipe(write(text=text)).digest() == load_recipe(write(text=text)).digest()
    for name, field in Recipe.model_fields.items():
        assert f"{name}:" in text, name
        assert (field.description or "").splitlines()[:1] == [] or field.description.splitlines()[0] in text, name


def test_the_defaults_that_the_template_shows_are_the_defaults(write):
    shown = re.sub(r"^( *)# (?=[a-z_0-9]+:( |$))", r"\1", template(), flags=re.M)
    assert shown.count("\n") == template().count("\n") and shown != template()
    assert load_recipe(write(text=shown)) == load_recipe(write(text=template()))


def test_an_empty_section_has_its_defaults(write):
    assert load_recipe(write({"distill": None})) == load_recipe(write())


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_recipes_are_valid(path):
    assert load_recipe(path).sources


def test_adding_a_source_keeps_the_rest_of_the_file(write, tmp_path, monkeypatch):
    text = (
        "# mine\nname: trial\nhome: out\nsources:  # where from\n"
        "  - name: films\n    videos: videos\n    questions: q.jsonl\n\n"
        "# who plays\nteacher: {base_url: 'http://t/v1'}\n"
    )
    path = write(text=text)
    monkeypatch.chdir(tmp_path)
    add_source(path, name="more", videos="more", questions="s3://b/q.csv", split="evaluation")
    recipe = load_recipe(path)
    assert [source.name for source in recipe.sources] == ["films", "more"]
    assert (recipe.sources[1].videos, recipe.sources[1].questions) == (str(tmp_path / "more"), "s3://b/q.csv")
    add_source(
        path,
        name="ego",
        videos="e",
        questions="q.json",
        split="train",
        answers="a.json",
        columns={"id": "q"},
        index_base=0,
    )
    source = load_recipe(path).sources[2]
    assert (source.answers, source.columns, source.index_base) == (str(tmp_path / "a.json"), {"id": "q"}, 0)
    kept = [line for line in path.read_text().splitlines() if line in text.splitlines()]
    assert kept == text.splitlines()
    before = path.read_text()
    with pytest.raises(RecipeError, match="differ"):
        add_source(path, name="more", videos="x", questions="y", split="train")
    assert path.read_text() == before and [p.name for p in path.parent.iterdir()] == ["mine.yaml"]


def test_rollouts_of_shuffled_questions_are_not_harvested(write):
    rl = {"policy": {"tiny": {}}, "rl": {"enabled": True, "harvest": {}}}
    assert "leave rl out of shards.shuffle_options" in refused(write({**rl, "shards": {"shuffle_options": True}}))
    kept = load_recipe(write({**rl, "shards": {"shuffle_options": ["sft", "evaluation"]}}))
    assert kept.shards.shuffle_options == ("sft", "evaluation")
    assert "shuffle_options" in refused(write({"shards": {"shuffle_options": ["student"]}}))
