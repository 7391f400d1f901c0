"""A server of `videozoomer view` in a thread, and a browser that sends what it is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

from eval.viewer.live.server import Shown, listen, serve


class Browser:
    def __init__(self, address: str) -> None:
        self.address = address
        self.host = urlsplit(address).netloc
        self.cookie = ""
        opened = self.send("GET", urlsplit(address).path + "?" + urlsplit(address).query)
        self.cookie = (opened.getheader("Set-Cookie") or "").split(";")[0]

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> HTTPResponse:
        """One request; a header that is None is left out."""
        connection = HTTPConnection(*self.host.split(":"), timeout=60)
        sent = {"Host": self.host, "Cookie": self.cookie} | (headers or {})
        if body is not None:
            sent = {"Origin": f"http://{self.host}", "Content-Type": "application/json"} | sent
        connection.putrequest(method, path, skip_host=True)
        data = None if body is None else json.dumps(body).encode()
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        return connection.getresponse()

    def get(self, path: str, **asked: Any) -> Any:
        answer = self.send("GET", f"{path}?{urlencode(asked, doseq=True)}")
        body = json.loads(answer.read())
        if answer.status != 200:
            raise AssertionError((answer.status, body))
        return body["result"]

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        answer = self.send("POST", path, body)
        return answer.status, json.loads(answer.read())


@contextmanager
def serving(shown: Shown) -> Iterator[Browser]:
    addresses: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()

    def ready(address: str) -> None:
        addresses.append(address)
        started.set()

    with listen(0) as listening:
        task = loop.create_task(serve(shown, listening, ready))

        def work() -> None:
            asyncio.set_event_loop(loop)
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                pass
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

        thread = threading.Thread(target=work)
        thread.start()
        assert started.wait(30)
        try:
            yield Browser(addresses[0])
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(30)
            assert not thread.is_alive()
