"""A server that plays may be away for a while, and then comes back with the weights it had at its start."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from train.rl.server_connection import ATTEMPTS, Connection, ServerFailed
from videozoomer.settings.rl import RolloutServer


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.asynccontextmanager
async def running(port: int, paths: dict[str, object], health: int = 200) -> AsyncIterator[None]:
    app = web.Application()
    for path, answer in paths.items():
        app.router.add_post(path, answer)

    async def state(_: web.Request) -> web.Response:
        return await _reply(health)

    app.router.add_get("/health", state)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _reply(status: int = 200) -> web.Response:
    return web.json_response({"ok": True}, status=status)


def settings(port: int, patience_s: float = 20.0) -> RolloutServer:
    return RolloutServer(base_url=f"http://127.0.0.1:{port}/v1", model="m", patience_s=patience_s, timeout_s=5)


def test_calls_wait_for_a_server_that_is_away_and_go_on_after_it_got_the_weights_again():
    port, events, said = free_port(), [], []

    async def work(_: web.Request) -> web.Response:
        events.append("work")
        return await _reply()

    async def load(_: web.Request) -> web.Response:
        events.append("load")
        return await _reply()

    async def restore(connection: Connection) -> None:
        await connection.post_once("/load", {})

    async def play() -> list[object]:
        paths = {"/work": work, "/load": load}
        async with Connection(settings(port), restore, said.append) as connection:
            async with running(port, paths):
                await connection.post("/work", {})
            calls = [asyncio.create_task(connection.post("/work", {})) for _ in range(8)]
            await asyncio.sleep(0.3)
            assert not any(call.done() for call in calls)
            async with running(port, paths):
                return await asyncio.gather(*calls)

    assert asyncio.run(play()) == [{"ok": True}] * 8
    assert events == ["work", "load", *["work"] * 8]
    assert len(said) == 2 and "is away" in said[0] and "is back" in said[1]


def test_an_engine_that_died_behind_a_running_server_is_waited_for():
    port = free_port()

    async def dead(_: web.Request) -> web.Response:
        return await _reply(500)

    async def alive(_: web.Request) -> web.Response:
        return await _reply()

    async def restore(_: Connection) -> None:
        pass

    async def play() -> object:
        async with Connection(settings(port), restore, lambda _: None) as connection:
            async with running(port, {"/work": dead}, health=503):
                call = asyncio.create_task(connection.post("/work", {}))
                await asyncio.sleep(0.2)
            async with running(port, {"/work": alive}):
                return await call

    assert asyncio.run(play()) == {"ok": True}


def test_a_server_that_stays_away_ends_training_with_the_remedy():
    async def restore(_: Connection) -> None:
        raise AssertionError("nobody is there")

    async def play() -> None:
        async with Connection(settings(free_port(), patience_s=0.4), restore, lambda _: None) as connection:
            await connection.post("/work", {})

    with pytest.raises(ServerFailed, match=r"was away for 0\.4 s .*resumes from its last saved state"):
        asyncio.run(play())


@pytest.mark.parametrize(("status", "tries"), [(500, ATTEMPTS), (429, ATTEMPTS), (400, 1), (404, 1)])
def test_a_healthy_server_that_fails_a_call_is_asked_a_few_times(status, tries, monkeypatch):
    port, seen = free_port(), []
    monkeypatch.setattr(asyncio, "sleep", _no_sleep(asyncio.sleep))

    async def failing(_: web.Request) -> web.Response:
        seen.append(1)
        return await _reply(status)

    async def restore(_: Connection) -> None:
        raise AssertionError("it was never away")

    async def play() -> None:
        async with running(port, {"/work": failing}), Connection(settings(port), restore, print) as connection:
            await connection.post("/work", {})

    with pytest.raises(ServerFailed, match=f"HTTP {status}"):
        asyncio.run(play())
    assert len(seen) == tries


def _no_sleep(sleep):
    async def shortened(delay: float, *given: object) -> None:
        await sleep(min(delay, 0.01), *given)

    return shortened
