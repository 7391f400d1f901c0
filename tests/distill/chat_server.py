"""An OpenAI-compatible server on plain asyncio that answers by rule and fails on request.

In a test: `with ChatServer(...) as server: ... server.url`. As a process of its own, for kill -9 and for benchmarks:
`python tests/distill/chat_server.py --latency 0.2`, which prints its address; `GET /stats` tells what it counted.

It plays the protocol without looking at images: it zooms once, at a place that follows from question and seed, then
answers A or B. Whatever it was asked stands in `calls`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable

from videozoomer.protocol.parsing import STOP

STORM = {"429": 0.10, "500": 0.05, "hang": 0.05, "cut": 0.03, "malformed": 0.02, "close": 0.01}
_SEED, _QUESTION = re.compile(rb'"seed":(-?\d+)'), re.compile(rb"Question: ([^\\\"]*)")
_DURATION = re.compile(rb"The video lasts ([\d.]+) seconds")


class ChatServer:
    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        storm: dict[str, float] | None = None,
        seed: int = 0,
        refuses: tuple[str, ...] = (),
        behave: Callable[[int, bytes], str | tuple | None] | None = None,
        zooms: int = 1,
        keep: bool = True,
        swallow_stop: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        models: tuple[int, dict, bytes] | None = None,
        max_model_len: int | None = None,
        owned_by: str = "us",
        rewrite: Callable[[int, dict], dict] | None = None,
    ) -> None:
        """`behave(number, body)` may return a misbehaviour's name, a whole (status, headers, body), or None to answer
        by rule. `rewrite(number, completion)` changes what is answered by rule. `keep=False` forgets bodies, for long
        runs."""
        self.latency_s, self.storm, self.refuses, self.behave = latency_s, storm or {}, refuses, behave
        self.zooms, self.keep, self.swallow_stop, self.port, self.tls = zooms, keep, swallow_stop, port, tls
        self.models, self.max_model_len = models, max_model_len
        self.rewrite, self.owned_by = rewrite, owned_by
        self.calls: list[bytes] = []
        self.heads: list[str] = []
        self.counts: Counter[str] = Counter()
        self.most_at_once = self.at_once = 0
        self.files: dict[str, bytes] = {}
        self._random = random.Random(seed)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/v1" if self.tls else f"http://127.0.0.1:{self.port}/v1"

    def bodies(self) -> list[dict]:
        return [json.loads(body) for body in self.calls]

    def __enter__(self) -> ChatServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event | None = None) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, limit=2**22, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        if ready:
            ready.set()
        else:
            print(self.url, flush=True)
        await self._ended.wait()
        server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
                path = head.split(" ", 2)[1]
                if self.keep:
                    self.heads.append(head)
                length = re.search(r"content-length: (\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
                answer = await self._answer(head.split(" ", 1)[0], path, body)
                if answer is None:
                    break
                status, headers, content = answer
                lines = {"content-type": "application/json", "content-length": str(len(content))} | headers
                writer.write(
                    f"HTTP/1.1 {status} X\r\n".encode()
                    + "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode()
                    + b"\r\n"
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, dict, bytes] | None:
        if path.partition("?")[0].endswith("/models"):
            self.counts["models"] += 1
            if self.models:
                return self.models
            served: dict = {"id": "rule-player", "object": "model", "created": 0, "owned_by": self.owned_by}
            if self.max_model_len:
                served["max_model_len"] = self.max_model_len
            return json_bytes(200, {"object": "list", "data": [served]})
        if path.endswith("/stats"):
            return json_bytes(
                200,
                dict(self.counts)
                | {"at_once": self.at_once, "most_at_once": self.most_at_once, "cpu_s": time.process_time()},
            )
        number = self.counts["calls"]
        self.counts["calls"] += 1
        if self.keep:
            self.calls.append(body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            how = self.behave(number, body) if self.behave else self._drawn()
            if isinstance(how, tuple):
                return how
            if how:
                self.counts[how] += 1
                return await self._misbehave(how)
            for name in self.refuses:
                if f'"{name}":'.encode() in body:
                    return json_bytes(400, {"error": {"message": f"Unsupported parameter: {name}", "param": name}})
            self.counts["answered"] += 1
            completion = self.completion(self._text(body))
            return json_bytes(200, self.rewrite(number, completion) if self.rewrite else completion)
        finally:
            self.at_once -= 1

    def _drawn(self) -> str | None:
        draw = self._random.random()
        for how, share in self.storm.items():
            if (draw := draw - share) < 0:
                return how
        return None

    async def _misbehave(self, how: str) -> tuple[int, dict, bytes] | None:
        if how == "close":
            return None
        if how == "hang":
            await asyncio.sleep(3600)
        if how == "malformed":
            return 200, {}, b'{"choices": [{"message": {"content": "<thi'
        if how == "cut":
            return json_bytes(200, self.completion("<think>I was going to", reason="length"))
        if how == "empty":
            return json_bytes(200, {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}})
        if how == "filtered":
            return json_bytes(200, self.completion(None, reason="content_filter"))
        if how == "overflow":
            return json_bytes(
                400,
                {
                    "error": {
                        "message": "This model's maximum context length is 8192 tokens",
                        "code": "context_length_exceeded",
                    }
                },
            )
        headers = {"retry-after-ms": "20"} if how == "429" else {}
        return int(how), headers, json.dumps({"error": {"message": f"ordered to fail with {how}"}}).encode()

    def _text(self, body: bytes) -> str:
        """Zoom `zooms` times where zooming is allowed, then answer; another place and answer for each seed."""
        seed, question = _SEED.search(body[:400]), _QUESTION.search(body, max(0, body.rfind(b"Question: ")))
        drawn = hashlib.sha256((seed[1] if seed else b"") + (question[1] if question else b"")).digest()
        rounds = body.count(b'"role":"assistant"')
        if b"<video_zoom>" in body[:4000] and rounds < self.zooms:
            # Sought from the end: a body is some 900 KB of images.
            found = _DURATION.search(body, max(0, body.rfind(b"The video lasts ")))
            last = float(found[1]) if found else 10.0
            start = round(drawn[rounds] / 256 * max(last - 4, 0), 1)
            text = f'<think>look at {start}</think><video_zoom>{{"segment": [{start}, {start + 2}], "fps": 2}}{STOP}'
            return text.removesuffix(STOP) if self.swallow_stop and b'"stop":' in body else text
        return f"<think>seen enough</think><answer>{'AB'[drawn[31] % 2]}</answer>"

    def completion(self, text: str | None, reason: str = "stop") -> dict:
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "rule-player",
            "choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
        }


def json_bytes(status: int, value: object) -> tuple[int, dict, bytes]:
    return status, {}, json.dumps(value).encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--storm", action="store_true")
    parser.add_argument("--zooms", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    server = ChatServer(
        latency_s=chosen.latency,
        storm=STORM if chosen.storm else None,
        zooms=chosen.zooms,
        keep=False,
        port=chosen.port,
    )
    asyncio.run(server._serve())
