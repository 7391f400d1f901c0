"""A player behind any OpenAI-compatible server: every call journalled, replayed where it can be, retried by kind."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from distill.client.batch_api import answer_in_batches
from distill.client.calls import Call, CallResult, Reply
from distill.client.capabilities import refused_parameters
from distill.client.connection import first_model, open_transport
from distill.client.costs import Bound, upper_bound
from distill.client.encoding import Body, Run
from distill.client.endpoints import identity_of
from distill.client.errors import BudgetSpent, CallFailed, EndpointDown, StepStopped
from distill.client.rate import Breaker, Gate, Pace
from distill.client.remote_model import RemoteModel, excerpt_of
from distill.client.transport import Transport, ask
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Entry, Ledger
from distill.storage.threads import helpers
from videozoomer.protocol import Message
from videozoomer.settings.model import Endpoint

_log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 60.0
"""Longest wait between two tries that we choose; a server's Retry-After may ask for more."""


class ChatPlayer:
    """Plays over HTTP. One instance serves one step: it is started and finished on one event loop, or starts by itself."""

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        store: FrameStore,
        *,
        budget: Budget | None = None,
        purpose: str = "episode",
        cut_off: Literal["fail", "play"] = "fail",
        image_cache_bytes: int = 72 * 2**20,
    ) -> None:
        """`cut_off="play"` gives a reply that reached max_tokens to the episode, as a policy's own doing; by default it
        fails the episode, since a teacher's is of no use. Without a `budget` nothing caps the money."""
        self.endpoint = endpoint
        self.identity = identity_of(endpoint)
        self.name = endpoint.model or self.identity
        self._ledger, self._store, self._budget = ledger, store, budget
        self._purpose, self._cut_off, self._cache_bytes = purpose, cut_off, image_cache_bytes
        self._transport: Transport | None = None
        self._sending = False
        self._opened_by: asyncio.AbstractEventLoop | None = None
        self._flying: dict[str, asyncio.Future[Entry]] = {}
        self._encoding: dict[tuple[str, ...], asyncio.Future[Run]] = {}
        self._counts: Counter[str] = Counter()
        self._paid_usd = 0.0

    def statistics(self) -> dict[str, int | float]:
        """Calls so far: asked for, replayed, made (requests sent), tried again, final failures; and what was paid now."""
        names = ("asked", "replayed", "made", "retried", "refused")
        return {name: self._counts[name] for name in names} | {"paid_usd": round(self._paid_usd, 6)}

    async def start(self) -> None:
        """Open the connection pool and settle which model answers.

        Raises:
            StepStopped: the key's variable is not set, or no model is named and none can be learnt.
        """
        self._opened_by = asyncio.get_running_loop()
        self._opening = asyncio.ensure_future(self._open())
        await self._opening

    async def _open(self) -> None:
        self._transport = open_transport(self.endpoint)
        self._threads = helpers(2, "calls")
        self._gate = Gate(self.endpoint.concurrency)
        self._requests = Pace(self.endpoint.requests_per_minute)
        self._tokens = Pace(self.endpoint.tokens_per_minute)
        self._breaker = Breaker(self.identity, self.endpoint.dead_after_s, self.endpoint.deadline_s)
        self._settled, self._held = asyncio.Event(), 0
        self._proven = False
        self._flying.clear()
        self._encoding.clear()
        self.name = self.endpoint.model or await first_model(self._transport, self.endpoint, self._ledger)
        self._remote = await self._in_thread(
            RemoteModel, self.endpoint, self.name, self._ledger, self._store, self._purpose, self._cache_bytes
        )
        if (known := self._ledger.fact(self.identity, f"images:{self.name}")) == "0":
            raise EndpointDown(
                f"{self.name} at {self.identity} takes no images, as was found by asking; name another model"
            )
        self._most_images = min(self.endpoint.max_images or sys.maxsize, int(known or sys.maxsize))
        if self._budget is not None:
            await self._in_thread(self._budget.join, self._ledger)

    async def finish(self) -> None:
        if self._transport is not None:
            transport, self._transport, self._opened_by = self._transport, None, None
            self._threads.shutdown(wait=False)
            await transport.close()

    def ask_ahead(self, calls: Iterable[Call]) -> None:
        """Where the recipe says so, have these calls answered by batches; `reply` then finds them in the ledger. Blocks.

        Raises:
            StepStopped: the server refuses the batch, or is not done with it within a day.
        """
        if not self.endpoint.batch:
            return
        tally = answer_in_batches(
            calls,
            self.endpoint,
            self._ledger,
            self._store,
            budget=self._budget,
            purpose=self._purpose,
            on_state=_log.info,
        )
        if tally.unfinished:
            raise StepStopped(
                f"{self.identity} still works on batches with {tally.unfinished} calls; run again later to collect them"
            )

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """See `Player.reply`. The same call asked twice at once is sent once."""
        if self._opened_by is not asyncio.get_running_loop():
            self._opened_by = asyncio.get_running_loop()
            self._opening = asyncio.ensure_future(self._open())
        await self._opening
        self._counts["asked"] += 1
        sampling = self._remote.sampling(sample, temperature)
        key = self._remote.key(sampling, messages)
        if key in self._flying:
            return self._told(await asyncio.shield(self._flying[key]), replayed=True)
        flight = self._flying[key] = asyncio.get_running_loop().create_future()
        try:
            entry, replayed = await self._answer(key, sampling, messages)
            flight.set_result(entry)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()
            raise
        finally:
            flight.cancel()
            del self._flying[key]
        return self._told(entry, replayed=replayed)

    async def _answer(self, key: str, sampling: dict, messages: Sequence[Message]) -> tuple[Entry, bool]:
        parameters = self._remote.parameters(sampling)
        # Microseconds, where a visit to a thread is a tenth of a millisecond and a place in two queues.
        known, attempt = self._ledger.look_up(key)
        if known is not None:
            return known, True
        if (images := sum(len(message.frame_ids) for message in messages)) > self._most_images:
            raise CallFailed(
                "too_large",
                f"{images} frames are more than the {self._most_images} images that {self.name} takes in a request, so it was "
                "not asked; lower protocol.overview_frames or zoom_frames, or name another model",
                retryable=False,
            )
        return await self._ask(
            key, attempt, sampling, messages, frozenset(parameters), await self._encode(parameters, messages)
        ), False

    async def _encode(self, parameters: dict, messages: Sequence[Message]) -> Body:
        """The body of a call; pictures are fetched and encoded in a thread, once for all calls that wait for them."""
        images = self._remote.images
        for frame_ids in [message.frame_ids for message in messages if not images.holds(message.frame_ids)]:
            if (encoding := self._encoding.get(frame_ids)) is None:
                encoding = self._encoding[frame_ids] = asyncio.ensure_future(self._in_thread(images.run, frame_ids))
                encoding.add_done_callback(lambda _, done=frame_ids: self._encoding.pop(done, None))
            await asyncio.shield(encoding)
        if all(images.holds(message.frame_ids) for message in messages):
            return self._remote.encode(parameters, messages)
        # The cache is so small that one run has pushed out another.
        return await self._in_thread(self._remote.encode, parameters, messages)

    def warm(self, frame_ids: Sequence[str]) -> None:
        """See `Warms.warm`. As long as all is replayed, nothing is sent, and no picture is needed."""
        if self._sending:
            self._remote.images.run(tuple(frame_ids))

    async def _ask(
        self, key: str, attempt: int, sampling: dict, messages: Sequence[Message], sent: frozenset[str], body: Body
    ) -> Entry:
        """Send a call until it has a final result or its tries are used up; every attempt is journalled."""
        tries, self._sending = 0, True
        while True:
            self._breaker.check()
            bound = upper_bound(self.endpoint, body.text_bytes, body.image_tokens)
            await self._set_aside(key, attempt, bound)
            paid_usd: float | None = None
            try:
                result, latency_s = await self._send(body, sent, bound, f"{key}-{attempt}")
                self._counts["made"] += 1
                self._counts["retried"] += tries > 0
                entry = self._remote.entry(
                    key, attempt, sampling, excerpt_of(messages), body, result, latency_s=latency_s
                )
                await self._ledger.write(entry)
                self._paid_usd += entry.cost_usd
                paid_usd = None if result.maybe_billed else entry.cost_usd
            except StepStopped:
                paid_usd = 0.0  # It was stopped before it was sent.
                raise
            finally:
                await self._settle(key, attempt, paid_usd)
            attempt += 1
            if result.final:
                return entry
            if result.refused_parameter:
                await self._in_thread(self._remote.drop, result.refused_parameter)
            else:
                self._breaker.check()
                tries += 1
                if result.kind == "server_error" and tries == 2:
                    await self._suspect()
                # Being asked to slow down is no fault of the call, so it may be tried for longer.
                allowed = self.endpoint.retries * (4 if result.kind in ("rate_limited", "overloaded") else 1)
                if tries > allowed:
                    raise CallFailed(result.kind, f"{result.error} (tried {tries} times)", retryable=True)
                await self._breaker.pause(_wait_s(key, tries, result.retry_after_s))
            parameters = self._remote.parameters(sampling)
            if frozenset(parameters) != sent:
                sent = frozenset(parameters)
                body = await self._encode(parameters, messages)

    async def _send(self, body: Body, sent: frozenset[str], bound: Bound, name: str) -> tuple[CallResult, float]:
        """One request, once a place and the pace allow it; failures of every kind come back as an result."""
        await self._requests.take()
        await self._tokens.take(bound.tokens)
        number = await self._gate.enter()
        began = time.perf_counter()
        result: CallResult | None = None
        try:
            self._breaker.check()
            self._breaker.sending()
            result = await ask(self._transport, body.pieces, sent, name)
        finally:
            self._gate.leave(succeeded=result is not None and result.kind == "ok")
        if result.input_tokens or result.output_tokens:
            self._tokens.give_back(bound.tokens - result.input_tokens - result.output_tokens)
        self._note(result, number)
        return result, time.perf_counter() - began

    def _note(self, result: CallResult, number: int) -> None:
        """What an result says about the server, as against the call."""
        if result.kind == "stopped":
            self._breaker.stop(f"{self.identity}: {result.error}; then run again")
        elif result.kind in ("rate_limited", "overloaded"):
            self._gate.slow_down(number)
            self._breaker.failed(result.error or "")
        elif result.kind in ("server_error", "timeout", "connection", "malformed"):
            self._breaker.failed(result.error or "")
        else:
            self._breaker.answered()
            self._proven = True

    async def _suspect(self) -> None:
        """Some servers fail outright at a parameter that they do not know. Where none was answered yet, find out once."""
        if self._proven:
            return
        self._proven = True
        for name in await refused_parameters(self._transport, self.name, self.endpoint):
            await self._in_thread(self._remote.drop, name)

    async def _set_aside(self, key: str, attempt: int, bound: Bound) -> None:
        """Wait until the cap has room for the most that a call can cost.

        Raises:
            BudgetSpent: it has none, and no call under way could give any back.
        """
        if self._budget is None:
            return
        while True:
            # Counted before it is known to succeed, so that nobody gives up while another may still free money.
            self._held += 1
            if await self._in_thread(self._budget.set_aside, self._ledger, key, attempt, bound.cost_usd):
                return
            self._held -= 1
            self._settled.set()
            if not self._held:
                balance = self._budget.balance()
                raise BudgetSpent(
                    f"the cap of ${balance.cap_usd:.2f} leaves no room for a call of at most ${bound.cost_usd:.4f}: "
                    f"${balance.paid_usd:.4f} paid, ${balance.aside_usd:.4f} set aside for calls under way or of unknown result; "
                    f"raise distill.budget_usd and run again: what was answered is kept"
                )
            self._settled.clear()
            await self._settled.wait()

    async def _settle(self, key: str, attempt: int, paid_usd: float | None) -> None:
        """Put what was paid in the place of what was set aside; None (it may have been billed unseen) leaves it there."""
        if self._budget is None:
            return
        try:
            if paid_usd is not None:
                await self._in_thread(self._budget.settle, self._ledger, key, attempt, paid_usd)
        finally:
            self._held -= 1
            self._settled.set()

    def _told(self, entry: Entry, *, replayed: bool) -> Reply:
        self._counts["replayed"] += replayed
        reply = Reply(
            entry.reply or "",
            entry.finish_reason,
            entry.input_tokens,
            entry.output_tokens,
            entry.cost_usd,
            entry.key,
            replayed,
        )
        if entry.outcome == "ok" or (entry.outcome == "cut_off" and self._cut_off == "play"):
            return reply
        self._counts["refused"] += 1
        raise CallFailed(entry.outcome, entry.error or entry.outcome, retryable=False, reply=reply)

    async def _in_thread(self, function, *arguments) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _wait_s(key: str, tries: int, retry_after_s: float | None) -> float:
    """Doubling from half a second, spread by half either way so that calls do not come back all at once."""
    spread = random.Random(f"{key}:{tries}").uniform(0.5, 1.5)
    chosen_s = min(_LONGEST_WAIT_S, 0.5 * 2 ** (tries - 1)) * spread
    return chosen_s if retry_after_s is None else retry_after_s + min(chosen_s, 1.0)
