"""A chat request answered in the form of OpenAI's API: checks, stop strings, token limits, usage."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samples.teacher import MODEL
from samples.teacher.conversation import BadContent, read_conversation
from samples.teacher.mind import think
from samples.teacher.reading import Temper
from samples.teacher.sight import Eyes, NotAnImage

CARD = (
    "Not a language model. Classical image recognition (hue, texture spectrum, glyph templates) and a parser for plain "
    "English questions, made for VideoZoomer's sample world. It sees the request and nothing else, and errs on purpose "
    "by temperature and seed as a model would. Use it for the demonstration and for tests only."
)
_CONTEXT_TOKENS = 131_072
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]|\s+(?=\s)|\s$")
_PIXELS_OF_A_TOKEN = 28 * 28


class RequestError(ValueError):
    """A request that cannot be served; `status`, `code` and `param` go into the error's JSON."""

    def __init__(self, sentence: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.param = status, code, param


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: str
    content: str | list[Any] | None = None


class _Request(BaseModel):
    """The fields that are understood; others are ignored, as other servers do."""

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[_Message] = Field(min_length=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int | None = None
    stream: bool | None = None
    include_stop_str_in_output: bool = False
    """As vLLM has it: keep the stop string at the end of the text."""


def count_tokens(text: str) -> int:
    """Tokens of a text by this server's simple count: pieces of words up to four letters long, and signs."""
    return len(_TOKEN.findall(text))


def complete(body: Any, eyes: Eyes) -> dict:
    """Answer the JSON of a request to /v1/chat/completions.

    Raises:
        RequestError: it cannot be served; the sentence says why.
    """
    request = _checked(body)
    try:
        talk = read_conversation([message.model_dump() for message in request.messages], eyes.look)
    except (BadContent, NotAnImage) as error:
        raise RequestError(str(error), code="invalid_image" if isinstance(error, NotAnImage) else None, param="messages") from error
    said = "".join(message.content if isinstance(message.content, str) else _texts(message.content) for message in request.messages)
    prompt_tokens = count_tokens(said) + talk.picture_pixels // _PIXELS_OF_A_TOKEN + 4 * len(request.messages)
    if prompt_tokens > _CONTEXT_TOKENS:
        raise RequestError(
            f"This model's maximum context length is {_CONTEXT_TOKENS} tokens, but the request holds {prompt_tokens}.",
            code="context_length_exceeded", param="messages",
        )
    temperature = 1.0 if request.temperature is None else request.temperature
    seed = random.SystemRandom().getrandbits(32) if request.seed is None else request.seed
    text = think(talk, Temper(temperature, seed))
    text, stop, finish = _ended(text, request)
    tokens = count_tokens(text)
    digest = hashlib.sha1(talk.digest + repr((seed, temperature)).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "system_fingerprint": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": finish,
                "stop_reason": stop,
            }
        ],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens},
    }


def models() -> dict:
    """The answer to /v1/models."""
    card = {"id": MODEL, "object": "model", "created": 0, "owned_by": "videozoomer-samples", "description": CARD}
    return {"object": "list", "data": [card]}


def _checked(body: Any) -> _Request:
    try:
        request = _Request.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"])) or None
        raise RequestError(f"{param or 'the request'}: {first['msg']}", param=param) from error
    if request.model != MODEL:
        raise RequestError(f"The model {request.model!r} does not exist; there is {MODEL!r}.", status=404, code="model_not_found", param="model")
    if request.n not in (None, 1):
        raise RequestError("n must be 1: send a request for each sample, with another seed", param="n")
    if request.stream:
        raise RequestError("streaming is not offered; leave out stream", code="unsupported_value", param="stream")
    if isinstance(request.stop, list) and len(request.stop) > 4:
        raise RequestError("stop takes at most 4 strings", param="stop")
    return request


def _texts(parts: list[Any] | None) -> str:
    return "".join(part.get("text", "") for part in parts or [] if isinstance(part, dict) and isinstance(part.get("text"), str))


def _ended(text: str, request: _Request) -> tuple[str, str | None, str]:
    """The text as far as generation would have come: (text, stop string that ended it, finish reason)."""
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    found = min(((text.find(stop), stop) for stop in stops if stop and stop in text), default=None)
    if found is not None:
        text = text[: found[0] + (len(found[1]) if request.include_stop_str_in_output else 0)]
    limit = request.max_completion_tokens or request.max_tokens
    if limit is not None and count_tokens(text) > limit:
        end = [match.end() for match in _TOKEN.finditer(text)][limit - 1]
        return text[:end], None, "length"
    return text, found[1] if found else None, "stop"
