"""The server side of chat completions: HTTP by the standard library, validated requests, replies in OpenAI's format.

The caller passes a function that answers a conversation; the sample teacher and a served policy both use this.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_BODY_BYTES = 256 * 2**20
_log = logging.getLogger(__name__)


class RequestError(ValueError):
    """A request that cannot be served; `status`, `code` and `param` go into the JSON of the error."""

    def __init__(self, sentence: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.param = status, code, param


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: str
    content: str | list[Any] | None = None


class ChatRequest(BaseModel):
    """The supported fields; others are ignored, as other servers do."""

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int | None = None
    stream: bool | None = None
    include_stop_str_in_output: bool = False
    """As in vLLM: keep the stop string at the end of the text."""

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(stop for stop in ([self.stop] if isinstance(self.stop, str) else self.stop or []) if stop)

    @property
    def limit(self) -> int | None:
        """Maximum tokens of the reply; null if the request sets none."""
        return self.max_completion_tokens or self.max_tokens


def read_request(body: Any, model: str) -> ChatRequest:
    """Raises:
    RequestError: a field is missing or out of range, or asks for another model or an unsupported feature.
    """
    try:
        request = ChatRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"])) or None
        raise RequestError(f"{param or 'the request'}: {first['msg']}", param=param) from error
    if request.model != model:
        raise RequestError(
            f"The model {request.model!r} does not exist; there is {model!r}.",
            status=404,
            code="model_not_found",
            param="model",
        )
    if request.n not in (None, 1):
        raise RequestError("n must be 1: send a request for each sample, with another seed", param="n")
    if request.stream:
        raise RequestError("streaming is not supported; leave out stream", code="unsupported_value", param="stream")
    if len(request.stops) > 4:
        raise RequestError("stop takes at most 4 strings", param="stop")
    return request


def completion(
    *,
    identity: str,
    model: str,
    text: str,
    finish_reason: str,
    stop: str | None,
    prompt_tokens: int,
    completion_tokens: int,
) -> dict:
    """The JSON of a reply."""
    return {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "system_fingerprint": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": finish_reason,
                "stop_reason": stop,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


class ChatServer(ThreadingHTTPServer):
    """Serves on 127.0.0.1 by default. Several may share a port if the system allows it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        answer: Callable[[Any], dict],
        card: dict,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        share_port: bool = False,
        more: Mapping[str, Callable[[Any], dict]] | None = None,
    ) -> None:
        """`answer` turns the JSON of a request into that of its reply, or raises RequestError; it is called from many
        threads. `card` is the model's entry in /v1/models. `more` maps other paths to functions like `answer`."""
        self.answers = {"/v1/chat/completions": answer, **(more or {})}
        self.card = card
        self._share_port = share_port
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        if self._share_port:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("the connection of %s failed", client_address, exc_info=True)

    @property
    def base_url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def start(self) -> threading.Thread:
        """Serve in a thread of this process."""
        thread = threading.Thread(target=self.serve_forever, name="chat-server", daemon=True)
        thread.start()
        return thread


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Headers and body leave in one packet."""

    def do_GET(self) -> None:
        path, card = self.path.split("?")[0].rstrip("/"), self.server.card
        if path in ("", "/health", "/v1/health"):
            return self._send(200, {"status": "ok"})
        if path == "/v1/models":
            return self._send(200, {"object": "list", "data": [card]})
        if path.startswith("/v1/models/"):
            known = path.removeprefix("/v1/models/") == card["id"]
            return (
                self._send(200, card)
                if known
                else self._fail(404, "there is no such model; see /v1/models", "model_not_found")
            )
        return self._not_found()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self._fail(
                411 if not length else 413, f"send a Content-Length of at most {MAX_BODY_BYTES} bytes", "bad_length"
            )
        data = self.rfile.read(int(length))
        answer_to = self.server.answers.get(self.path.split("?")[0].rstrip("/"))
        if answer_to is None:
            return self._not_found()
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            return self._fail(400, f"the body is not valid JSON: {error}", "invalid_json")
        try:
            answer = answer_to(body)
        except RequestError as error:
            return self._fail(error.status, str(error), error.code, error.param)
        except Exception:
            # Anything unforeseen becomes an error reply here: a server must outlive its requests.
            _log.exception("a request could not be answered")
            return self._fail(500, "the server failed on this request; its log has the details", "internal_error")
        return self._send(200, answer)

    def _not_found(self) -> None:
        self._fail(
            404, f"there is nothing at {self.path}; this server has /v1/chat/completions and /v1/models", "not_found"
        )

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
