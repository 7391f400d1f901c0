"""The HTTP side: the standard library's threading server, kept-alive connections, errors as OpenAI words them."""

from __future__ import annotations

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from samples.teacher.completion import RequestError, complete, models
from samples.teacher.sight import Eyes

_MOST_BYTES = 256 * 2**20
_log = logging.getLogger(__name__)


class TeacherServer(ThreadingHTTPServer):
    """Serves on 127.0.0.1 unless told otherwise. Several may share a port where the system lets them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, host: str = "127.0.0.1", *, share_port: bool = False) -> None:
        self.eyes = Eyes()
        self._share_port = share_port
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        if self._share_port:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("a connection of %s broke off", client_address, exc_info=True)

    @property
    def base_url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}/v1"

    def start(self) -> threading.Thread:
        """Serve in a thread of this process."""
        thread = threading.Thread(target=self.serve_forever, name="sample-teacher", daemon=True)
        thread.start()
        return thread


class _Handler(BaseHTTPRequestHandler):
    server: TeacherServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Header and body leave in one packet."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0].rstrip("/")
        if path in ("", "/health", "/v1/health"):
            return self._send(200, {"status": "ok"})
        if path == "/v1/models":
            return self._send(200, models())
        if path.startswith("/v1/models/"):
            card = next((card for card in models()["data"] if card["id"] == path.rsplit("/", 1)[1]), None)
            return self._send(200, card) if card else self._fail(404, "there is no such model; see /v1/models", "model_not_found")
        return self._fail(404, f"there is nothing at {self.path}; this server has /v1/chat/completions and /v1/models", "not_found")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST_BYTES:
            self.close_connection = True
            return self._fail(411 if not length else 413, f"send a Content-Length of at most {_MOST_BYTES} bytes", "bad_length")
        data = self.rfile.read(int(length))
        if self.path.split("?")[0].rstrip("/") != "/v1/chat/completions":
            return self._fail(404, f"there is nothing at {self.path}; this server has /v1/chat/completions and /v1/models", "not_found")
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            return self._fail(400, f"the body is no valid JSON: {error}", "invalid_json")
        try:
            answer = complete(body, self.server.eyes)
        except RequestError as error:
            return self._fail(error.status, str(error), error.code, error.param)
        except Exception:
            # The one place where anything unforeseen becomes an answer: a server must outlive its requests.
            _log.exception("a request could not be answered")
            return self._fail(500, "the sample teacher failed on this request; its log has the details", "internal_error")
        return self._send(200, answer)

    def _fail(self, status: int, sentence: str, code: str | None, param: str | None = None) -> None:
        kind = "invalid_request_error" if status < 500 else "server_error"
        self._send(status, {"error": {"message": sentence, "type": kind, "param": param, "code": code}})

    def _send(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)
