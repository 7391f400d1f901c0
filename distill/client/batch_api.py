"""Calls by the Batch API: files of requests, answered within a day at half the price. For first turns and for judges.

The answers go to the same ledger under the same keys, so playing afterwards replays them. Resumable at any moment: what
was uploaded is noted before the batch is made, the batch carries our name for it, and unfinished batches are collected
before new ones are sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.client.calls import Call, CallResult
from distill.client.connection import first_model, open_batch_client, open_transport
from distill.client.costs import upper_bound
from distill.client.encoding import Body
from distill.client.errors import EndpointDown
from distill.client.remote_model import RemoteModel, excerpt_of
from distill.client.replies import read_completion, read_refusal
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from distill.storage.threads import run_blocking
from videozoomer.lake.atomic import write_text
from videozoomer.settings.model import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_NAME = "batch:"


@dataclass
class Tally:
    """What became of the calls; `unfinished` are in batches that the server still works on: run again later."""

    known: int = 0
    sent: int = 0
    answered: int = 0
    failed: int = 0
    unfinished: int = 0
    no_room: int = 0
    """Not sent since the cap leaves no room."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """One line of a batch, kept on disk until its answer is journalled."""

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
    """Have calls answered by batches; returns when all are, or after `wait_s` with some unfinished. Blocks.

    `max_requests` and `max_bytes` are the provider's limits of one file. `on_state` is told what goes on.

    Raises:
        StepStopped: the server cannot be reached or refuses a batch; run again to go on.
    """

    async def run() -> Tally:
        from openai import APIError

        client, transport = open_batch_client(endpoint), open_transport(endpoint)
        try:
            model = endpoint.model or await first_model(transport, endpoint, ledger)
            remote = RemoteModel(endpoint, model, ledger, store, purpose, 64 * 2**20)
            batches = _Batches(client, remote, ledger, budget, on_state or (lambda text: None))
            until = time.monotonic() + wait_s
            await batches.collect(poll_s, until)
            for part in batches.parts(calls, max_requests, max_bytes):
                await batches.send(part)
            await batches.collect(poll_s, until)
            return batches.tally
        except APIError as error:
            raise EndpointDown(f"{endpoint.base_url}: {error}; what was sent is noted: run again to go on") from error
        finally:
            await transport.close()
            await client.close()

    return run_blocking(run)


class _Batches:
    def __init__(
        self,
        client: AsyncOpenAI,
        remote: RemoteModel,
        ledger: Ledger,
        budget: Budget | None,
        say: Callable[[str], object],
    ) -> None:
        self.client, self.remote, self.ledger, self.budget, self.say = client, remote, ledger, budget, say
        self.tally = Tally()
        self.folder = ledger.path.with_name(ledger.path.name + ".batches")

    def parts(self, calls: Iterable[Call], max_requests: int, max_bytes: int) -> Iterator[tuple[Path, list[_Sent]]]:
        """Files of requests for the calls that the ledger does not know, each within the limits."""
        self.folder.mkdir(exist_ok=True)
        path, lines, size, seen = self.folder / "next.jsonl", [], 0, set()
        handle = path.open("wb")
        try:
            for call in calls:
                sampling = self.remote.sampling(call.sample, call.temperature)
                key = self.remote.key(sampling, call.messages)
                if key in seen or self.ledger.replay(key) is not None:
                    self.tally.known += 1
                    continue
                seen.add(key)
                parameters = self.remote.parameters(sampling)
                body = self.remote.encode(parameters, call.messages)
                sent = _Sent(
                    key,
                    self.ledger.next_attempt(key),
                    call.sample,
                    call.temperature,
                    body.digest,
                    body.text_bytes,
                    body.image_tokens,
                    excerpt_of(call.messages),
                    tuple(parameters),
                )
                line = b'{"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":%s}\n' % (
                    key.encode(),
                    b"".join(body.pieces),
                )
                if not self._set_aside(sent):
                    self.tally.no_room += 1
                    continue
                if lines and (len(lines) >= max_requests or size + len(line) > max_bytes):
                    handle.close()
                    yield path, lines
                    handle, lines, size = path.open("wb"), [], 0
                handle.write(line)
                lines.append(sent)
                size += len(line)
        finally:
            handle.close()
        if lines:
            yield path, lines
        path.unlink(missing_ok=True)

    async def send(self, part: tuple[Path, list[_Sent]]) -> None:
        path, lines = part
        name = hashlib.sha256("".join(line.key for line in lines).encode()).hexdigest()[:24]
        await asyncio.to_thread(self._keep, name, lines)
        uploaded = await self.client.files.create(file=path, purpose="batch")
        await self._note(name, {"file": uploaded.id, "batch": None})
        await self._make(name, uploaded.id)
        self.tally.sent += len(lines)
        self.say(f"sent {len(lines)} calls as a batch")

    async def collect(self, poll_s: float, until: float) -> None:
        """Wait for the batches under way, and journal what they bring."""
        while waiting := self.ledger.facts(self.remote.identity, _NAME):
            for fact, value in waiting.items():
                name, noted = fact.removeprefix(_NAME), json.loads(value)
                batch_id = noted["batch"] or await self._make(name, noted["file"])
                batch = await self.client.batches.retrieve(batch_id)
                if batch.status in ("completed", "expired", "cancelled"):
                    await self._journal(name, batch)
                elif batch.status == "failed":
                    await self._forget(name)
                    raise EndpointDown(
                        f"the server refuses the batch {batch_id}: {batch.errors}; mend it or play without batches"
                    )
                else:
                    self.say(f"batch {batch_id} is {batch.status}")
            if not (left := self.ledger.facts(self.remote.identity, _NAME)):
                return
            if time.monotonic() >= until:
                self.tally.unfinished = sum(len(self._kept(fact.removeprefix(_NAME))) for fact in left)
                return
            await asyncio.sleep(poll_s)

    async def _make(self, name: str, file_id: str) -> str:
        """Make a batch of an uploaded file, unless a run that was cut down had made it already."""
        async for batch in self.client.batches.list():
            if (batch.metadata or {}).get("name") == name:
                break
        else:
            batch = await self.client.batches.create(
                input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"name": name}
            )
        await self._note(name, {"file": file_id, "batch": batch.id})
        return batch.id

    async def _journal(self, name: str, batch: Any) -> None:
        sent = {line.key: line for line in self._kept(name)}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            for raw in (await self.client.files.content(file_id)).text.splitlines():
                answer = json.loads(raw)
                if (line := sent.pop(answer["custom_id"], None)) is not None and not self.ledger.has(
                    line.key, line.attempt
                ):
                    await self._journal_one(line, _read(answer, line))
        for line in sent.values():
            # Neither answered nor refused: the batch ended before its turn. Live calls or the next batch ask again.
            await self._journal_one(
                line, CallResult("timeout", False, error=f"the batch was {batch.status} before this call's turn")
            )
        await self._forget(name)
        self.say(f"batch {batch.id} is {batch.status}")

    async def _journal_one(self, line: _Sent, result: CallResult) -> None:
        body = Body((), line.digest, line.text_bytes, line.image_tokens)
        entry = self.remote.entry(
            line.key,
            line.attempt,
            {"sample": line.sample, "temperature": line.temperature},
            line.excerpt,
            body,
            result,
            latency_s=0.0,
            price_share=self.remote.endpoint.prices.batch_share,
        )
        await self.ledger.write(entry)
        if self.budget is not None:
            await asyncio.to_thread(self.budget.settle, self.ledger, line.key, line.attempt, entry.cost_usd)
        if result.refused_parameter:
            self.remote.drop(result.refused_parameter)
        self.tally.answered += result.kind == "ok"
        self.tally.failed += result.kind != "ok"

    def _set_aside(self, line: _Sent) -> bool:
        if self.budget is None:
            return True
        prices = self.remote.endpoint.prices
        most = upper_bound(self.remote.endpoint, line.text_bytes, line.image_tokens).cost_usd * prices.batch_share
        return self.budget.set_aside(self.ledger, line.key, line.attempt, most)

    def _keep(self, name: str, lines: list[_Sent]) -> None:
        write_text(self.folder / f"{name}.json", json.dumps([asdict(line) for line in lines]))

    def _kept(self, name: str) -> list[_Sent]:
        rows = json.loads((self.folder / f"{name}.json").read_text())
        return [_Sent(**(row | {"parameters": tuple(row["parameters"])})) for row in rows]

    async def _note(self, name: str, value: dict) -> None:
        await asyncio.to_thread(self.ledger.learn, self.remote.identity, _NAME + name, json.dumps(value))

    async def _forget(self, name: str) -> None:
        await asyncio.to_thread(self.ledger.unlearn, self.remote.identity, _NAME + name)
        (self.folder / f"{name}.json").unlink(missing_ok=True)


def _read(answer: dict, line: _Sent) -> CallResult:
    if (response := answer.get("response")) is None:
        error = answer.get("error") or {}
        return CallResult(
            "timeout", False, error=f"the batch gave no answer: {error.get('message') or error.get('code')}"
        )
    text = json.dumps(response["body"])
    if response["status_code"] == 200:
        return read_completion(text, stop_sent="stop" in line.parameters)
    result = read_refusal(response["status_code"], text, {}, frozenset(line.parameters))
    return result if result.kind != "stopped" else CallResult("server_error", False, error=result.error)
