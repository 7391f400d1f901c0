"""A digest covers what decides results, and nothing else; that of a recipe never changes by itself."""

import json
from pathlib import Path

import pytest

from videozoomer.settings import Recipe, load_recipe
from videozoomer.settings.base import Settings
from videozoomer.settings.model import (
    AdditionalTeacher,
    DistillSettings,
    Endpoint,
    RlSettings,
    SftSettings,
    VideoSettings,
)
from videozoomer.settings.rl import RolloutServer

FOLDER = Path(__file__).resolve().parents[3] / "recipes"
PINNED = json.loads(Path(__file__).with_name("digests.json").read_text())
"""Recipe -> section -> digest, as they were when results were first stamped with them."""
OPERATIONAL: dict[type[Settings], set[str]] = {
    VideoSettings: {"workers", "timeout_s", "memory_mb", "failed_share", "batch_size"},
    Endpoint: {
        *("api_key_env", "concurrency", "timeout_s", "retries", "dead_after_s", "deadline_s", "batch"),
        *("requests_per_minute", "tokens_per_minute", "prices", "max_images", "headers", "served_names", "query"),
    },
    DistillSettings: {"budget_usd", "failed_share"},
    RolloutServer: {"concurrency", "timeout_s", "patience_s", "max_gap"},
    RlSettings: {"enabled", "harvest", "processes"},
    SftSettings: {"vision_cache_gb", "vision_cache_folder", "peak_tflops"},
}


def sections(settings: Settings, prefix: str = "") -> dict[str, str]:
    found = {prefix: settings.digest()} if prefix else {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Settings):
            found |= sections(value, f"{prefix}.{name}".strip("."))
    return found


@pytest.mark.parametrize("name", PINNED)
def test_sections_of_shipped_recipes_keep_their_digests(name):
    """A change here makes the results of every run stale: it needs a line in CHANGELOG."""
    assert sections(load_recipe(FOLDER / name)) == PINNED[name]


def test_every_shipped_recipe_is_pinned():
    assert set(PINNED) == {path.name for path in FOLDER.glob("*.yaml")}


def all_models(model: type[Settings] = Settings) -> list[type[Settings]]:
    return [kind for sub in model.__subclasses__() for kind in (sub, *all_models(sub))]


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_operational_fields_are_those_and_no_others(model):
    assert model.operational_fields() == OPERATIONAL.get(Endpoint if issubclass(model, Endpoint) else model, set())


def test_operational_fields_leave_the_digest_alone_and_others_do_not():
    endpoint = Endpoint(base_url="http://one/v1")
    assert endpoint.model_copy(update={"concurrency": 3, "api_key_env": "KEY"}).digest() == endpoint.digest()
    assert endpoint.model_copy(update={"temperature": 0.5}).digest() != endpoint.digest()


def test_an_empty_extra_body_is_as_none_was_before_it_existed():
    endpoint = Endpoint(base_url="http://one/v1")
    assert endpoint.model_copy(update={"extra_body": {"top_k": 5}}).digest() != endpoint.digest()
    assert Endpoint(base_url="http://one/v1", extra_body={}).digest() == endpoint.digest()


def test_new_fields_of_an_endpoint_leave_the_digest_of_several_teachers_alone():
    def digest(**fields: object) -> str:
        teacher = AdditionalTeacher(endpoint=Endpoint(base_url="http://one/v1", **fields))
        return DistillSettings(more_teachers=(teacher,)).digest()

    assert digest() == "2f28f07ed8787115"
    assert digest(headers={"x-title": "films"}, query={"v": "1"}, extra_body={}, served_names=["a"]) == digest()
    assert digest(another_model="note") == digest() != digest(another_model="refuse")
    assert digest(extra_body={"top_k": 5}) != digest()


def test_calls_read_as_meant_are_as_distillation_was_before_the_choice_existed():
    assert DistillSettings(zoom_calls="as_meant").digest() == DistillSettings().digest()
    assert DistillSettings(zoom_calls="to_the_letter").digest() != DistillSettings().digest()


def test_an_endpoint_with_an_identity_is_the_same_at_any_address():
    moved = [Endpoint(base_url=f"http://{host}/v1", identity="ours") for host in ("one", "two")]
    assert moved[0].digest() == moved[1].digest()
    unnamed = [Endpoint(base_url=f"http://{host}/v1") for host in ("one", "two")]
    assert unnamed[0].digest() != unnamed[1].digest()


def test_every_field_has_a_sentence():
    bare = [f"{model.__name__}.{name}" for model in all_models() for name, field in model.model_fields.items()
            if not (field.description or "").endswith((".", "(ours)."))]  # fmt: skip
    assert not bare and Recipe in all_models()


def test_a_chosen_stream_makes_results_stale_and_the_default_does_not():
    assert VideoSettings(stream="auto").digest() == VideoSettings().digest()
    digests = {VideoSettings(stream=stream).digest() for stream in ("auto", 0, 1)}
    assert len(digests) == 3
    assert [VideoSettings(stream=stream).stream_index for stream in ("auto", 0, 1)] == [None, 0, 1]
