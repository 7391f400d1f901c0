"""HTTP calls to the server that plays, which may be away for a while: training for days does not end with it."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from videozoomer.settings.rl import RolloutServer

if TYPE_CHECKING:
    from aiohttp import ClientSession

ATTEMPTS = 4
"""Attempts of a call that a healthy server fails to answer."""
LONGEST_PAUSE_S = 30.0
"""Between two looks whether the server is back."""
GATEWAY = (502, 503, 504)
"""HTTP statuses of a server behind a gateway, or of one whose engine is not up."""

MISSING = (403, 404, 405, 501)
"""HTTP statuses of a path that a server does not have, or has only with an option that is off."""


class ServerFailed(RuntimeError):
    """The server cannot be used for playing; the message includes its reply."""


class _Away(Exception):
    """Nobody answers at the address."""


class _Unanswered(Exception):
    """The server is there, and this call failed."""


class Connection:
    """Use it as an async context manager, within one event loop."""

    def __init__(
        self,
        settings: RolloutServer,
        restore: Callable[[Connection], Awaitable[None]],
        say: Callable[[str], object],
    ) -> None:
        """`restore` is called with this connection when the server is back after it was away, before any other call
        goes on: it may have been started again, with the weights of its checkpoint. `say` gets a sentence when the
        server goes away and when it is back.
        """
        self.settings = settings
        self.root = settings.base_url.rstrip("/").removesuffix("/v1")
        self._restore, self._say = restore, say
        self._open = AsyncExitStack()
        self._waits = 0
        """How often the server was away and came back."""

    async def __aenter__(self) -> Self:
        self._session = await self._open.enter_async_context(_session(self.settings))
        self._lock, self._up = asyncio.Lock(), asyncio.Event()
        self._up.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def post(self, path: str, body: dict[str, Any], *, may_be_missing: bool = False) -> Any:
        """Post JSON and read the reply; None for an empty one, or if the path is missing and may be.

        Raises:
            ServerFailed: the server refuses the call, or was away for longer than `rl.server.patience_s`.
        """
        for attempt in itertools.count(1):
            await self._up.wait()
            waits = self._waits
            try:
                return await self.post_once(path, body, may_be_missing=may_be_missing)
            except _Away as away:
                await self._wait(waits, away)
            except _Unanswered as cause:
                if attempt == ATTEMPTS:
                    raise ServerFailed(f"{self.root}{path} failed ({cause})") from cause
                await asyncio.sleep(2.0**attempt / 4)
        raise AssertionError("the loop ends by itself")

    async def restored(self) -> None:
        """Do what is to be done when the server is back; wait for it if it is away.

        Raises:
            ServerFailed: see `post`.
        """
        waits = self._waits
        try:
            await self._restore(self)
        except (_Away, _Unanswered) as cause:
            await self._wait(waits, cause)

    async def post_once(self, path: str, body: dict[str, Any], *, may_be_missing: bool = False) -> Any:
        """Like `post`, without waiting for a server that is away."""
        import aiohttp

        url = f"{self.root}{path}"
        try:
            async with self._session.post(url, json=body) as response:
                if response.status in MISSING and may_be_missing:
                    return None
                if response.status == 200:
                    return await response.json(content_type=None) if response.content_length != 0 else None
                cause = f"HTTP {response.status}: {(await response.text())[:300]}"
                if response.status < 500 and response.status != 429:
                    raise ServerFailed(
                        f"{url} failed ({cause}); check that rl.server is running, with VLLM_SERVER_DEV_MODE=1 in the "
                        "case of vLLM"
                    )
                gone = response.status in GATEWAY
        except aiohttp.ClientError as error:
            raise _Away(f"{type(error).__name__}: {error}") from error
        except TimeoutError:
            cause, gone = f"no reply within {self.settings.timeout_s:g} s (rl.server.timeout_s)", False
        raise _Away(cause) if gone or not await self._healthy() else _Unanswered(cause)

    async def _wait(self, waits: int, away: Exception) -> None:
        """Until the server is back and has the weights again. `waits`: `self._waits` when the call was sent."""
        async with self._lock:
            if waits != self._waits:
                return  # Another call has waited.
            self._up.clear()
            began_s, patience_s = time.monotonic(), self.settings.patience_s
            self._say(f"rl.server at {self.root} is away ({away}); waiting up to {patience_s:g} s for it")
            for attempt in itertools.count():
                try:
                    if await self._healthy():
                        await self._restore(self)
                        break
                except _Away:
                    pass  # It is up and gone again.
                except _Unanswered as cause:
                    if attempt >= ATTEMPTS:
                        raise ServerFailed(f"{self.root} does not take the weights again ({cause})") from cause
                if time.monotonic() - began_s > patience_s:
                    raise ServerFailed(
                        f"rl.server at {self.root} was away for {patience_s:g} s ({away}); start it, then run again: "
                        "training resumes from its last saved state. rl.server.patience_s sets how long to wait"
                    ) from away
                await asyncio.sleep(min(LONGEST_PAUSE_S, 0.5 * 2.0**attempt, patience_s / 4))
            self._waits += 1
            self._up.set()
            self._say(f"rl.server is back after {time.monotonic() - began_s:.0f} s, with the current weights")

    async def _healthy(self) -> bool:
        import aiohttp

        for path in ("/health", "/v1/models"):
            try:
                async with self._session.get(self.root + path, timeout=aiohttp.ClientTimeout(total=10)) as response:
                    if response.status not in (404, 405):
                        return response.status < 500
            except (aiohttp.ClientError, TimeoutError):
                return False
        return False


def _session(settings: RolloutServer) -> ClientSession:
    import aiohttp

    headers = {}
    if name := settings.api_key_env:
        if name not in os.environ:
            raise ServerFailed(f"the environment variable {name} (rl.server.api_key_env) is not set")
        headers["Authorization"] = f"Bearer {os.environ[name]}"
    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
        connector=aiohttp.TCPConnector(limit=0),
    )
