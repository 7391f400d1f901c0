"""A chat request in OpenAI's form as a call to the policy, and the reply in that form again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import secrets
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distill.errors import CallFailed
from train.batching import Batcher, Call
from train.generate import Written
from train.player import seed_of
from zoom import Image, Message, Text
from zoom.messages import merged


class RequestError(ValueError):
    """A request that cannot be served; `status`, `code` and `param` go into the error's JSON."""

    def __init__(self, sentence: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.param = status, code, param


class _TextPart(BaseModel):
    type: Literal["text"]
    text: str


class _ImageUrl(BaseModel):
    url: str


class _ImagePart(BaseModel):
    type: Literal["image_url"]
    image_url: _ImageUrl


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "user", "assistant"]
    content: str | list[Annotated[_TextPart | _ImagePart, Field(discriminator="type")]]


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
    top_p: float | None = None
    include_stop_str_in_output: bool = False
    """As vLLM has it: keep the stop string at the end of the text."""


def complete(body: Any, batcher: Batcher, name: str, most_tokens: int) -> dict:
    """Answer the JSON of a request to /v1/chat/completions.

    Raises:
        RequestError: it cannot be served; the sentence says why.
    """
    request = _checked(body, name)
    jpegs: dict[str, bytes] = {}
    messages = [_read(message, jpegs) for message in request.messages]
    number = secrets.randbits(48) if request.seed is None else request.seed
    stops = tuple(stop for stop in ([request.stop] if isinstance(request.stop, str) else request.stop or []) if stop)
    limit = min(request.max_completion_tokens or request.max_tokens or most_tokens, most_tokens)
    temperature = 1.0 if request.temperature is None else request.temperature
    waiting: Future[Written] = batcher.submit(Call(messages, temperature, seed_of(messages, number), limit, stops, jpegs))
    try:
        written = waiting.result()
    except CallFailed as error:
        raise RequestError(error.sentence, code="context_length_exceeded", param="messages") from error
    text = written.text
    if written.stop and not request.include_stop_str_in_output:
        text = text[: text.index(written.stop)]
    usage = {"prompt_tokens": written.prompt_tokens, "completion_tokens": len(written.ids)}
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion", "created": 0, "model": name,
        "choices": [
            {
                "index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None,
                "finish_reason": written.finish_reason, "stop_reason": written.stop,
            }
        ],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }


def _checked(body: Any, name: str) -> _Request:
    try:
        request = _Request.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"])) or None
        raise RequestError(f"{param or 'the request'}: {first['msg']}", param=param) from error
    if request.model != name:
        raise RequestError(f"The model {request.model!r} does not exist; there is {name!r}.", status=404, code="model_not_found", param="model")
    if request.n not in (None, 1):
        raise RequestError("n must be 1: send a request for each sample, with another seed", param="n")
    if request.stream:
        raise RequestError("streaming is not offered; leave out stream", code="unsupported_value", param="stream")
    if request.top_p not in (None, 1):
        raise RequestError("top_p must be 1: the policy is sampled as it is trained", code="unsupported_value", param="top_p")
    return request


def _read(message: _Message, jpegs: dict[str, bytes]) -> Message:
    """A message in neutral form; its pictures go to `jpegs`."""
    if isinstance(message.content, str):
        return Message(message.role, merged([Text(message.content)]))
    parts: list[Text | Image] = []
    for part in message.content:
        if isinstance(part, _TextPart):
            parts.append(Text(part.text))
            continue
        data = _picture(part.image_url.url)
        frame_id = hashlib.sha256(data).hexdigest()[:32]
        jpegs[frame_id] = data
        parts.append(Image(frame_id, 0.0))
    return Message(message.role, merged(parts))


def _picture(url: str) -> bytes:
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise RequestError("pictures must be data URLs (data:image/jpeg;base64,...); this server fetches nothing", param="messages")
    try:
        data = base64.b64decode(body, validate=True)
        Picture.open(io.BytesIO(data)).verify()
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RequestError(f"a picture cannot be read: {error}", code="invalid_image", param="messages") from error
    return data
