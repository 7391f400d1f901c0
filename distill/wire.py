"""The requests that matter for speed: a chat completion, as bytes in and text out, and which models there are.

The openai client takes a second of CPU to import, doubles the Python work of a call, and its transport looks at every
open connection for each; at 300 calls a second of 900 KB there is no room for that. It stays for files and batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from distill.connection import key_of
from distill.replies import Outcome, read_completion, read_refusal
from recipes.model import Endpoint

if TYPE_CHECKING:
    from aiohttp import Payload
    from aiohttp.abc import AbstractStreamWriter


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


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
        self._session = aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=endpoint.timeout_s), trust_env=True,
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=True,
        )

    async def send(self, body: bytes | memoryview, name: str | None = None) -> Answer:
        """Post a chat completion. `name` goes along as the idempotency key, for servers that know one.

        Raises:
            TimeoutError: no whole answer within the endpoint's timeout.
            aiohttp.ClientError: the connection could not be made or was lost.
        """
        headers = None if name is None else {"Idempotency-Key": name}
        async with self._session.post(f"{self._url}/chat/completions", data=_payload_class()(body), headers=headers) as response:
            text = (await response.read()).decode("utf-8", "replace")
            return Answer(response.status, {key.lower(): value for key, value in response.headers.items()}, text)

    async def ask(self, body: bytes | memoryview, sent: frozenset[str], name: str) -> Outcome:
        """The same with every failure as an outcome. `sent` holds the names of the parameters in the body."""
        import aiohttp

        try:
            answer = await self.send(body, name)
        except TimeoutError:
            return Outcome("timeout", False, error=f"no reply within {self._timeout_s:g} s", maybe_billed=True)
        except aiohttp.ClientError as error:
            never_sent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            return Outcome("connection", False, error=f"the connection failed: {type(error).__name__}: {error}", maybe_billed=not never_sent)
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
    """Bytes that follow the headers as they are. Given plain bytes, aiohttp joins the two first, which copies 900 KB on
    the event loop, and warns of bodies above 1 MB. (A class made on first use, since aiohttp is loaded on first use.)"""
    import aiohttp

    class Whole(aiohttp.Payload):
        _autoclose = True

        def __init__(self, content: bytes | memoryview) -> None:
            super().__init__(content, content_type="application/json")
            self._size = len(content)

        def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
            return bytes(self._value).decode(encoding, errors)

        async def write(self, writer: AbstractStreamWriter) -> None:
            writer.send_headers()
            await writer.write(self._value)

        async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
            await self.write(writer)

    return Whole
