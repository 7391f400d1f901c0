"""A reply that names another model than the one asked for is seen, counted, and refused where the recipe says so."""

from __future__ import annotations

import logging

import pytest
from chat_server import ChatServer
from distill_world import make_items
from test_chat import run

from distill.client.errors import EndpointDown
from distill.client.sending import EQUAL_REFUSALS
from distill.client.served_models import is_another
from distill.exemplars import exemplar_jobs
from distill.storage.frames import FrameStore
from distill.storage.ledger import read_entries
from videozoomer.settings.model import DistillSettings


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4", "gpt-4-0613"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5@20250929"),
        ("gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("gemini-1.5-pro", "gemini-1.5-pro-002"),
        ("gemini-2.5-flash", "gemini-2.5-flash-preview-05-20"),
        ("openrouter/qwen/qwen2.5-vl-72b-instruct:free", "qwen/qwen2.5-vl-72b-instruct"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b-instruct"),
        ("mistral-large", "mistral-large-latest"),
        ("a", None),
    ],
)
def test_a_release_or_a_prefix_is_the_same_model(asked, served):
    assert not is_another(asked, served)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4.1"),
        ("gpt-4", "gpt-4-32k"),
        ("claude-sonnet-4", "claude-sonnet-4-5"),
        ("gemini-2.5-pro", "gemini-2.5-flash"),
        ("qwen2.5vl:7b", "qwen2.5vl:72b"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen2.5-VL-72B-Instruct"),
        ("teacher", "sample-teacher-pixels-v1"),
    ],
)
def test_another_size_or_version_is_another_model(asked, served):
    assert is_another(asked, served) and is_another(served, asked)
    assert not is_another(asked, served, ("x", served.upper()))
    assert not is_another(asked, f"host/{served}", (f"*{served[5:]}",))


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def fallback(every: int):
    return lambda number, completion: completion | ({"model": "smaller"} if number % every == 0 else {})


def test_by_default_another_model_is_played_said_once_and_kept_in_the_row(store, tmp_path, caplog):
    jobs = list(exemplar_jobs(make_items(store, 10), DistillSettings(samples=1)))
    with caplog.at_level(logging.WARNING), ChatServer(rewrite=fallback(4)) as server:
        rows, calls = run(server, store, tmp_path / "l.sqlite", jobs)
        again, replayed = run(server, store, tmp_path / "l.sqlite", jobs)
        silent, _ = run(server, store, tmp_path / "l.sqlite", jobs, served_names=["small*"])
    assert {row["status"] for row in rows} == {"answered"} and rows == again == silent
    others = [row for row in rows if "smaller" in row["served_models"]]
    assert 3 <= len(others) <= 5 and all(set(row["served_models"]) <= {"rule-player", "smaller"} for row in rows)
    assert calls["another_model"] == replayed["another_model"] == 5
    assert [record.getMessage().count("smaller") for record in caplog.records if "smaller" in record.getMessage()] == [
        1,
        1,
    ]


def test_where_the_recipe_refuses_another_model_its_replies_are_paid_kept_and_asked_again(store, tmp_path):
    jobs, path = list(exemplar_jobs(make_items(store, 10), DistillSettings(samples=1))), tmp_path / "l.sqlite"
    with ChatServer(rewrite=fallback(5)) as server:
        rows, _ = run(server, store, path, jobs, another_model="refuse")
        refused = [entry for entry in read_entries(path) if entry.served_model == "smaller"]
    assert {row["failure"] for row in rows} == {None, "another_model"}
    assert refused and all(one.outcome == "another_model" and not one.final and one.reply for one in refused)
    assert all(one.output_tokens == 50 and "smaller answered instead of rule-player" in one.error for one in refused)
    with ChatServer() as server:
        rows, calls = run(server, store, path, jobs, another_model="refuse")
    assert {row["status"] for row in rows} == {"answered"} and calls["made"] < 20
    assert all(row["served_models"] == ["rule-player"] for row in rows)


def test_a_reply_that_was_noted_before_is_not_replayed_once_the_recipe_refuses_it(store, tmp_path):
    jobs, path = list(exemplar_jobs(make_items(store, 6), DistillSettings(samples=1))), tmp_path / "l.sqlite"
    with ChatServer(rewrite=fallback(3)) as server:
        rows, _ = run(server, store, path, jobs)
        count = sum("smaller" in row["served_models"] for row in rows)
    with ChatServer() as server:
        rows, calls = run(server, store, path, jobs, another_model="refuse")
        assert 0 < count <= calls["made"] <= 2 * count
    assert all(row["served_models"] == ["rule-player"] for row in rows)


def test_a_server_that_always_answers_with_another_model_stops_the_step(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 40), DistillSettings(samples=1)))
    with ChatServer(rewrite=fallback(1)) as server:
        with pytest.raises(EndpointDown, match=r"smaller answered instead of rule-player.*served_names"):
            run(server, store, tmp_path / "l.sqlite", jobs, another_model="refuse")
        assert server.counts["calls"] <= EQUAL_REFUSALS + 8
