"""Calls through the Batch API: files of requests, answered within a day at half the price. For first turns and for
judges.

The replies go to the same ledger under the same keys, so playing afterwards replays them. A run can stop at any moment:
an upload is recorded before its batch is created, the batch carries our name for it, and unfinished batches are
collected before new ones are sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.client.calls import Call, CallResult
from distill.client.connection import first_model, neutral_sampling, open_batch_client, open_transport
from distill.client.costs import upper_bound
from distill.client.encoding import Body
from distill.client.errors import EndpointDown
from distill.client.refusals import read_refusal
from distill.client.remote_model import RemoteModel, excerpt_of
from distill.client.replies import read_completion
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from distill.storage.threads import run_blocking
from videozoomer.settings.model import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

_FACT = "batch:"


@dataclass
class Tally:
    """What became of the calls. `unfinished` ones are in batches that the server is still working on: run again
    later."""

    known: int = 0
    sent: int = 0
    answered: int = 0
    failed: int = 0
    unfinished: int = 0
    no_room: int = 0
    """Not sent, since the budget has no room for them."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a batch file, kept on disk until its reply is recorded."""

    key: str
    attempt: int
    sample: int
    temperature: float
    digest: str
    text_bytes: int
    image_tokens: int
    excerpt: str
    parameters: tuple[str, ...]


def answer_in_batches(
    calls: Iterable[Call],
    endpoint: Endpoint,
    ledger: Ledger,
    store: FrameStore,
    *,
    budget: Budget | None = None,
    purpose: str = "episode",
    max_requests: int = 50_000,
    max_bytes: int = 180 * 2**20,
    poll_s: float = 30.0,
    wait_s: float = 86_400.0,
    on_state: Callable[[str], object] | None = None,
) -> Tally:
    """Have calls answered by batches. Returns when all are, or after `wait_s` with some unfinished. Blocks.

    `max_requests` and `max_bytes` are the provider's limits for one file. `on_state` gets a sentence at each change.

    Raises:
        StepStopped: the server does not respond or rejects a batch; run again to resume.
    """

    async def run() -> Tally:
        from openai import APIError

        client, transport = open_batch_client(endpoint), open_transport(endpoint)
        try:
            model = endpoint.model or await first_model(transport, endpoint, ledger)
            remote = RemoteModel(endpoint, model, ledger, store, purpose, 64 * 2**20)
            remote.neutral = await neutral_sampling(transport, model, endpoint, ledger)
            batches = BatchApiRun(client, remote, ledger, budget, on_state or (lambda text: None))
            until = time.monotonic() + wait_s
            await batches.collect(poll_s, until)
            for file in batches.files(calls, max_requests, max_bytes):
                await batches.send(file)
            await batches.collect(poll_s, until)
            return batches.tally
        except APIError as error:
            raise EndpointDown(
                f"{endpoint.base_url}: {error}; every upload is recorded: run again to resume"
            ) from error
        finally:
            await transport.close()
            await client.close()

    return run_blocking(run)


class BatchApiRun:
    """The batches of one model: what is under way is in the ledger's facts, the lines of each file in a folder beside
    it."""

    def __init__(
        self,
        client: AsyncOpenAI,
        remote: RemoteModel,
        ledger: Ledger,
        budget: Budget | None,
        on_state: Callable[[str], object],
    ) -> None:
        self.tally = Tally()
        self._client, self._remote, self._ledger, self._budget = client, remote, ledger, budget
        self._on_state = on_state
        self._folder = ledger.path.with_name(ledger.path.name + ".batches")

    def files(self, calls: Iterable[Call], max_requests: int, max_bytes: int) -> Iterator[tuple[Path, list[_Line]]]:
        """Files of requests for the calls that the ledger does not know, each within the limits."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / "next.jsonl"
        lines: list[_Line] = []
        seen: set[str] = set()
        size = 0
        handle = path.open("wb")
        try:
            for call in calls:
                sampling = self._remote.sampling(call.sample, call.temperature)
                key = self._remote.key(sampling, call.messages)
                known = self._ledger.replay(key)
                if key in seen or (known is not None and not self._remote.refuses(known)):
                    self.tally.known += 1
                    continue
                seen.add(key)
                parameters = self._remote.parameters(sampling)
                body = self._remote.encode(parameters, call.messages)
                line = _Line(
                    key,
                    self._ledger.next_attempt(key),
                    call.sample,
                    call.temperature,
                    body.digest,
                    body.text_bytes,
                    body.image_tokens,
                    excerpt_of(call.messages),
                    tuple(parameters),
                )
                if not self._reserve(line):
                    self.tally.no_room += 1
                    continue
                content = b'{"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":%s}\n' % (
                    key.encode(),
                    b"".join(body.pieces),
                )
                if lines and (len(lines) >= max_requests or size + len(content) > max_bytes):
                    handle.close()
                    yield path, lines
                    handle, lines, size = path.open("wb"), [], 0
                handle.write(content)
                lines.append(line)
                size += len(content)
        finally:
            handle.close()
        if lines:
            yield path, lines
        path.unlink(missing_ok=True)

    async def send(self, file: tuple[Path, list[_Line]]) -> None:
        path, lines = file
        name = hashlib.sha256("".join(line.key for line in lines).encode()).hexdigest()[:24]
        await asyncio.to_thread(self._keep, name, lines)
        uploaded = await self._client.files.create(file=path, purpose="batch")
        await self._note(name, {"file": uploaded.id, "batch": None})
        await self._create(name, uploaded.id)
        self.tally.sent += len(lines)
        self._on_state(f"sent {len(lines)} calls as a batch")

    async def collect(self, poll_s: float, until: float) -> None:
        """Wait for the batches under way, and record what they bring."""
        while waiting := self._ledger.facts(self._remote.identity, _FACT):
            for fact, value in waiting.items():
                name, noted = fact.removeprefix(_FACT), json.loads(value)
                batch_id = noted["batch"] or await self._create(name, noted["file"])
                batch = await self._client.batches.retrieve(batch_id)
                if batch.status in ("completed", "expired", "cancelled"):
                    await self._record(name, batch)
                elif batch.status == "failed":
                    await self._drop(name)
                    raise EndpointDown(
                        f"the server rejects the batch {batch_id}: {batch.errors}; "
                        "fix the cause or play without batches"
                    )
                else:
                    self._on_state(f"batch {batch_id} is {batch.status}")
            if not (left := self._ledger.facts(self._remote.identity, _FACT)):
                return
            if time.monotonic() >= until:
                self.tally.unfinished = sum(len(self._kept(fact.removeprefix(_FACT))) for fact in left)
                return
            await asyncio.sleep(poll_s)

    async def _create(self, name: str, file_id: str) -> str:
        """Create a batch from an uploaded file, unless an interrupted run already did."""
        async for batch in self._client.batches.list():
            if (batch.metadata or {}).get("name") == name:
                break
        else:
            batch = await self._client.batches.create(
                input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"name": name}
            )
        await self._note(name, {"file": file_id, "batch": batch.id})
        return batch.id

    async def _record(self, name: str, batch: Batch) -> None:
        pending = {line.key: line for line in self._kept(name)}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            for raw in (await self._client.files.content(file_id)).text.splitlines():
                answer = json.loads(raw)
                line = pending.pop(answer["custom_id"], None)
                if line is not None and not self._ledger.has(line.key, line.attempt):
                    await self._record_line(line, _read_line(answer, line))
        for line in pending.values():
            # The batch ended before this call's turn. Live calls or the next batch ask again.
            unanswered = CallResult("timeout", False, error=f"the batch was {batch.status} before this call's turn")
            await self._record_line(line, unanswered)
        await self._drop(name)
        self._on_state(f"batch {batch.id} is {batch.status}")

    async def _record_line(self, line: _Line, result: CallResult) -> None:
        result = self._remote.checked(result)
        body = Body((), line.digest, line.text_bytes, line.image_tokens)
        entry = self._remote.entry(
            line.key,
            line.attempt,
            {"sample": line.sample, "temperature": line.temperature},
            line.excerpt,
            body,
            result,
            latency_s=0.0,
            price_share=self._remote.endpoint.prices.batch_share,
        )
        await self._ledger.write(entry)
        if self._budget is not None:
            await asyncio.to_thread(self._budget.settle, self._ledger, line.key, line.attempt, entry.cost_usd)
        if result.refused_parameter:
            self._remote.drop(result.refused_parameter)
        self.tally.answered += result.kind == "ok"
        self.tally.failed += result.kind != "ok"

    def _reserve(self, line: _Line) -> bool:
        if self._budget is None:
            return True
        endpoint = self._remote.endpoint
        bound = upper_bound(endpoint, line.text_bytes, line.image_tokens)
        max_usd = bound.cost_usd * endpoint.prices.batch_share
        return self._budget.reserve(self._ledger, line.key, line.attempt, max_usd)

    def _keep(self, name: str, lines: list[_Line]) -> None:
        from videozoomer.lake.atomic import write_text

        write_text(self._folder / f"{name}.json", json.dumps([asdict(line) for line in lines]))

    def _kept(self, name: str) -> list[_Line]:
        rows = json.loads((self._folder / f"{name}.json").read_text())
        return [_Line(**(row | {"parameters": tuple(row["parameters"])})) for row in rows]

    async def _note(self, name: str, value: dict) -> None:
        await asyncio.to_thread(self._ledger.set_fact, self._remote.identity, _FACT + name, json.dumps(value))

    async def _drop(self, name: str) -> None:
        await asyncio.to_thread(self._ledger.drop_fact, self._remote.identity, _FACT + name)
        (self._folder / f"{name}.json").unlink(missing_ok=True)


def _read_line(answer: dict, line: _Line) -> CallResult:
    if (response := answer.get("response")) is None:
        error = answer.get("error") or {}
        sentence = f"the batch has no reply for this call: {error.get('message') or error.get('code')}"
        return CallResult("timeout", False, error=sentence)
    text = json.dumps(response["body"])
    if response["status_code"] == 200:
        return read_completion(text, stop_sent="stop" in line.parameters)
    result = read_refusal(response["status_code"], text, {}, frozenset(line.parameters))
    return result if result.kind != "stopped" else CallResult("server_error", False, error=result.error)
