"""The door between a call and HTTP: post the body of a chat completion, get the server's reply.

Whoever sends calls depends on `Transport` alone; `distill.client.connection.open_transport` chooses the implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from distill.client.calls import CallResult
from distill.client.refusals import read_refusal
from distill.client.replies import read_completion


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    text: str


class ListedModel(BaseModel):
    id: str
    owned_by: str | None = None
    """`vllm` and `sglang` name themselves here."""
    max_model_len: int | None = None
    """Tokens of the model's context, which vLLM and SGLang list."""


class NoReply(Exception):
    """No whole reply arrived. `kind` is `timeout` or `connection`."""

    def __init__(self, kind: str, sentence: str, *, sent: bool) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sent = sent
        """Whether the server may have received the request, and billed it."""


class Transport(Protocol):
    """Connections to one server, used on one event loop."""

    async def post(self, pieces: Sequence[bytes], idempotency_key: str | None = None) -> HttpReply:
        """Post a chat completion; its JSON is the pieces joined.

        Raises:
            NoReply: no whole reply arrived.
        """
        ...

    async def listed(self) -> list[ListedModel] | str:
        """The models that the server lists, or a sentence why it lists none."""
        ...

    async def close(self) -> None: ...


async def ask(transport: Transport, pieces: Sequence[bytes], sent: frozenset[str], idempotency_key: str) -> CallResult:
    """Post a chat completion; every failure becomes a result. `sent` holds the names of the parameters in the body."""
    try:
        reply = await transport.post(pieces, idempotency_key)
    except NoReply as error:
        return CallResult(error.kind, False, error=str(error), maybe_billed=error.sent)
    if reply.status == 200:
        return read_completion(reply.text, stop_sent="stop" in sent, headers=reply.headers, sent=sent)
    if 200 < reply.status < 300:
        sentence = f"HTTP {reply.status} instead of a chat completion: {reply.text[:200]!r}"
        return CallResult("malformed", False, error=sentence, maybe_billed=True)
    return read_refusal(reply.status, reply.text, reply.headers, sent)
