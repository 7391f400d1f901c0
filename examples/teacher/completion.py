"""Answers a chat request in the form of OpenAI's API: validation, stop strings, token limits, usage."""

from __future__ import annotations

import hashlib
import random
import re
from typing import Any

from distill.chat_server import ChatRequest, RequestError, completion, read_request
from examples.teacher import MODEL
from examples.teacher.conversation import BadContent, read_conversation
from examples.teacher.reading import ErrorModel
from examples.teacher.sight import NotAnImage, SightCache
from examples.teacher.turn import take_turn

CARD = (
    "Not a language model. Classical image recognition (hue, texture spectrum, glyph templates) and a parser for plain "
    "English questions, made for VideoZoomer's sample world. It sees the request and nothing else, and errs on purpose "
    "by temperature and seed as a model would. Use it for the demonstration and for tests only."
)
_CONTEXT_TOKENS = 131_072
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]|\s+(?=\s)|\s$")
_PIXELS_OF_A_TOKEN = 28 * 28
_DICTATED = re.compile(r"\AReply with exactly this text and nothing else: (.*)\Z", re.S)
"""What `videozoomer check` asks a server."""


def count_tokens(text: str) -> int:
    """Token count of a text by a simple rule: word pieces of up to four letters, and punctuation marks."""
    return len(_TOKEN.findall(text))


def complete(body: Any, recogniser: SightCache) -> dict:
    """Answer the JSON of a request to /v1/chat/completions.

    Raises:
        RequestError: the request cannot be served; the message says why.
    """
    request = read_request(body, MODEL)
    try:
        chat = read_conversation([message.model_dump() for message in request.messages], recogniser.look)
    except (BadContent, NotAnImage) as error:
        raise RequestError(
            str(error), code="invalid_image" if isinstance(error, NotAnImage) else None, param="messages"
        ) from error
    prompt = "".join(
        message.content if isinstance(message.content, str) else _texts(message.content) for message in request.messages
    )
    prompt_tokens = count_tokens(prompt) + chat.picture_pixels // _PIXELS_OF_A_TOKEN + 4 * len(request.messages)
    if prompt_tokens > _CONTEXT_TOKENS:
        raise RequestError(
            f"This model's maximum context length is {_CONTEXT_TOKENS} tokens, but the request holds {prompt_tokens}.",
            code="context_length_exceeded",
            param="messages",
        )
    temperature = 1.0 if request.temperature is None else request.temperature
    seed = random.SystemRandom().getrandbits(32) if request.seed is None else request.seed
    dictated = _DICTATED.search(prompt)
    text = dictated[1] if dictated else take_turn(chat, ErrorModel(temperature, seed))
    text, stop, finish = _ended(text, request)
    tokens = count_tokens(text)
    digest = hashlib.sha1(chat.digest + repr((seed, temperature)).encode()).hexdigest()
    return completion(
        identity=digest[:24],
        model=MODEL,
        text=text,
        finish_reason=finish,
        stop=stop,
        prompt_tokens=prompt_tokens,
        completion_tokens=tokens,
    )


def model_card() -> dict:
    """The entry in /v1/models."""
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "videozoomer-samples", "description": CARD}


def _texts(parts: list[Any] | None) -> str:
    return "".join(
        part.get("text", "") for part in parts or [] if isinstance(part, dict) and isinstance(part.get("text"), str)
    )


def _ended(text: str, request: ChatRequest) -> tuple[str, str | None, str]:
    """The text up to a stop string or the token limit: (text, stop string, finish reason)."""
    found = min(((text.find(stop), stop) for stop in request.stops if stop in text), default=None)
    if found is not None:
        text = text[: found[0] + (len(found[1]) if request.include_stop_str_in_output else 0)]
    if request.limit is not None and count_tokens(text) > request.limit:
        end = [match.end() for match in _TOKEN.finditer(text)][request.limit - 1]
        return text[:end], None, "length"
    return text, found[1] if found else None, "stop"
