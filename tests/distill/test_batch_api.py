"""The Batch API: first turns at half the price, replayed by live play, resumable at any moment."""

import pytest
from batch_server import BatchServer
from builders import frames_at
from distill_world import make_items

from distill.client.batch_api import answer_in_batches
from distill.client.chat import ChatPlayer
from distill.client.errors import EndpointDown
from distill.episodes import first_turns
from distill.exemplars import exemplar_jobs, play_exemplars
from distill.judge import Case, Judge, judge_calls
from distill.rollouts import EpisodeRunner
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings, Endpoint, Prices

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def endpoint(server):
    return Endpoint(
        base_url=server.url, identity="test", prices=Prices(input_per_million=2, output_per_million=10), max_tokens=100
    )


def batched(server, store, path, jobs, **fields):
    with Ledger(path) as ledger:
        return answer_in_batches(
            first_turns(jobs, PROTOCOL, PROMPTS), endpoint(server), ledger, store, poll_s=0.01, **fields
        )


def test_first_turns_are_answered_by_batches_and_replayed(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 5), DistillSettings(samples=2)))
    with BatchServer(polls=3) as server:
        tally = batched(server, store, tmp_path / "l.sqlite", jobs, max_requests=4)
        assert (tally.sent, tally.answered, tally.failed, tally.unfinished) == (10, 10, 0, 0)
        assert server.counts["batches"] == server.counts["files"] == 3
        with Ledger(tmp_path / "l.sqlite") as ledger:
            player = ChatPlayer(endpoint(server), ledger, store)
            rows = EpisodeRunner(player, frames_at, store, PROTOCOL, PROMPTS).play_all(jobs)
            calls = player.statistics()
        with Ledger(tmp_path / "live.sqlite") as ledger:
            live = EpisodeRunner(
                ChatPlayer(endpoint(server), ledger, store), frames_at, store, PROTOCOL, PROMPTS
            ).play_all(jobs)
    assert calls["replayed"] == 10 and calls["made"] == 10
    full = (1000 * 2 + 50 * 10) / 1e6
    assert {row["cost_usd"] for row in rows} == {rows[0]["cost_usd"]} and rows[0]["cost_usd"] == pytest.approx(
        1.5 * full
    )
    assert [row | {"cost_usd": 0} for row in rows] == [row | {"cost_usd": 0} for row in live]


def test_a_running_batch_is_collected_rather_than_sent_again(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 3), DistillSettings(samples=1)))
    with BatchServer(polls=3) as server:
        assert batched(server, store, tmp_path / "l.sqlite", jobs, wait_s=0).unfinished == 3
        tally = batched(server, store, tmp_path / "l.sqlite", jobs)
        assert (tally.sent, tally.answered, tally.known) == (0, 3, 3) and server.counts["batches"] == 1


def test_an_interrupted_run_finds_the_batch_it_created(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 3), DistillSettings(samples=1)))
    with BatchServer(polls=2) as server:
        batched(server, store, tmp_path / "l.sqlite", jobs, wait_s=0)
        with Ledger(tmp_path / "l.sqlite") as ledger:
            (name,) = ledger.facts("test", "batch:")
            ledger.set_fact("test", name, '{"file": "file-0", "batch": null}')
        assert batched(server, store, tmp_path / "l.sqlite", jobs).answered == 3 and server.counts["batches"] == 1


def test_calls_that_a_batch_did_not_answer_are_sent_again(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 4), DistillSettings(samples=1)))
    with BatchServer(lose=1) as server:
        tally = batched(server, store, tmp_path / "l.sqlite", jobs)
        assert (tally.answered, tally.failed) == (3, 1)
        server.lose = 0
        assert batched(server, store, tmp_path / "l.sqlite", jobs).sent == 1
    outcomes = sorted(entry.outcome for entry in read_entries(tmp_path / "l.sqlite"))
    assert outcomes == ["ok"] * 4 + ["timeout"]


def test_batches_stay_within_the_budget(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 6), DistillSettings(samples=1)))
    with BatchServer() as server, Budget(tmp_path / "budget.sqlite", 0.012) as budget:
        tally = batched(server, store, tmp_path / "l.sqlite", jobs, budget=budget)
        assert tally.no_room > 0 and tally.sent + tally.no_room == 6
        assert budget.balance().reserved_usd == 0 and 0 < budget.balance().paid_usd <= 0.012


def test_judge_calls_can_go_through_batches(store, tmp_path):
    cases = [Case(str(index), f"q{index}", "a", "b") for index in range(3)]
    with BatchServer() as server, Ledger(tmp_path / "l.sqlite") as ledger:
        chosen = endpoint(server)
        assert (
            answer_in_batches(judge_calls(cases, PROMPTS), chosen, ledger, store, purpose="judge", poll_s=0.01).answered
            == 3
        )
        judged = Judge(ChatPlayer(chosen, ledger, store, purpose="judge"), PROMPTS).decide(cases)
        assert len(judged) == 3 and server.counts["calls"] == 3


def test_a_server_without_batches_stops_the_step(store, tmp_path):
    from chat_server import ChatServer

    jobs = list(exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)))
    with ChatServer(behave=lambda number, body: "404") as server, pytest.raises(EndpointDown, match="run again"):
        batched(server, store, tmp_path / "l.sqlite", jobs)


@pytest.mark.parametrize("enough", [None, 1])
def test_a_batch_endpoint_answers_first_turns_by_batch(store, tmp_path, enough, monkeypatch):
    monkeypatch.setattr(
        "distill.client.batch_api.answer_in_batches.__kwdefaults__", answer_in_batches.__kwdefaults__ | {"poll_s": 0.01}
    )
    items, settings = make_items(store, 3), DistillSettings(samples=2, enough_correct=enough)
    with BatchServer() as server, Ledger(tmp_path / "l.sqlite") as ledger:
        chosen = endpoint(server).model_copy(update={"batch": True})
        player = ChatPlayer(chosen, ledger, store)
        runner = EpisodeRunner(player, frames_at, store, PROTOCOL, PROMPTS)
        rows = play_exemplars(items, settings, runner, is_correct=lambda row: True)
        assert len(rows) == (3 if enough else 6) and server.counts["batches"] == 1
        assert player.statistics()["replayed"] == len(rows) == player.statistics()["made"]
        judge = ChatPlayer(chosen, ledger, store, purpose="judge")
        Judge(judge, PROMPTS).decide([Case("c", "q", "a", "b")])
        assert judge.statistics()["made"] == 0 and server.counts["batches"] == 2
