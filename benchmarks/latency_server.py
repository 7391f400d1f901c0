"""An OpenAI-compatible server that answers by rule after a fixed time, and takes as little of this machine as it can.

    python -m benchmarks.latency_server --latency 0.2

In a throughput figure it stands for a machine elsewhere, but it runs on the cores that the client is measured on. So it
receives every body into one buffer that all connections share, keeps only its last text, and looks at nothing else: some 0.2
CPU ms a call of 900 KB. It plays the protocol as that text leads: it zooms while it may, then answers. `GET /stats` says
what it counted. The server of the tests (`tests/distill/chat_server.py`) does everything that this one leaves out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import selectors
import time
import zlib

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_LEFT, _MOST = re.compile(rb"zooms left: (\d+)"), 4
_BUFFER = memoryview(bytearray(2**20))
_TAIL_BYTES = 2000
_MOST_HEAD_BYTES = 4096
"""Of the headers; so much is copied to read them, whatever came along with them."""


class Server:
    def __init__(self, latency_s: float, zooms: int) -> None:
        self.latency_s, self.zooms = latency_s, zooms
        self.calls = self.at_once = self.most_at_once = 0

    def answer(self, tail: bytes) -> bytes:
        """A zoom into a place that follows from the text, or an answer."""
        drawn = zlib.crc32(tail)
        left = _LEFT.search(tail)
        if (_MOST - int(left[1]) if left else 0) < self.zooms:
            start_s = drawn % 120
            text = f'<think>look at {start_s}</think><video_zoom>{{"segment": [{start_s}, {start_s + 2}], "fps": 2}}'
        else:
            text = f"<think>seen enough</think><answer>{'AB'[drawn % 2]}</answer>"
        return _response({
            "id": "x", "object": "chat.completion", "created": 0, "model": "rule-player",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
        })

    def stats(self) -> bytes:
        counted = {"calls": self.calls, "at_once": self.at_once, "most_at_once": self.most_at_once}
        return _response(counted | {"cpu_s": time.process_time()})


class Connection(asyncio.BufferedProtocol):
    """Requests one after the other: headers up to an empty line, then as many bytes as Content-Length says."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.head = b""
        self.tail = b""
        self.missing = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, count: int) -> None:
        start = 0
        if not self.missing:
            known = len(self.head)
            self.head += bytes(_BUFFER[: min(count, _MOST_HEAD_BYTES)])
            head, ended, _ = self.head.partition(b"\r\n\r\n")
            if not ended:
                return
            length = _LENGTH.search(head)
            self.missing, start = int(length[1]) if length else 0, len(head) + len(ended) - known
            self.head, self.tail, self.path = b"", b"", head.split(b" ", 2)[1]
        if (came := count - start) >= _TAIL_BYTES:
            self.tail = bytes(_BUFFER[count - _TAIL_BYTES : count])
        else:
            self.tail = (self.tail + bytes(_BUFFER[start:count]))[-_TAIL_BYTES:]
        self.missing -= came
        if not self.missing:
            self._asked()

    def _asked(self) -> None:
        if self.path.endswith(b"/stats"):
            self.transport.write(self.server.stats())
        elif self.path.endswith(b"/models"):
            self.transport.write(_response({"object": "list", "data": [{"id": "rule-player", "object": "model"}]}))
        else:
            self.server.calls += 1
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            asyncio.get_running_loop().call_later(self.server.latency_s, self._reply, self.tail)

    def _reply(self, tail: bytes) -> None:
        self.server.at_once -= 1
        if not self.transport.is_closing():
            self.transport.write(self.server.answer(tail))


def _response(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def serve(latency_s: float, zooms: int) -> None:
    counting = Server(latency_s, zooms)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counting), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--zooms", type=int, default=1)
    chosen = parser.parse_args()
    # epoll wakes up to a millisecond late, select does not.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(serve(chosen.latency, chosen.zooms))
