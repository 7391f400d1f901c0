"""What a recipe adds to a request, and the sampling that is always sent whole."""

from __future__ import annotations

import json

import pytest
from chat_server import ChatServer
from distill_world import make_items
from pydantic import ValidationError
from test_chat import ask_once, run

from distill.client.errors import StepStopped
from distill.exemplars import exemplar_jobs
from distill.storage.frames import FrameStore
from distill.storage.ledger import read_entries
from videozoomer.settings.model import DistillSettings, Endpoint


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def test_extra_parameters_are_sent_and_make_another_call(store, tmp_path):
    extra = {"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}}
    with ChatServer() as server:
        ask_once(server, store, tmp_path / "l.sqlite")
        ask_once(server, store, tmp_path / "l.sqlite", extra_body=extra)
        ask_once(server, store, tmp_path / "l.sqlite", extra_body=extra)
        plain, more = server.bodies()
    assert {name: more[name] for name in extra} == extra and more.items() >= plain.items()
    assert len({entry.key for entry in read_entries(tmp_path / "l.sqlite")}) == 2


@pytest.mark.parametrize("name", ["model", "messages", "seed", "top_p", "stop", "stream"])
def test_extra_parameters_cannot_be_ours(name):
    with pytest.raises(ValidationError, match=name):
        Endpoint(base_url="http://one/v1", extra_body={name: 1})


def test_headers_and_query_reach_every_request(store, tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_KEY", "s3cret")
    with ChatServer() as server:
        fields = {"headers": {"api-key": "$AZURE_KEY", "x-title": "films"}, "query": {"api-version": "2024-10-21"}}
        ask_once(server, store, tmp_path / "l.sqlite", **fields)
    assert len(server.heads) == 2  # The list of models and one call.
    for head in server.heads:
        assert "?api-version=2024-10-21 " in head
        assert "api-key: s3cret\r\n" in head and "x-title: films\r\n" in head
    assert b"s3cret" not in (tmp_path / "l.sqlite").read_bytes()


def test_a_header_s_variable_that_is_not_set_is_named(store, tmp_path, monkeypatch):
    monkeypatch.delenv("AZURE_KEY", raising=False)
    with ChatServer() as server, pytest.raises(StepStopped, match="AZURE_KEY is not set; header api-key"):
        ask_once(server, store, tmp_path / "l.sqlite", headers={"api-key": "${AZURE_KEY}"})


@pytest.mark.parametrize("value", ["s3cret", "Bearer abcdef123", ""])
def test_a_secret_in_a_header_is_refused_and_not_repeated(value):
    with pytest.raises(ValidationError, match="name an environment variable") as caught:
        Endpoint(base_url="http://one/v1", headers={"Authorization": value})
    assert not value or value not in str(caught.value)
    Endpoint(base_url="http://one/v1", headers={"Authorization": "Bearer $TOKEN"})


@pytest.mark.parametrize(("owner", "neutral"), [("vllm", True), ("sglang", True), ("openai", False)])
@pytest.mark.parametrize("named", [True, False])
def test_a_server_that_samples_as_the_model_came_is_told_not_to(store, tmp_path, owner, neutral, named):
    """generation_config.json of Qwen2.5-VL has a repetition penalty of 1.05, which vLLM takes unless told otherwise."""
    with ChatServer(owned_by=owner) as server:
        model = {"model": "rule-player"} if named else {}
        ask_once(server, store, tmp_path / "l.sqlite", **model)
        ask_once(server, store, tmp_path / "l.sqlite", extra_body={"top_k": 7}, **model)
        first, second = server.bodies()
    whole = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    assert first["top_p"] == second["top_p"] == 1.0 and second["top_k"] == 7
    assert {name: value for name, value in first.items() if name in whole} == (whole if neutral else {})
    assert ("min_p" in second) == neutral


def test_neutral_sampling_that_a_server_rejects_is_left_out(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 2), DistillSettings(samples=1)))
    with ChatServer(owned_by="vllm", refuses=("min_p",)) as server:
        rows, _ = run(server, store, tmp_path / "l.sqlite", jobs)
    assert {row["status"] for row in rows} == {"answered"}
    assert json.loads(server.calls[-1]).keys() >= {"top_k", "repetition_penalty"}


def test_a_model_that_takes_one_of_two_gets_one(store, tmp_path):
    """Anthropic's newer models accept temperature or top_p, not both."""

    def behave(number: int, body: bytes) -> tuple[int, dict, bytes] | None:
        if b'"temperature":' in body and b'"top_p":' in body:
            words = "`temperature` and `top_p` cannot both be specified for this model."
            return 400, {}, json.dumps({"type": "error", "error": {"message": words}}).encode()
        return None

    with ChatServer(behave=behave) as server:
        assert ask_once(server, store, tmp_path / "l.sqlite").text
    assert "temperature" in server.bodies()[-1]
