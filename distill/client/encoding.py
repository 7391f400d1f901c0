"""The body of a chat completion as pieces of bytes, most of them encoded frames from the cache.

Why: an overview of 64 frames makes a call of some 850 KB of JSON. A body that is never joined costs a lookup for each message
and no copy of the frames. What surrounds the frames of a message is the same in all questions of a video, so it is kept with
them (`Layout`).

`encode_plainly` is the same in one `json.dumps`, and what the tests compare with.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from distill.client.image_cache import EncodedFrames, ImageCache, Layout
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
    text_bytes = image_tokens = 0
    for index, message in enumerate(messages):
        text += f'{"," if index else ""}{{"role":{dump(message.role)},"content":'
        if not (frame_ids := message.frame_ids):
            text += dump(message.text) + "}"
            continue
        frames = images.get(frame_ids)
        image_tokens += frames.tokens
        # The last part, if it is a text, is the question; what precedes it is the same for all questions of a video.
        texts, kinds = message.outline
        shared = len(texts) - kinds[-1]
        layout = _layout(frames, texts[:shared], kinds[:shared])
        before = (text + "[").encode() + layout.before
        pieces += (before, *layout.pieces)
        text_bytes += len(before) + layout.text_bytes
        text = layout.after + (f",{_text_part(texts[-1])}" if kinds[-1] else "") + "]}"
    pieces.append((text + "]}").encode())
    text_bytes += len(pieces[-1])
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


def _layout(frames: EncodedFrames, texts: tuple[str, ...], kinds: bytes) -> Layout:
    """These frames among the texts of a message's outline."""
    if (layout := frames.layout) is not None and (layout.texts, layout.kinds) == (texts, kinds):
        return layout
    before, *between, after = _around_frames(texts, kinds)
    pieces = [frames.json[0]]
    for text, frame in zip(between, frames.json[1:], strict=True):
        pieces += (text, frame)
    frames.layout = layout = Layout(texts, kinds, before, tuple(pieces), after.decode(), sum(map(len, between)))
    return layout


def _around_frames(parts: tuple[str, ...], kinds: bytes) -> tuple[bytes, ...]:
    """What is before, between and after the frames of these parts: one more than there are frames."""
    found = [""]
    comma = ""
    for part, is_text in zip(parts, kinds, strict=True):
        if is_text:
            found[-1] += comma + _text_part(part)
        else:
            found[-1] += comma
            found.append("")
        comma = ","
    return tuple(text.encode() for text in found)


def _text_part(text: str) -> str:
    return '{"type":"text","text":' + dump(text) + "}"
