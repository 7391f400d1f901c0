"""A web server for tests: serves a folder, by ranges or not, and counts what it sends."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote


class RangeServer(ThreadingHTTPServer):
    """Serves a folder by ranges and counts the bytes it sends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.sent, self.ranges = folder, 0, True
        self.tags: dict[str, str] = {}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{quote(name)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.server.folder / unquote(self.path.partition("?")[0]).lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and self.server.ranges:
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            part = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            part = data
            self.send_response(200)
        if self.server.ranges:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(part)))
        else:
            self.send_header("Connection", "close")
        for name, value in self.server.tags.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.server.sent += len(part)
            self.wfile.write(part)
        if not self.server.ranges:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""
