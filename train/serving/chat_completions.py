"""Chat completions in OpenAI's format: a request becomes a call to the policy, its generation a response."""

from __future__ import annotations

import base64
import binascii
import io
import secrets
from concurrent.futures import Future
from typing import Any

from distill.chat_server import ChatMessage, RequestError, completion, read_request
from distill.client.errors import CallFailed
from train.policy.chat_tokens import CheckpointError
from train.policy.checkpoint import load_weights
from train.policy.generate import Generation
from train.serving.batching import Batcher, Call
from train.serving.player import seed_of
from videozoomer.protocol import Image, Message, Text
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.messages import Role, merged


def complete(body: Any, batcher: Batcher, name: str, max_tokens: int) -> dict:
    """Answer the JSON of a request to /v1/chat/completions.

    Raises:
        RequestError: the request cannot be served; the message gives the reason.
    """
    request = read_request(body, name)
    if request.top_p not in (None, 1):
        raise RequestError(
            "top_p must be 1, because the policy is sampled the way it is trained",
            code="unsupported_value",
            param="top_p",
        )
    jpegs: dict[str, bytes] = {}
    messages = [_read(message, jpegs) for message in request.messages]
    number = secrets.randbits(48) if request.seed is None else request.seed
    limit = min(request.limit or max_tokens, max_tokens)
    temperature = 1.0 if request.temperature is None else request.temperature
    waiting: Future[Generation] = batcher.submit(
        Call(messages, temperature, seed_of(messages, number), limit, request.stops, jpegs)
    )
    try:
        generation = waiting.result()
    except CallFailed as error:
        raise RequestError(error.sentence, code="context_length_exceeded", param="messages") from error
    text = generation.text
    if generation.stop and not request.include_stop_str_in_output:
        text = text[: text.index(generation.stop)]
    reply = completion(
        identity=secrets.token_hex(12),
        model=name,
        text=text,
        finish_reason=generation.finish_reason,
        stop=generation.stop,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=len(generation.ids),
    )
    # In vLLM's format: the sampled tokens and their log-probabilities.
    if body.get("return_token_ids"):
        reply["choices"][0]["token_ids"] = generation.ids
    if body.get("logprobs"):
        entries: list[dict[str, Any]] = [
            {"token": f"token_id:{token}", "logprob": logprob, "bytes": None, "top_logprobs": []}
            for token, logprob in zip(generation.ids, generation.logprobs, strict=True)
        ]
        reply["choices"][0]["logprobs"] = {"content": entries}
    return reply


def control(body: Any, batcher: Batcher) -> dict:
    """The only supported remote call, named as in vLLM: load the weights of a checkpoint folder.

    Raises:
        RequestError: the call is a different one, or the folder has no matching checkpoint.
    """
    folder = (body.get("kwargs") or {}).get("weights_path") if isinstance(body, dict) else None
    if not isinstance(body, dict) or body.get("method") != "reload_weights" or not isinstance(folder, str):
        raise RequestError(
            'this server supports only {"method": "reload_weights", "kwargs": {"weights_path": FOLDER}}', param="method"
        )
    try:
        batcher.run_between_batches(lambda policy: load_weights(policy, folder)).result()
    except (CheckpointError, RuntimeError) as error:
        raise RequestError(f"the weights were not loaded: {error}", param="weights_path") from error
    return {"results": [None]}


def _read(message: ChatMessage, jpegs: dict[str, bytes]) -> Message:
    """A message in our own format; adds its pictures to `jpegs`."""
    role = _role(message.role)
    if message.content is None or isinstance(message.content, str):
        return Message(role, merged([Text(message.content or "")]))
    parts: list[Text | Image] = []
    for part in message.content:
        match part:
            case {"type": "text", "text": str(text)}:
                parts.append(Text(text))
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                data = _picture(url)
                frame_id = frame_id_of(data)
                jpegs[frame_id] = data
                parts.append(Image(frame_id, 0.0))
            case _:
                raise RequestError("a part of a message must be a text or an image_url", param="messages")
    return Message(role, merged(parts))


def _role(name: str) -> Role:
    match name:
        case "system" | "user" | "assistant":
            return name
    raise RequestError(f"role must be system, user or assistant, not {name!r}", param="messages")


def _picture(url: str) -> bytes:
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise RequestError(
            "pictures must be data URLs (data:image/jpeg;base64,...); this server downloads nothing", param="messages"
        )
    try:
        data = base64.b64decode(body, validate=True)
        Picture.open(io.BytesIO(data)).verify()
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RequestError(f"a picture cannot be read: {error}", code="invalid_image", param="messages") from error
    return data
