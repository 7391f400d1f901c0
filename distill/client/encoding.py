"""The body of a chat completion as pieces of bytes, most of them encoded frames from the cache.

Why: an overview of 64 frames makes a call of some 850 KB of JSON. Here a body costs a lookup for each message, and
neither base64 nor a copy of the frames. `encode_plainly` is the same in one `json.dumps`; the tests compare the two.

Figure: 1.6 CPU ms a call against 6.5 (4.0 x) by `python -m benchmarks.fast_path encoding`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from distill.client.image_cache import ImageCache
from distill.storage.keys import conversation_json, dump, text_hash
from videozoomer.protocol import Message, Text


class Body(NamedTuple):
    pieces: tuple[bytes, ...]
    """What is sent, one after the other. Frames are the cache's own bytes, so a body takes no memory of its own."""
    digest: str
    """Hash of the parameters and of the conversation, in which frame ids stand for the image bytes."""
    text_bytes: int
    """Bytes of all but the images."""
    image_tokens: int
    """Tokens of the images, by the provider's rule."""


def encode_request(parameters: dict, messages: Sequence[Message], images: ImageCache) -> Body:
    """The body of a chat completion. Messages without frames are plain strings, the form that every server accepts."""
    head = dump(parameters)
    pieces: list[bytes] = []
    text = head[:-1] + ',"messages":['
    image_bytes = image_tokens = 0
    for index, message in enumerate(messages):
        text += f'{"," if index else ""}{{"role":{dump(message.role)},"content":'
        if not message.frame_ids:
            text += dump(message.text) + "}"
            continue
        frames = images.get(message.frame_ids)
        image_bytes += frames.size_bytes
        image_tokens += frames.tokens
        encoded = iter(frames.json)
        separator = "["
        for part in message.parts:
            if isinstance(part, Text):
                text += f'{separator}{{"type":"text","text":{dump(part.text)}}}'
            else:
                pieces += ((text + separator).encode(), next(encoded))
                text = ""
            separator = ","
        text += "]}"
    pieces.append((text + "]}").encode())
    text_bytes = sum(map(len, pieces)) - image_bytes
    return Body(tuple(pieces), text_hash(head + conversation_json(messages)), text_bytes, image_tokens)


def encode_plainly(parameters: dict, messages: Sequence[Message], jpeg_of: Callable[[str], bytes]) -> bytes:
    """The bytes of `encode_request`, written for reading."""

    def content(message: Message) -> str | list[dict]:
        if not message.frame_ids:
            return message.text
        return [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {
                "type": "image_url",
                "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(jpeg_of(part.frame_id)).decode()},
            }
            for part in message.parts
        ]

    body = dict(sorted(parameters.items())) | {
        "messages": [{"role": message.role, "content": content(message)} for message in messages]
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
