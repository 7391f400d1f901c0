"""The HTTP side of a served policy: the standard library's threading server, errors as OpenAI words them."""

from __future__ import annotations

import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from train.batching import Batcher
from train.completion import RequestError, complete

_MOST_BYTES = 256 * 2**20
_log = logging.getLogger(__name__)


class PolicyServer(ThreadingHTTPServer):
    """A thread a connection waits; one thread behind the batcher computes."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, batcher: Batcher, name: str, *, host: str, port: int, most_tokens: int) -> None:
        self.batcher, self.name, self.most_tokens = batcher, name, most_tokens
        super().__init__((host, port), _Handler)

    @property
    def base_url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("a connection of %s broke off", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: PolicyServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Header and body leave in one packet."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0].rstrip("/")
        card = {"id": self.server.name, "object": "model", "created": 0, "owned_by": "videozoomer"}
        if path in ("", "/health", "/v1/health"):
            return self._send(200, {"status": "ok"})
        if path == "/v1/models":
            return self._send(200, {"object": "list", "data": [card]})
        if path == f"/v1/models/{self.server.name}":
            return self._send(200, card)
        return self._fail(404, f"there is nothing at {self.path}; this server has /v1/chat/completions and /v1/models", "not_found")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MOST_BYTES:
            self.close_connection = True
            return self._fail(413 if length.isdigit() else 411, f"send a Content-Length of at most {_MOST_BYTES} bytes", "bad_length")
        data = self.rfile.read(int(length))
        if self.path.split("?")[0].rstrip("/") != "/v1/chat/completions":
            return self._fail(404, f"there is nothing at {self.path}; this server has /v1/chat/completions and /v1/models", "not_found")
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            return self._fail(400, f"the body is no valid JSON: {error}", "invalid_json")
        try:
            answer = complete(body, self.server.batcher, self.server.name, self.server.most_tokens)
        except RequestError as error:
            return self._fail(error.status, str(error), error.code, error.param)
        except Exception:
            # The one place where anything unforeseen becomes an answer: a server must outlive its requests.
            _log.exception("a request could not be answered")
            return self._fail(500, "the policy failed on this request; the server's log has the details", "internal_error")
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
