"""A player behind any OpenAI-compatible server: every call is in the ledger, and is replayed from there when it can
be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Literal

from distill.client.batch_api import answer_in_batches
from distill.client.calls import Call, Reply
from distill.client.endpoints import identity_of
from distill.client.errors import CallFailed, StepStopped
from distill.client.sending import CallCounts, Sender
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Entry, Ledger
from videozoomer.protocol import Message
from videozoomer.settings.model import Endpoint

_log = logging.getLogger(__name__)


class ChatPlayer:
    """Plays over HTTP. One instance serves one step: it is started and finished on one event loop, or starts by
    itself."""

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
        """`cut_off="play"` plays a reply that reached max_tokens, as a policy's own action; by default it fails the
        episode, since a teacher's is of no use. Without a `budget`, spending has no cap."""
        self.endpoint = endpoint
        self.identity = identity_of(endpoint)
        self.name = endpoint.model or self.identity
        self._ledger, self._store, self._budget = ledger, store, budget
        self._purpose, self._cut_off, self._cache_bytes = purpose, cut_off, image_cache_bytes
        self._counts = CallCounts()
        self._others: set[str | None] = set()
        """Other models that replies named so far."""
        self._sender: Sender | None = None
        self._opening: asyncio.Task[Sender] | None = None
        self._opened_by: asyncio.AbstractEventLoop | None = None
        self._in_flight: dict[str, asyncio.Future[Entry]] = {}

    def statistics(self) -> dict[str, int | float]:
        """Calls so far: asked for, replayed, made (requests sent), retried, failed for good (`refused`); and what was
        paid."""
        return asdict(self._counts) | {"paid_usd": round(self._counts.paid_usd, 6)}

    async def start(self) -> None:
        """Open the connection pool and learn which model answers.

        Raises:
            StepStopped: the API key's variable is not set, or no model is named and none is listed.
        """
        self._opened_by = None
        await self._opened()

    async def finish(self) -> None:
        sender, self._sender, self._opened_by = self._sender, None, None
        if sender is not None:
            await sender.close()

    def ask_ahead(self, calls: Iterable[Call]) -> None:
        """If the endpoint asks for it, have these calls answered by the Batch API; `reply` then finds them in the
        ledger. Blocks.

        Raises:
            StepStopped: the server rejects the batch, or needs more than a day for it.
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
                f"{self.identity} is still working on batches with {tally.unfinished} calls; "
                "run again later to collect them"
            )

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """See `Player.reply`. The same call asked twice at once is sent once."""
        sender = await self._opened()
        self._counts.asked += 1
        sampling = sender.remote.sampling(sample, temperature)
        key = sender.remote.key(sampling, messages)
        if key in self._in_flight:
            return self._reply(sender, await asyncio.shield(self._in_flight[key]), replayed=True)
        flight = self._in_flight[key] = asyncio.get_running_loop().create_future()
        try:
            # This takes microseconds; a trip to a thread would take a tenth of a millisecond and two queues.
            known, attempt = self._ledger.look_up(key)
            if known is not None and sender.remote.refuses(known):
                known = None
            entry = await sender.ask(key, attempt, sampling, messages) if known is None else known
            flight.set_result(entry)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()
            raise
        finally:
            flight.cancel()
            del self._in_flight[key]
        return self._reply(sender, entry, replayed=known is not None)

    def warm(self, frame_ids: Sequence[str]) -> None:
        """See `Warms.warm`. As long as everything is replayed, nothing is sent, and no frame is encoded."""
        if (sender := self._sender) is not None and sender.sending:
            sender.remote.images.get(tuple(frame_ids))

    async def _opened(self) -> Sender:
        if self._opening is None or self._opened_by is not asyncio.get_running_loop():
            self._opened_by = asyncio.get_running_loop()
            self._opening = asyncio.ensure_future(self._open())
        return await self._opening

    async def _open(self) -> Sender:
        self._in_flight.clear()
        self._sender = await Sender.open(
            self.endpoint,
            self._ledger,
            self._store,
            self._budget,
            self._purpose,
            self._cache_bytes,
            self._counts,
            own_actions=self._cut_off == "play",
        )
        self.name = self._sender.remote.model
        return self._sender

    def _reply(self, sender: Sender, entry: Entry, *, replayed: bool) -> Reply:
        self._counts.replayed += replayed
        if sender.remote.is_another(entry.served_model):
            self._counts.another_model += 1
            if entry.served_model not in self._others:
                self._others.add(entry.served_model)
                _log.warning(
                    "%s was asked for at %s, and a reply names %s: a gateway may have fallen back to another model. "
                    "List that name in served_names if it is the same one; another_model: refuse takes no other",
                    sender.remote.model,
                    self.identity,
                    entry.served_model,
                )
        reply = Reply(
            entry.reply or "",
            entry.finish_reason,
            entry.input_tokens,
            entry.output_tokens,
            entry.cost_usd,
            entry.key,
            replayed,
            entry.served_model,
        )
        if entry.outcome == "ok" or (entry.outcome == "cut_off" and self._cut_off == "play"):
            return reply
        self._counts.refused += 1
        raise CallFailed(entry.outcome, entry.error or entry.outcome, retryable=False, reply=reply)
