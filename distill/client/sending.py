"""Sending calls to one model: encoded, paid for, paced, retried by kind of failure, and every attempt recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from distill.client.calls import CallResult
from distill.client.capabilities import refused_parameters
from distill.client.connection import first_model, neutral_sampling, open_transport
from distill.client.costs import Bound, upper_bound
from distill.client.encoding import Body
from distill.client.endpoints import identity_of
from distill.client.errors import WAITING_KINDS, CallFailed, EndpointDown, StepStopped
from distill.client.image_cache import EncodedFrames
from distill.client.rate import Breaker, Gate, Pace
from distill.client.remote_model import RemoteModel, excerpt_of
from distill.client.reservations import Reservations
from distill.client.retries import allowed_retries, wait_s
from distill.client.transport import Transport, ask
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Entry, Ledger
from videozoomer.protocol import Message
from videozoomer.settings.model import Endpoint

T = TypeVar("T")
EQUAL_REFUSALS = 10
"""So many refusals in the same words, and no reply before them, stop the step."""
GRACE_S = 10.0
"""How long requests in flight are awaited when their episodes are cancelled."""
_log = logging.getLogger(__name__)


@dataclass
class CallCounts:
    """What a player did so far."""

    asked: int = 0
    replayed: int = 0
    made: int = 0
    """Requests sent."""
    retried: int = 0
    """Requests sent for a call that had failed before."""
    refused: int = 0
    """Calls with a final failure."""
    another_model: int = 0
    """Replies that name another model than the one asked for."""
    paid_usd: float = 0.0


class Sender:
    """An open connection to one model; it belongs to one event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        remote: RemoteModel,
        transport: Transport,
        breaker: Breaker,
        ledger: Ledger,
        budget: Budget | None,
        threads: Executor,
        counts: CallCounts,
        max_images: int,
        own_actions: bool,
    ) -> None:
        self.remote = remote
        self.sending = False
        """Whether anything was sent yet, rather than replayed."""
        self._endpoint, self._transport, self._breaker = endpoint, transport, breaker
        self._ledger, self._threads, self._counts, self._max_images = ledger, threads, counts, max_images
        self._own_actions = own_actions
        self._reservations = Reservations(budget, ledger, threads)
        self._gate = Gate(endpoint.concurrency)
        self._requests = Pace(endpoint.requests_per_minute)
        self._tokens = Pace(endpoint.tokens_per_minute)
        self._attempts: set[asyncio.Task[tuple[CallResult, Entry]]] = set()
        self._encoding: dict[tuple[str, ...], asyncio.Future[EncodedFrames]] = {}
        self._sampling: asyncio.Task[dict[str, float]] | None = None
        self._proven = False
        """Whether the server accepted a request with the present parameters."""
        self._replied = False
        self._refusals: Counter[str] = Counter()
        """Refusals so far in the same words, as long as no call got a reply."""

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        ledger: Ledger,
        store: FrameStore,
        budget: Budget | None,
        purpose: str,
        cache_bytes: int,
        counts: CallCounts,
        own_actions: bool,
    ) -> Sender:
        """Open the connection pool and learn which model answers.

        `own_actions`: every reply is a policy's own action, also an empty one or one that stopped within its thought.

        Raises:
            StepStopped: the API key's variable is not set, no model is named and none is listed, or it takes no images.
        """
        transport, threads = open_transport(endpoint), ThreadPoolExecutor(2, "calls")
        try:
            identity = identity_of(endpoint)
            breaker = Breaker(identity, endpoint.dead_after_s, endpoint.deadline_s)
            loop = asyncio.get_running_loop()
            name = endpoint.model or await first_model(transport, endpoint, ledger)
            remote = await loop.run_in_executor(
                threads, RemoteModel, endpoint, name, ledger, store, purpose, cache_bytes
            )
            if (known := ledger.fact(identity, f"images:{name}")) == "0":
                raise EndpointDown(f"{name} at {identity} takes no images, as its probe found; name another model")
            if budget is not None:
                await loop.run_in_executor(threads, budget.join, ledger)
            max_images = min(endpoint.max_images or sys.maxsize, int(known or sys.maxsize))
            return cls(endpoint, remote, transport, breaker, ledger, budget, threads, counts, max_images, own_actions)
        except BaseException:
            threads.shutdown(wait=False)
            await transport.close()
            raise

    async def close(self) -> None:
        """Await the requests whose episodes were cancelled (Ctrl-C) for a moment: their replies are paid for."""
        if self._attempts:
            self._breaker.stop("interrupted")  # What was not sent yet is not sent any more.
            _log.warning(
                "awaiting %d calls in flight for up to %.0f s, to keep their replies", len(self._attempts), GRACE_S
            )
            _, late = await asyncio.wait(self._attempts, timeout=GRACE_S)
            for attempt in late:
                attempt.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._threads.shutdown(wait=False)
        await self._transport.close()

    async def ask(self, key: str, attempt: int, sampling: dict, messages: Sequence[Message]) -> Entry:
        """Send a call until it has a final result; every attempt is recorded, `attempt` is the number of the first.

        Raises:
            CallFailed: it used up its tries, or shows more images than the model takes.
            StepStopped: the server is down or the budget is spent.
        """
        if (images := sum(len(message.frame_ids) for message in messages)) > self._max_images:
            raise CallFailed(
                "too_large",
                f"{images} frames are more than the {self._max_images} images that {self.remote.model} accepts in a "
                "request, so nothing was sent; lower protocol.overview_frames or zoom_frames, or name another model",
                retryable=True,
            )
        await self._learn_sampling()
        parameters = self.remote.parameters(sampling)
        body = await self._encode(parameters, messages)
        tries, without_stop, self.sending = 0, False, True
        while True:
            sent = frozenset(parameters)
            # A task of its own: a cancelled episode does not cancel a request that is paid for.
            asked = asyncio.ensure_future(
                self._attempt(key, attempt, sampling, messages, sent, body, retried=tries > 0)
            )
            self._attempts.add(asked)
            asked.add_done_callback(self._attempt_ended)
            result, entry = await asyncio.shield(asked)
            attempt += 1
            if result.final:
                return entry
            without_stop = without_stop or result.kind == "stopped_in_thought"
            if result.refused_parameter:
                await self._in_thread(self.remote.drop, result.refused_parameter)
            elif result.kind in WAITING_KINDS:
                self._breaker.check()
                raise CallFailed(result.kind, result.error or result.kind, retryable=True)
            elif result.kind != "stopped_in_thought":
                self._breaker.check()
                tries += 1
                if result.kind == "server_error" and tries == 2:
                    await self._find_refused_parameters()
                if tries > allowed_retries(result.kind, self._endpoint.retries):
                    raise CallFailed(result.kind, f"{result.error} (tried {tries} times)", retryable=True)
                await self._breaker.pause(wait_s(key, tries, result.retry_after_s))
            parameters = self.remote.parameters(sampling)
            if without_stop:
                parameters.pop("stop", None)
            if frozenset(parameters) != sent:
                body = await self._encode(parameters, messages)

    async def _attempt(
        self,
        key: str,
        attempt: int,
        sampling: dict,
        messages: Sequence[Message],
        sent: frozenset[str],
        body: Body,
        *,
        retried: bool,
    ) -> tuple[CallResult, Entry]:
        self._breaker.check()
        bound = upper_bound(self._endpoint, body.text_bytes, body.image_tokens)
        await self._reservations.reserve(key, attempt, bound)
        paid_usd: float | None = None
        try:
            result, latency_s = await self._post(body, sent, bound, f"{key}-{attempt}")
            self._counts.made += 1
            self._counts.retried += retried
            entry = self.remote.entry(key, attempt, sampling, excerpt_of(messages), body, result, latency_s=latency_s)
            await self._ledger.write(entry)
            self._counts.paid_usd += entry.cost_usd
            paid_usd = None if result.maybe_billed else entry.cost_usd
        except StepStopped:
            paid_usd = 0.0  # It was stopped before it was sent.
            raise
        finally:
            await self._reservations.settle(key, attempt, paid_usd)
        return result, entry

    def _attempt_ended(self, asked: asyncio.Task[tuple[CallResult, Entry]]) -> None:
        self._attempts.discard(asked)
        if not asked.cancelled():
            asked.exception()  # Whoever waited has it; after a cancellation nobody waits.

    async def _post(
        self, body: Body, sent: frozenset[str], bound: Bound, idempotency_key: str
    ) -> tuple[CallResult, float]:
        """One request, once concurrency and pace allow it, and its latency in seconds."""
        await self._requests.take()
        await self._tokens.take(bound.tokens)
        number = await self._gate.enter()
        began = time.perf_counter()
        succeeded = False
        try:
            self._breaker.check()
            self._breaker.sending()
            result = self.remote.checked(await ask(self._transport, body.pieces, sent, idempotency_key))
            if self._own_actions and result.kind in ("empty_reply", "stopped_in_thought") and not result.uncounted:
                result = dataclasses.replace(result, kind="ok", final=True, text=result.text or "", error=None)
            succeeded = result.kind == "ok"
        finally:
            self._gate.leave(succeeded=succeeded)
        if result.input_tokens or result.output_tokens:
            self._tokens.give_back(bound.tokens - result.input_tokens - result.output_tokens)
        self._note_health(result, number)
        return result, time.perf_counter() - began

    def _note_health(self, result: CallResult, number: int) -> None:
        """What a result says about the server rather than about the call."""
        if result.kind == "stopped":
            self._breaker.stop(f"{self.remote.identity}: {result.error}; then run again")
        elif result.kind in ("rate_limited", "overloaded"):
            self._gate.slow_down(number)
            self._breaker.failed(result.error or "")
        elif result.kind in ("server_error", "timeout", "connection", "malformed"):
            self._breaker.failed(result.error or "")
        elif result.kind in WAITING_KINDS and not result.refused_parameter:
            self._breaker.answered()
            self._note_refusal(result)
        else:
            self._breaker.answered()
            self._proven = True
            self._replied = self._replied or not result.refused_parameter

    def _note_refusal(self, result: CallResult) -> None:
        """Stop if the server refuses call after call in the same words and has answered none."""
        words = re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", result.error or "")
        self._refusals[words] += 1
        if not self._replied and self._refusals[words] >= EQUAL_REFUSALS:
            self._breaker.stop(
                f"{self.remote.identity} refuses every call ({self._refusals[words]} so far, none got a reply) with "
                f"{result.kind}: {result.error}; run again once that is fixed"
            )

    async def _learn_sampling(self) -> None:
        """Once, before the first call is sent: what must be sent so that the model's own settings do not apply."""
        if self._sampling is None:
            self._sampling = asyncio.ensure_future(
                neutral_sampling(self._transport, self.remote.model, self._endpoint, self._ledger)
            )
        self.remote.neutral = await asyncio.shield(self._sampling)

    async def _find_refused_parameters(self) -> None:
        """Some servers fail (500) at a parameter they do not know. Unless a request was accepted before, find out
        once."""
        if self._proven:
            return
        self._proven = True
        for name in await refused_parameters(self._transport, self.remote.model, self._endpoint):
            await self._in_thread(self.remote.drop, name)

    async def _encode(self, parameters: dict, messages: Sequence[Message]) -> Body:
        """The body of a call; frames are fetched and encoded in a thread, once for all calls that wait for them."""
        images = self.remote.images
        for frame_ids in [message.frame_ids for message in messages if not images.holds(message.frame_ids)]:
            if (encoding := self._encoding.get(frame_ids)) is None:
                encoding = self._encoding[frame_ids] = asyncio.ensure_future(self._in_thread(images.get, frame_ids))
                encoding.add_done_callback(_forgetting(self._encoding, frame_ids))
            await asyncio.shield(encoding)
        if all(images.holds(message.frame_ids) for message in messages):
            return self.remote.encode(parameters, messages)
        # The cache is too small for this conversation: one message's frames pushed out another's.
        return await self._in_thread(self.remote.encode, parameters, messages)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _forgetting(
    encoding: dict[tuple[str, ...], asyncio.Future[EncodedFrames]], frame_ids: tuple[str, ...]
) -> Callable[[asyncio.Future[EncodedFrames]], None]:
    def forget(_: asyncio.Future[EncodedFrames]) -> None:
        encoding.pop(frame_ids, None)

    return forget
