"""Concurrency that the server can take, limits per minute, and an end in bounded time."""

import asyncio
import json

import pytest
from builders import frames_at
from chat_server import STORM, ChatServer
from distill_world import make_items

from distill.client.chat import ChatPlayer
from distill.client.errors import FINAL_KINDS, PASSING_KINDS, WAITING_KINDS, EndpointDown
from distill.client.rate import Gate, Pace
from distill.errors import EPISODE_KINDS
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings, Endpoint


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def run(server, store, path, jobs, concurrency=16, **fields):
    chosen = Endpoint(**({"base_url": server.url, "identity": "test", "timeout_s": 1, "concurrency": 16} | fields))
    with Ledger(path) as ledger:
        player = ChatPlayer(chosen, ledger, store)
        rows = EpisodeRunner(
            player, frames_at, store, Protocol(), load_prompts("v1"), concurrency=concurrency
        ).play_all(jobs)
        return rows, player


@pytest.mark.slow
def test_a_storm_loses_no_episode(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 40), DistillSettings(samples=2)))
    with ChatServer(storm=STORM, seed=3) as server:
        rows, player = run(server, store, tmp_path / "l.sqlite", jobs, timeout_s=2, retries=2)
        counts = server.counts
    assert len(rows) == 80 and len({row["trajectory_id"] for row in rows}) == 80
    for row in rows:
        assert (row["failure"] is None) == (row["status"] != "failed")
        assert row["failure"] in {None, *FINAL_KINDS, *WAITING_KINDS, *PASSING_KINDS, *EPISODE_KINDS}
    entries = list(read_entries(tmp_path / "l.sqlite"))
    assert len(entries) == counts["calls"] == player.statistics()["made"]
    named = {
        "429": "rate_limited",
        "500": "server_error",
        "hang": "timeout",
        "cut": "cut_off",
        "malformed": "malformed",
        "close": "connection",
    }
    for how, kind in named.items():
        assert sum(entry.outcome == kind for entry in entries) == counts[how]
    assert sum(row["failure"] == "cut_off" for row in rows) == counts["cut"]
    assert sum(entry.outcome == "ok" for entry in entries) == counts["answered"]
    assert sum(row["status"] == "answered" for row in rows) > 40


def test_concurrency_falls_when_the_server_asks_and_recovers(store, tmp_path):
    """The server bears four calls at once."""
    jobs = list(exemplar_jobs(make_items(store, 60), DistillSettings(samples=1)))
    with ChatServer(latency_s=0.01) as server:
        server.behave = lambda number, body: (429, {"retry-after-ms": "10"}, b"{}") if server.at_once > 4 else None
        rows, _ = run(server, store, tmp_path / "l.sqlite", jobs, retries=10)
    assert {row["status"] for row in rows} == {"answered"}
    refused = sum(entry.outcome == "rate_limited" for entry in read_entries(tmp_path / "l.sqlite"))
    assert 0 < refused < 120


def test_a_gate_admits_no_more_than_its_limit():
    async def go():
        gate, inside, most = Gate(5), 0, 0

        async def call():
            nonlocal inside, most
            await gate.enter()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1
            gate.leave(succeeded=True)

        await asyncio.gather(*(call() for _ in range(50)))
        return most, gate.in_flight

    assert asyncio.run(go()) == (5, 0)


def test_calls_in_flight_halve_the_limit_once():
    async def go():
        gate = Gate(16)
        numbers = [await gate.enter() for _ in range(16)]
        for number in numbers:
            gate.slow_down(number)
        first = gate.limit
        for _ in numbers:
            gate.leave(succeeded=False)
        gate.slow_down(await gate.enter())
        return first, gate.limit

    assert asyncio.run(go()) == (8.0, 4.0)


def test_a_pace_spreads_calls_evenly(monkeypatch):
    slept = []

    async def go():
        clock = [100.0]
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: clock[0])

        async def sleep(seconds):
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        pace = Pace(60)
        for _ in range(5):
            await pace.take()
        pace.give_back(1)
        await pace.take()

    asyncio.run(go())
    assert slept == [1, 2, 2]  # two seconds' worth at once, then one a second; what was given back is taken again


def test_a_deadline_stops_the_step(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 200), DistillSettings(samples=1)))
    with ChatServer(latency_s=0.05) as server, pytest.raises(EndpointDown, match="the limit of deadline_s; run again"):
        run(server, store, tmp_path / "l.sqlite", jobs, concurrency=2, deadline_s=1.5)
    assert 0 < sum(entry.final for entry in read_entries(tmp_path / "l.sqlite")) < 400


def test_a_server_that_asks_to_wait_for_hours_does_not_block_the_step(store, tmp_path):
    body = json.dumps({"error": {"message": "daily limit"}}).encode()
    jobs = list(exemplar_jobs(make_items(store, 8), DistillSettings(samples=1)))
    limited = ChatServer(behave=lambda number, _: (429, {"retry-after": "7200"}, body))
    with limited as server, pytest.raises(EndpointDown, match="daily limit"):
        run(server, store, tmp_path / "l.sqlite", jobs, dead_after_s=0.3)
