"""A chat request in OpenAI's form as a call to the policy, and the reply in that form again."""

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
from videozoomer.protocol.messages import merged


def complete(body: Any, batcher: Batcher, name: str, most_tokens: int) -> dict:
    """Answer the JSON of a request to /v1/chat/completions.

    Raises:
        RequestError: it cannot be served; the sentence says why.
    """
    request = read_request(body, name)
    if request.top_p not in (None, 1):
        raise RequestError(
            "top_p must be 1: the policy is sampled as it is trained", code="unsupported_value", param="top_p"
        )
    jpegs: dict[str, bytes] = {}
    messages = [_read(message, jpegs) for message in request.messages]
    number = secrets.randbits(48) if request.seed is None else request.seed
    limit = min(request.limit or most_tokens, most_tokens)
    temperature = 1.0 if request.temperature is None else request.temperature
    waiting: Future[Generation] = batcher.submit(
        Call(messages, temperature, seed_of(messages, number), limit, request.stops, jpegs)
    )
    try:
        written = waiting.result()
    except CallFailed as error:
        raise RequestError(error.sentence, code="context_length_exceeded", param="messages") from error
    text = written.text
    if written.stop and not request.include_stop_str_in_output:
        text = text[: text.index(written.stop)]
    reply = completion(
        identity=secrets.token_hex(12),
        model=name,
        text=text,
        finish_reason=written.finish_reason,
        stop=written.stop,
        prompt_tokens=written.prompt_tokens,
        completion_tokens=len(written.ids),
    )
    # As vLLM sends them: the tokens that were drawn, and with which probability.
    if body.get("return_token_ids"):
        reply["choices"][0]["token_ids"] = written.ids
    if body.get("logprobs"):
        entries = [
            {"token": f"token_id:{token}", "logprob": logprob, "bytes": None, "top_logprobs": []}
            for token, logprob in zip(written.ids, written.logprobs, strict=True)
        ]
        reply["choices"][0]["logprobs"] = {"content": entries}
    return reply


def control(body: Any, batcher: Batcher) -> dict:
    """The one remote call that is known, by vLLM's name for it: take the weights of a checkpoint folder.

    Raises:
        RequestError: it is another call, or the folder holds no such checkpoint.
    """
    folder = (body.get("kwargs") or {}).get("weights_path") if isinstance(body, dict) else None
    if not isinstance(body, dict) or body.get("method") != "reload_weights" or not isinstance(folder, str):
        raise RequestError(
            'this server knows {"method": "reload_weights", "kwargs": {"weights_path": FOLDER}} alone', param="method"
        )
    try:
        batcher.between(lambda policy: load_weights(policy, folder)).result()
    except (CheckpointError, RuntimeError) as error:
        raise RequestError(f"the weights were not taken: {error}", param="weights_path") from error
    return {"results": [None]}


def _read(message: ChatMessage, jpegs: dict[str, bytes]) -> Message:
    """A message in neutral form; its pictures go to `jpegs`."""
    if message.role not in ("system", "user", "assistant"):
        raise RequestError(f"role must be system, user or assistant, not {message.role!r}", param="messages")
    if message.content is None or isinstance(message.content, str):
        return Message(message.role, merged([Text(message.content or "")]))
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
    return Message(message.role, merged(parts))


def _picture(url: str) -> bytes:
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise RequestError(
            "pictures must be data URLs (data:image/jpeg;base64,...); this server fetches nothing", param="messages"
        )
    try:
        data = base64.b64decode(body, validate=True)
        Picture.open(io.BytesIO(data)).verify()
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RequestError(f"a picture cannot be read: {error}", code="invalid_image", param="messages") from error
    return data
