"""Which failures are retried and how often, and when a silent server stops the step."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from chat_server import ChatServer

from distill.client.chat import ChatPlayer
from distill.client.errors import CallFailed, EndpointDown
from distill.client.rate import Breaker
from distill.client.refusals import read_refusal
from distill.client.retries import MAX_WAIT_S, allowed_retries, wait_s
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from videozoomer.protocol import Message, Text
from videozoomer.settings.model import Endpoint

ASK = (Message("user", (Text("a question"),)),)


@pytest.mark.parametrize(
    ("kind", "tries"),
    [("rate_limited", 8), ("overloaded", 8), ("server_error", 2), ("timeout", 2), ("connection", 2), ("malformed", 2)],
)
def test_only_a_server_that_asks_to_slow_down_gets_four_times_as_many_tries(kind, tries):
    assert allowed_retries(kind, 2) == tries and allowed_retries(kind, 0) == 0


@pytest.mark.parametrize(("status", "calls"), [(429, 5), (503, 5), (500, 2), (408, 2)])
def test_a_call_is_sent_as_often_as_its_failure_allows(tmp_path, monkeypatch, status, calls):
    monkeypatch.setattr("distill.client.sending.wait_s", lambda key, tries, retry_after_s: 0.0)

    async def reply(player):
        try:
            await player.reply(ASK, sample=0, temperature=1.0)
        finally:
            await player.finish()

    with (
        # No answer but the failure; a plain question, which looks for refused parameters, is answered.
        ChatServer(behave=lambda number, body: (status, {}, b"{}") if b"a question" in body else None) as server,
        FrameStore(tmp_path / "f.sqlite") as store,
        Ledger(tmp_path / "l.sqlite") as ledger,
    ):
        endpoint = Endpoint(base_url=server.url, identity="test", model="m", retries=1)
        with pytest.raises(CallFailed, match=f"tried {calls} times"):
            asyncio.run(reply(ChatPlayer(endpoint, ledger, store)))
        assert sum(b"a question" in body for body in server.calls) == calls


def test_waits_double_up_to_a_minute_and_a_server_may_ask_for_more():
    for tries in range(1, 12):
        middle_s = min(MAX_WAIT_S, 0.5 * 2 ** (tries - 1))
        assert 0.5 * middle_s <= wait_s("key", tries, None) <= 1.5 * middle_s
        assert 300 < wait_s("key", tries, 300.0) <= 301
    assert wait_s("key", 3, None) == wait_s("key", 3, None) != wait_s("other", 3, None)


@pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(0), timedelta(days=400)])
def test_a_date_to_retry_after_is_read_by_the_servers_own_clock(ahead):
    now = datetime.now(UTC).replace(microsecond=0) + ahead
    headers = {
        "date": format_datetime(now, usegmt=True),
        "retry-after": format_datetime(now + timedelta(seconds=90), True),
    }
    assert read_refusal(429, "", headers, frozenset()).retry_after_s == 90


def test_a_breaker_opens_after_five_failures_in_silence_and_not_before():
    async def run():
        breaker = Breaker("a server", dead_after_s=0.0)
        breaker.sending()
        for _ in range(4):
            breaker.failed("HTTP 500")
            breaker.check()
        breaker.answered()
        for _ in range(4):
            breaker.failed("HTTP 500")
            breaker.check()
        breaker.failed("HTTP 500")
        with pytest.raises(EndpointDown, match="5 calls failed"):
            breaker.check()

    asyncio.run(run())


def test_a_breaker_waits_for_the_silence_it_was_set_to():
    async def run():
        breaker = Breaker("a server", dead_after_s=60.0)
        breaker.sending()
        for _ in range(50):
            breaker.failed("HTTP 500")
        breaker.check()

    asyncio.run(run())
