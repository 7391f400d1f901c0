"""The client against a real HTTP server: what it sends, records and retries."""

import asyncio
import base64
import subprocess
import sys
import threading
import time

import pytest
from builders import frames_at
from chat_server import ChatServer
from distill_world import make_items

from distill.client.chat import ChatPlayer
from distill.client.errors import CallFailed, EndpointDown, StepStopped
from distill.exemplars import exemplar_jobs
from distill.items import EpisodeJob
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.lake.catalog import CATALOG
from videozoomer.protocol import Message, Protocol, Text, load_prompts
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings.model import DistillSettings, Endpoint, Prices

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")
ASK = (Message("system", (Text("be brief"),)), Message("user", (Text("Question: why?"),)))


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def endpoint(server, **fields):
    return Endpoint(**({"base_url": server.url, "identity": "test", "retries": 3, "timeout_s": 5} | fields))


def run(server, store, path, jobs, **fields):
    with Ledger(path) as ledger:
        player = ChatPlayer(endpoint(server, **fields), ledger, store)
        rows = EpisodeRunner(player, frames_at, store, PROTOCOL, PROMPTS, concurrency=8).play_all(jobs)
        return rows, player.statistics()


def ask_once(server, store, path, **fields):
    async def ask():
        player = ChatPlayer(endpoint(server, **fields), ledger, store)
        try:
            return await player.reply(ASK, sample=0, temperature=1.0)
        finally:
            await player.finish()

    with Ledger(path) as ledger:
        return asyncio.run(ask())


def test_episodes_are_played_and_replayed(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 6), DistillSettings(samples=3)))
    with ChatServer() as server:
        rows, calls = run(server, store, tmp_path / "l.sqlite", jobs)
        assert CATALOG["trajectories"].conform(rows).height == 18
        assert [(row["question_id"], row["sample"]) for row in rows] == [(j.item.question_id, j.sample) for j in jobs]
        assert {row["status"] for row in rows} == {"answered"} and all(
            row["well_formed"] and row["zooms"] == 1 for row in rows
        )
        assert calls["made"] == server.counts["calls"] == 36 and server.counts["models"] == 1
        assert {row["player"] for row in rows} == {"rule-player"}
        again, calls = run(server, store, tmp_path / "l.sqlite", jobs)
        assert again == rows
        assert calls["made"] == 0 and calls["replayed"] == 36 and server.counts["calls"] == 36


def test_frames_are_sent_byte_for_byte(store, tmp_path):
    items = make_items(store, 1)
    with ChatServer() as server:
        (row,), _ = run(server, store, tmp_path / "l.sqlite", exemplar_jobs(items, DistillSettings(samples=1)))
        last = server.bodies()[-1]
    sent = [
        frame_id_of(base64.b64decode(part["image_url"]["url"].removeprefix("data:image/jpeg;base64,")))
        for message in last["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    shown = [part["frame_id"] for message in row["messages"] for part in message["parts"] if part["type"] == "image"]
    assert sent == shown and len(sent) == 8
    assert last["seed"] == 0 and last["stop"] == ["</video_zoom>"] and last["max_tokens"] == 2048


@pytest.mark.parametrize("swallow", [True, False])
def test_the_closing_tag_is_restored_if_the_server_drops_it(store, tmp_path, swallow):
    jobs = list(exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)))
    with ChatServer(swallow_stop=swallow) as server:
        (row,), _ = run(server, store, tmp_path / "l.sqlite", jobs)
    assert row["turns"][0]["reply"].endswith("}</video_zoom>") and row["turns"][0]["action"] == "zoom"


def test_samples_differ_by_seed_and_sampling_changes_the_key(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 2), DistillSettings(samples=2)))
    with ChatServer() as server:
        run(server, store, tmp_path / "l.sqlite", jobs, seed=7)
        assert {body["seed"] for body in server.bodies()} == {7, 8}
        before = server.counts["calls"]
        run(server, store, tmp_path / "l.sqlite", jobs, seed=7, top_p=0.9)
        assert server.counts["calls"] == 2 * before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["429", "500", "503", "malformed", "close"])
def test_passing_failures_are_retried(store, tmp_path, how):
    left = [how, how]
    with ChatServer(behave=lambda number, body: left.pop() if left and b"why?" in body else None) as server:
        reply = ask_once(server, store, tmp_path / "l.sqlite")
        assert reply.text and server.counts[how] == 2
    kinds = [(entry.outcome, entry.final) for entry in read_entries(tmp_path / "l.sqlite")]
    named = {
        "429": "rate_limited",
        "500": "server_error",
        "503": "overloaded",
        "malformed": "malformed",
        "close": "connection",
    }
    assert kinds == [(named[how], False)] * 2 + [("ok", True)]


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("cut", "cut_off"),
        ("filtered", "refused"),
    ],
)
def test_final_failures_are_paid_once_and_recorded_by_kind(store, tmp_path, how, kind):
    with ChatServer(behave=lambda number, body: how) as server:
        for _ in range(2):
            with pytest.raises(CallFailed) as caught:
                ask_once(server, store, tmp_path / "l.sqlite")
            assert caught.value.kind == kind and not caught.value.retryable
        assert server.counts["calls"] == 1


def test_a_call_that_hangs_times_out_and_is_retried(store, tmp_path):
    with ChatServer(behave=lambda number, body: "hang" if number == 0 else None) as server:
        assert ask_once(server, store, tmp_path / "l.sqlite", timeout_s=1).text
    assert [entry.outcome for entry in read_entries(tmp_path / "l.sqlite")] == ["timeout", "ok"]


def test_a_call_without_tries_left_fails_its_episode_and_is_retried_in_the_next_run(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 3), DistillSettings(samples=1)))
    broken = [True]
    with ChatServer(behave=lambda number, body: "500" if broken[0] and b"number 1?" in body else None) as server:
        rows, _ = run(server, store, tmp_path / "l.sqlite", jobs, retries=1)
        assert [row["failure"] for row in rows] == [None, "server_error", None]
        assert CATALOG["trajectories"].conform(rows).height == 3
        broken[0] = False
        rows, calls = run(server, store, tmp_path / "l.sqlite", jobs)
        assert {row["status"] for row in rows} == {"answered"} and calls["made"] == 2


@pytest.mark.parametrize("name", ["stop", "seed", "top_p", "max_tokens"])
def test_a_rejected_parameter_is_dropped_once_and_remembered(store, tmp_path, name):
    jobs = list(exemplar_jobs(make_items(store, 2), DistillSettings(samples=1)))
    with ChatServer(refuses=(name,)) as server:
        rows, _ = run(server, store, tmp_path / "l.sqlite", jobs, top_p=0.9)
        assert {row["status"] for row in rows} == {"answered"} and all(row["well_formed"] for row in rows)
        run(server, store, tmp_path / "l.sqlite", jobs, top_p=0.9, temperature=1.0)
        refused = [entry for entry in read_entries(tmp_path / "l.sqlite") if entry.outcome == "bad_request"]
        assert 1 <= len(refused) <= 2
        assert all(
            name in entry.dropped.split(",") for entry in read_entries(tmp_path / "l.sqlite") if entry.outcome == "ok"
        )


def test_a_dead_endpoint_stops_the_step_with_a_remedy(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 20), DistillSettings(samples=1)))
    with ChatServer() as server:
        gone = endpoint(server, model="rule-player", dead_after_s=0.5)
    with (
        Ledger(tmp_path / "l.sqlite") as ledger,
        pytest.raises(EndpointDown, match=r"has not answered for .* start it"),
    ):
        EpisodeRunner(ChatPlayer(gone, ledger, store), frames_at, store, PROTOCOL, PROMPTS, concurrency=8).play_all(
            jobs
        )


@pytest.mark.parametrize(("status", "match"), [("401", "rejects the API key"), ("404", "no such model")])
def test_a_server_that_rejects_every_call_stops_the_step_at_once(store, tmp_path, status, match):
    jobs = list(exemplar_jobs(make_items(store, 20), DistillSettings(samples=1)))
    with ChatServer(behave=lambda number, body: status) as server, pytest.raises(EndpointDown, match=match):
        run(server, store, tmp_path / "l.sqlite", jobs)
    assert server.counts["calls"] <= 8


def test_a_missing_api_key_is_reported_before_anything_is_sent(store, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with ChatServer() as server, pytest.raises(StepStopped, match="NO_SUCH_KEY is not set"):
        run(server, store, tmp_path / "l.sqlite", [], api_key_env="NO_SUCH_KEY")


def test_the_same_call_asked_twice_at_once_is_sent_once(store, tmp_path):
    async def ask(player):
        replies = await asyncio.gather(*(player.reply(ASK, sample=0, temperature=1.0) for _ in range(5)))
        await player.finish()
        return replies

    with ChatServer(latency_s=0.05) as server, Ledger(tmp_path / "l.sqlite") as ledger:
        replies = asyncio.run(ask(ChatPlayer(endpoint(server, model="rule-player"), ledger, store)))
        assert len({reply.text for reply in replies}) == 1 and server.counts["calls"] == 1


def test_calls_that_wait_for_the_same_frames_have_them_encoded_once(store, tmp_path, monkeypatch):
    made, real = [], store.pictures

    def slow(frame_ids):
        made.append(tuple(frame_ids))
        assert threading.current_thread() is not threading.main_thread()
        time.sleep(0.05)
        return real(frame_ids)

    monkeypatch.setattr(store, "pictures", slow)
    items = make_items(store, 8, videos=2)
    with ChatServer() as server:
        rows, _ = run(
            server, store, tmp_path / "l.sqlite", [EpisodeJob(item, "exemplar", max_zooms=0) for item in items]
        )
    assert [row["status"] for row in rows] == ["answered"] * 8
    assert sorted(made) == sorted({tuple(frame.frame_id for frame in item.overview) for item in items})


def test_a_run_that_only_replays_reads_no_frame(store, tmp_path, monkeypatch):
    looked, real = [], store.pictures
    monkeypatch.setattr(store, "pictures", lambda frame_ids: looked.append(frame_ids) or real(frame_ids))
    jobs = [EpisodeJob(item, "exemplar") for item in make_items(store, 4, videos=2)]
    with ChatServer() as server:
        first, _ = run(server, store, tmp_path / "l.sqlite", jobs)
        assert looked and any(row["zooms"] for row in first)
        looked.clear()
        again, _ = run(server, store, tmp_path / "l.sqlite", jobs)
    assert again == first and not looked


def test_costs_follow_the_prices(store, tmp_path):
    prices = Prices(input_per_million=2, output_per_million=10)
    with ChatServer() as server:
        reply = ask_once(server, store, tmp_path / "l.sqlite", prices=prices)
    assert reply.cost_usd == pytest.approx((1000 * 2 + 50 * 10) / 1e6)


def test_importing_the_room_loads_no_client_and_no_model_library():
    heavy = {"openai", "aiohttp", "torch", "transformers", "dagster", "polars"}
    code = (
        f"import sys, distill.client.chat, distill.rollouts, distill.judge; print(sorted({heavy!r} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
