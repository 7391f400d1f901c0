"""The requests that matter for speed: a chat completion, as bytes in and text out, and which models there are.

The openai client takes a second of CPU to import, doubles the Python work of a call, and its transport looks at every
open connection for each; at 300 calls a second of 900 KB there is no room for that. It stays for files and batches.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from distill.client.connection import key_of, proxy_of
from distill.client.replies import Outcome, read_completion, read_refusal
from videozoomer.settings.model import Endpoint

if TYPE_CHECKING:
    import asyncio

    from aiohttp import Payload
    from aiohttp.abc import AbstractStreamWriter


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


_MOST_PIECES = 1024
"""Pieces that `writev` takes at most, on Linux and macOS."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    text: str


class Wire:
    """A pool of connections to one server. To be made, used and closed on one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises StepStopped when the variable that holds the key is not set."""
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if (key := key_of(endpoint)) is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._timeout_s = endpoint.timeout_s
        self._url = endpoint.base_url.rstrip("/")
        # The proxy is looked up once: with `trust_env`, aiohttp reads the environment and ~/.netrc for each call, in threads.
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout_s),
            proxy=proxy_of(endpoint),
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=True,
        )

    async def send(self, pieces: Sequence[bytes], name: str | None = None) -> Answer:
        """Post a chat completion, whose body is these pieces one after the other. `name` goes along as the idempotency
        key, for servers that know one.

        Raises:
            TimeoutError: no whole answer within the endpoint's timeout.
            aiohttp.ClientError: the connection could not be made or was lost.
        """
        headers = None if name is None else {"Idempotency-Key": name}
        async with self._session.post(
            f"{self._url}/chat/completions", data=_payload_class()(pieces), headers=headers
        ) as response:
            text = (await response.read()).decode("utf-8", "replace")
            return Answer(response.status, {key.lower(): value for key, value in response.headers.items()}, text)

    async def ask(self, pieces: Sequence[bytes], sent: frozenset[str], name: str) -> Outcome:
        """The same with every failure as an outcome. `sent` holds the names of the parameters in the body."""
        import aiohttp

        try:
            answer = await self.send(pieces, name)
        except TimeoutError:
            return Outcome("timeout", False, error=f"no reply within {self._timeout_s:g} s", maybe_billed=True)
        except aiohttp.ClientError as error:
            never_sent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            return Outcome(
                "connection",
                False,
                error=f"the connection failed: {type(error).__name__}: {error}",
                maybe_billed=not never_sent,
            )
        if answer.status == 200:
            return read_completion(answer.text, stop_sent="stop" in sent)
        return read_refusal(answer.status, answer.text, answer.headers, sent)

    async def models(self) -> list[str] | str:
        """Names of the models that the server lists, or a sentence why it does not."""
        import aiohttp

        try:
            async with self._session.get(f"{self._url}/models") as response:
                text = (await response.read()).decode("utf-8", "replace")
                if response.status != 200:
                    return f"HTTP {response.status}: {text[:200]}"
                return [model.id for model in _Models.model_validate_json(text).data]
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (aiohttp.ClientError, ValidationError) as error:
            return f"{type(error).__name__}: {error}"

    async def close(self) -> None:
        await self._session.close()


@cache
def _payload_class() -> type[Payload]:
    """A body that goes to the socket from where its pieces lie. (A class made on first use, since aiohttp is loaded then.)

    An event loop's transport takes one run of bytes, which for 900 KB means a copy to join them, a send of what the socket
    takes, and another copy of the rest: more CPU than all else in a call. `writev` hands the kernel the pieces themselves.
    What it does not take, and everything over TLS, goes through the transport piece by piece.
    """
    import aiohttp

    class Pieces(aiohttp.Payload):
        _autoclose = True

        def __init__(self, pieces: Sequence[bytes]) -> None:
            super().__init__(pieces, content_type="application/json")
            self._size = sum(map(len, pieces))

        def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
            return b"".join(self._value).decode(encoding, errors)

        async def write(self, writer: AbstractStreamWriter) -> None:
            with _corked(writer.transport):
                writer.send_headers()
                left = _send_at_once(writer.transport, self._value, self._size)
            for piece in left:
                await writer.write(piece)

        async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
            await self.write(writer)

    return Pieces


@contextmanager
def _corked(transport: asyncio.Transport | None) -> Iterator[None]:
    """Holds the headers back until the body joins them (Linux): sent alone, they wake the server for nothing."""
    sock = transport.get_extra_info("socket") if transport is not None and hasattr(socket, "TCP_CORK") else None
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        yield
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def _send_at_once(transport: asyncio.Transport | None, pieces: Sequence[bytes], size: int) -> list[bytes | memoryview]:
    """Send what the socket takes now, and return what is left."""
    if transport is None or transport.get_extra_info("sslcontext") is not None or transport.get_write_buffer_size():
        return list(pieces)
    try:
        taken = os.writev(transport.get_extra_info("socket").fileno(), pieces[:_MOST_PIECES])
    except (BlockingIOError, InterruptedError):
        return list(pieces)
    if taken == size:
        return []
    for index, piece in enumerate(pieces):
        if taken < len(piece):
            return [memoryview(piece)[taken:], *pieces[index + 1 :]]
        taken -= len(piece)
    return []
