"""An OpenAI-compatible server that answers by rule after a fixed delay and uses as little CPU as possible.

    python -m benchmarks.latency_server --latency 0.2

It stands in for a remote machine but shares the client's cores. So the kernel discards all of a body but its last text,
and the answer is prepared during the delay: about 0.35 CPU ms for a call of 900 KB. It follows the protocol: it zooms
while it may, then answers. `GET /stats` returns its counters. `tests/distill/chat_server.py` is the full-featured
server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import selectors
import socket
import time
import zlib

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_LEFT, _MOST = re.compile(rb"zooms left: (\d+)"), 4
_BUFFER = bytearray(2**20)
_TAIL_BYTES = 2000
_HEAD_BYTES = 4096
"""Bytes read to find the end of the headers."""


class Server:
    def __init__(self, latency_s: float, zooms: int) -> None:
        self.latency_s, self.zooms = latency_s, zooms
        self.calls = self.at_once = self.most_at_once = 0

    def answer(self, tail: bytes) -> bytes:
        """A zoom derived from the text, or an answer."""
        drawn = zlib.crc32(tail)
        left = _LEFT.search(tail)
        if (_MOST - int(left[1]) if left else 0) < self.zooms:
            start_s = drawn % 120
            text = f'<think>look at {start_s}</think><video_zoom>{{"segment": [{start_s}, {start_s + 2}], "fps": 2}}'
        else:
            text = f"<think>seen enough</think><answer>{'AB'[drawn % 2]}</answer>"
        return _response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": "rule-player",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
            }
        )

    def stats(self) -> bytes:
        counted = {"calls": self.calls, "at_once": self.at_once, "most_at_once": self.most_at_once}
        return _response(counted | {"cpu_s": time.process_time()})


class Connection:
    """Serve requests in sequence: headers up to an empty line, then Content-Length bytes."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.loop = asyncio.get_running_loop()
        self.head = self.tail = b""
        self.missing = 0
        self.loop.add_reader(sock, self._readable)

    def _readable(self) -> None:
        try:
            if self.missing > _TAIL_BYTES:
                # With MSG_TRUNC Linux discards the bytes without copying them.
                came = self.sock.recv_into(_BUFFER, min(len(_BUFFER), self.missing - _TAIL_BYTES), socket.MSG_TRUNC)
            else:
                new = self.sock.recv(self.missing or _HEAD_BYTES)
                came = len(new)
        except BlockingIOError:
            return
        except OSError:
            came = 0
        if not came:
            self.loop.remove_reader(self.sock)
            self.sock.close()
        elif self.missing > _TAIL_BYTES:
            self.missing -= came
        elif self.missing:
            self.tail += new
            self.missing -= came
            if not self.missing:
                self._asked()
        else:
            self.head += new
            self._headed()

    def _headed(self) -> None:
        head, ended, body = self.head.partition(b"\r\n\r\n")
        if ended:
            length = _LENGTH.search(head)
            self.missing = (int(length[1]) if length else 0) - len(body)
            self.head, self.tail, self.path = b"", body, head.split(b" ", 2)[1]
            if not self.missing:
                self._asked()

    def _asked(self) -> None:
        if self.path.endswith(b"/stats"):
            self.sock.send(self.server.stats())
        elif self.path.endswith(b"/models"):
            self.sock.send(_response({"object": "list", "data": [{"id": "rule-player", "object": "model"}]}))
        else:
            self.server.calls += 1
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            self.loop.call_later(self.server.latency_s, self._reply, self.server.answer(self.tail[-_TAIL_BYTES:]))

    def _reply(self, answer: bytes) -> None:
        self.server.at_once -= 1
        if self.sock.fileno() >= 0:
            self.sock.send(answer)


def _response(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def serve(latency_s: float, zooms: int) -> None:
    counting, loop = Server(latency_s, zooms), asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        listening.setblocking(False)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", flush=True)
        while True:
            sock, _ = await loop.sock_accept(listening)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(counting, sock)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--zooms", type=int, default=1)
    chosen = parser.parse_args()
    # epoll wakes up to a millisecond late; select does not.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(serve(chosen.latency, chosen.zooms))
