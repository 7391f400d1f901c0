"""Every refusal of the table is read as its row says, and only the call's own failures are final."""

from __future__ import annotations

import json
import sqlite3

import pytest
from chat_server import ChatServer
from distill_world import make_items
from hypothesis import given
from hypothesis import strategies as st
from test_chat import ask_once, run

from distill.client.chat import ChatPlayer
from distill.client.errors import FINAL_KINDS, PASSING_KINDS, WAITING_KINDS, CallFailed, EndpointDown
from distill.client.refusals import MEANINGS, read_refusal, table
from distill.client.sending import EQUAL_REFUSALS
from distill.exemplars import exemplar_jobs
from distill.storage.frames import FrameStore
from distill.storage.ledger import FINAL_OUTCOMES, Ledger, read_entries
from distill.storage.threads import BadItem, Flusher
from videozoomer.settings.model import DistillSettings, Prices

SENT = frozenset({"stop", "seed", "top_p", "temperature", "max_tokens"})
LIKE = [(row.means, status, body) for row in table() for status, body in row.like]


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


@pytest.mark.parametrize(("means", "status", "body"), LIKE, ids=[f"{means}-{status}" for means, status, _ in LIKE])
def test_each_refusal_of_the_table_means_what_its_row_says(means, status, body):
    result, meaning = read_refusal(status, body, {}, SENT), MEANINGS[means]
    assert (result.kind, result.final) == (meaning.kind, meaning.kind == "refused")
    assert meaning.sentence in (result.error or "") and body[:40] in (result.error or "")
    assert result.refused_parameter is None


def test_every_row_names_a_meaning_and_a_report():
    assert all(row.means in MEANINGS and row.report and row.like for row in table())
    assert {row.means for row in table()} == set(MEANINGS)


@given(status=st.integers(300, 599), body=st.text(max_size=60))
def test_an_unknown_refusal_is_never_final(status, body):
    result = read_refusal(status, body, {}, SENT)
    known = any(row.fits(status, body) for row in table())
    assert not result.final or known
    assert result.kind in {"stopped", *FINAL_KINDS, *WAITING_KINDS, *PASSING_KINDS}


def test_only_what_the_call_itself_causes_is_replayed():
    assert {"ok", *FINAL_KINDS} == FINAL_OUTCOMES
    assert not set(FINAL_KINDS) & (set(WAITING_KINDS) | set(PASSING_KINDS))


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 1m30s. Thanks", 90),
        ("Please try again in 350ms.", 0.35),
        ("Please retry after 86400 seconds.", 86400),
        ('{"error": {"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "37.5s"}]}}', 37.5),
        ('{"error": {"retry_after": 3}}', 3),
        ("Limit 3 per minute.", None),
    ],
)
def test_waits_are_read_from_bodies(body, seconds):
    assert read_refusal(429, body, {}, SENT).retry_after_s == (seconds and pytest.approx(seconds))
    assert read_refusal(429, body, {"retry-after": "7"}, SENT).retry_after_s == 7


def refusal(status: int, body: str) -> tuple[int, dict, bytes]:
    return status, {}, body.encode()


OUTSIDE = [one for one in LIKE if MEANINGS[one[0]].kind in {"stopped", *WAITING_KINDS}]


@pytest.mark.parametrize(("means", "status", "body"), OUTSIDE, ids=[f"{one[0]}-{one[1]}" for one in OUTSIDE])
def test_what_was_mended_outside_is_asked_again(store, tmp_path, means, status, body):
    """An account that was topped up, a key, a limit: the next run answers everything."""
    jobs = list(exemplar_jobs(make_items(store, 3), DistillSettings(samples=1)))
    broken = [True]
    with ChatServer(behave=lambda number, sent: refusal(status, body) if broken[0] else None) as server:
        if MEANINGS[means].kind == "stopped":
            with pytest.raises(EndpointDown):
                run(server, store, tmp_path / "l.sqlite", jobs)
        else:
            rows, _ = run(server, store, tmp_path / "l.sqlite", jobs)
            assert {row["failure"] for row in rows} == {MEANINGS[means].kind}
        broken[0] = False
        rows, calls = run(server, store, tmp_path / "l.sqlite", jobs)
    assert {row["status"] for row in rows} == {"answered"} and calls["made"] == 6


def test_equal_refusals_without_a_reply_stop_the_step_in_the_server_s_words(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 60), DistillSettings(samples=1)))
    with ChatServer(behave=lambda n, body: refusal(400, f"strange trouble number {n}")) as server:
        with pytest.raises(EndpointDown, match=r"refuses every call .* strange trouble"):
            run(server, store, tmp_path / "l.sqlite", jobs)
        assert EQUAL_REFUSALS <= server.counts["calls"] <= EQUAL_REFUSALS + 8


def test_refusals_after_a_reply_fail_their_own_episode_alone(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 40), DistillSettings(samples=1)))
    with ChatServer(behave=lambda n, body: refusal(400, "strange trouble") if n >= 20 and n % 2 else None) as server:
        rows, _ = run(server, store, tmp_path / "l.sqlite", jobs)
    assert {row["failure"] for row in rows} == {None, "bad_request"}


def test_failures_that_an_earlier_release_kept_for_good_are_asked_again(store, tmp_path):
    path = tmp_path / "l.sqlite"
    with ChatServer(behave=lambda n, body: refusal(400, "no")) as server, pytest.raises(CallFailed):
        ask_once(server, store, path)
    with sqlite3.connect(path) as connection:
        connection.execute("update calls set final = 1, outcome = 'bad_request'")
        for name in ("raw", "served_model", "fingerprint", "provider"):
            connection.execute(f"alter table calls drop column {name}")
    assert [entry.outcome for entry in read_entries(path)] == ["bad_request"]
    with ChatServer() as server:
        assert ask_once(server, store, path).text
    assert [(entry.outcome, entry.served_model) for entry in read_entries(path)] == [
        ("bad_request", None),
        ("ok", "rule-player"),
    ]


def test_an_odd_count_costs_nobody_s_reply(store, tmp_path):
    def odd(number: int, completion: dict) -> dict:
        count = [10**20, -5, "many", None][number % 4]
        return completion | {"usage": {"prompt_tokens": count, "completion_tokens": count}}

    jobs = list(exemplar_jobs(make_items(store, 8), DistillSettings(samples=1)))
    with ChatServer(rewrite=odd) as server:
        prices = Prices(input_per_million=1.0, output_per_million=1.0)
        rows, calls = run(server, store, tmp_path / "l.sqlite", jobs, prices=prices)
    assert {row["status"] for row in rows} == {"answered"} and calls["made"] == 16
    assert all(entry.cost_usd > 0 for entry in read_entries(tmp_path / "l.sqlite"))


def test_one_bad_item_of_a_flush_fails_alone():
    written: list[int] = []

    def flush(items: list[int]) -> None:
        if 13 in items:
            raise BadItem("13 cannot be written")
        written.extend(items)

    from concurrent.futures import Future

    flusher = Flusher(flush, "test", gather_s=0.05)
    waiting: list[Future] = [Future() for _ in range(20)]
    for number, done in enumerate(waiting):
        flusher.put(number, done)
    flusher.close()
    assert sorted(written) == [number for number in range(20) if number != 13]
    assert [number for number, done in enumerate(waiting) if done.exception()] == [13]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "prompt"])
def test_a_gateway_that_moves_thoughts_costs_no_row(store, tmp_path, field):
    def move(number: int, completion: dict) -> dict:
        message = completion["choices"][0]["message"]
        thought, closed, rest = message["content"].removeprefix("<think>").partition("</think>")
        changed = {"content": thought + closed + rest} if field == "prompt" else {"content": rest, field: thought}
        choice = completion["choices"][0] | {"message": message | changed}
        return completion | {"choices": [choice]}

    jobs = list(exemplar_jobs(make_items(store, 12), DistillSettings(samples=1)))
    with ChatServer() as server:
        direct, _ = run(server, store, tmp_path / "direct.sqlite", jobs)
    with ChatServer(rewrite=move) as server:
        moved, _ = run(server, store, tmp_path / "moved.sqlite", jobs)
        again, calls = run(server, store, tmp_path / "moved.sqlite", jobs)
    assert all(row["well_formed"] for row in direct) and len(direct) == 12
    assert [row["turns"] for row in moved] == [row["turns"] for row in direct]
    assert again == moved and calls["made"] == 0
    raw = [json.loads(entry.raw or "") for entry in read_entries(tmp_path / "moved.sqlite")]
    assert len(raw) == 24 and all("<think>" not in (one["content"] or "") for one in raw)


def test_a_stop_within_the_thought_is_asked_again_without_it(store, tmp_path):
    whole = "<think>I could call <video_zoom>{}</video_zoom> but I know</think><answer>A</answer>"

    def behave(number: int, body: bytes) -> tuple[int, dict, bytes]:
        text = whole.partition("</video_zoom>")[0] if b'"stop":' in body else whole
        return 200, {}, json.dumps(server.completion(text)).encode()

    with ChatServer(behave=behave) as server:
        assert ask_once(server, store, tmp_path / "l.sqlite").text == whole
        assert server.counts["calls"] == 2
    outcomes = [(entry.outcome, entry.final) for entry in read_entries(tmp_path / "l.sqlite")]
    assert outcomes == [("stopped_in_thought", False), ("ok", True)]


def test_a_policy_s_own_empty_reply_is_its_action(store, tmp_path):
    import asyncio

    from test_chat import ASK, endpoint

    async def ask(ledger: Ledger) -> str:
        player = ChatPlayer(endpoint(server), ledger, store, cut_off="play")
        try:
            return (await player.reply(ASK, sample=0, temperature=1.0)).text
        finally:
            await player.finish()

    def behave(number: int, body: bytes) -> tuple[int, dict, bytes]:
        return 200, {}, json.dumps(server.completion("")).encode()

    with ChatServer(behave=behave) as server, Ledger(tmp_path / "l.sqlite") as ledger:
        assert asyncio.run(ask(ledger)) == "" and server.counts["calls"] == 1
