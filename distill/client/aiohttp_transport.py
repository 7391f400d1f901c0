"""Chat completions over aiohttp: for one's own servers, at hundreds of calls a second of nearly 1 MB each.

The openai package takes a second of CPU to import and ten times the CPU of a call; it is used for files and batches.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from distill.client.endpoints import headers_of, proxy_of
from distill.client.transport import HttpReply, ListedModel, NoReply
from distill.client.vectored_write import payload_of
from videozoomer.settings.model import Endpoint


class _Models(BaseModel):
    data: list[ListedModel]


class AiohttpTransport:
    """A `Transport` with a pool of connections, opened, used and closed on one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises StepStopped when the API key's variable is not set."""
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept": "application/json"} | headers_of(endpoint)
        self._timeout_s = endpoint.timeout_s
        self._url = endpoint.base_url.rstrip("/")
        self._query = dict(endpoint.query)
        # With `trust_env`, aiohttp would read the environment and ~/.netrc for each call, in threads.
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout_s),
            proxy=proxy_of(endpoint),
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=True,
        )

    async def post(self, pieces: Sequence[bytes], idempotency_key: str | None = None) -> HttpReply:
        import aiohttp

        headers = None if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        try:
            async with self._session.post(
                f"{self._url}/chat/completions",
                data=payload_of(pieces),
                headers=headers,
                allow_redirects=False,
                params=self._query,
            ) as response:
                text = (await response.read()).decode("utf-8", "replace")
                return HttpReply(response.status, {k.lower(): value for k, value in response.headers.items()}, text)
        except TimeoutError as error:
            raise NoReply("timeout", f"no reply within {self._timeout_s:g} s", sent=True) from error
        except aiohttp.ClientError as error:
            never_sent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            sentence = f"the connection failed: {type(error).__name__}: {error}"
            raise NoReply("connection", sentence, sent=not never_sent) from error

    async def listed(self) -> list[ListedModel] | str:
        """The models with their context, or a sentence why there are none; an HTTP error begins with `HTTP` and its
        status."""
        import aiohttp

        try:
            async with self._session.get(f"{self._url}/models", params=self._query) as response:
                text = (await response.read()).decode("utf-8", "replace")
                if response.status != 200:
                    return f"HTTP {response.status}: {text[:200]}"
                return _Models.model_validate_json(text).data
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (aiohttp.ClientError, ValidationError) as error:
            return f"{type(error).__name__}: {error}"

    async def close(self) -> None:
        await self._session.close()
