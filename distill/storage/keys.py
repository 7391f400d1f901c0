"""What names a call: everything that decides its answer, and nothing else.

Image bytes stand in it as frame ids, so a key is cheap to make and the same on every machine. Changing sampling, prompt,
protocol or a frame makes a new key; a parameter that a server refuses and that is left out does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache

from videozoomer.protocol import Message
from videozoomer.protocol.protocol import VERSION

_KEEPS_LOCK = 2047


def call_key(endpoint: str, model: str, sampling: dict, messages: Sequence[Message]) -> str:
    """sha256, 32 hex digits. `endpoint` is the identity in the recipe, which need not be the address."""
    # What json.dumps would give with sorted keys; the messages, which are nearly all of it, come ready.
    canonical = (
        f'{{"endpoint":{dump(endpoint)},"messages":{said(messages)},"model":{dump(model)},'
        f'"protocol":{dump(VERSION)},"sampling":{dump(sampling)}}}'
    )
    return hashed(canonical)


def hashed(text: str) -> str:
    """sha256 of UTF-8, 32 hex digits."""
    hasher, content = hashlib.sha256(), memoryview(text.encode())
    # For more bytes at a time hashlib gives Python's lock away, and to get it back takes longer than to hash them.
    for start in range(0, len(content), _KEEPS_LOCK):
        hasher.update(content[start : start + _KEEPS_LOCK])
    return hasher.hexdigest()[:32]


def said(messages: Sequence[Message]) -> str:
    """A conversation as JSON: `[role, [text or {"frame": id}, ...]]` for each message."""
    return "[" + ",".join([f"[{dump(message.role)},[{_parts(*message.outline)}]]" for message in messages]) + "]"


dump = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""The one form of JSON here. (`json.dumps` would make an encoder for each of a hundred strings.)"""


def _parts(texts: tuple[str, ...], kinds: bytes) -> str:
    # The last part is the question or the request to go on; what stands before it is the same for all questions of a video.
    if len(texts) < 2:
        return _outlined(texts, kinds)
    return _remembered(texts[:-1], kinds[:-1]) + "," + _outlined(texts[-1:], kinds[-1:])


def _outlined(texts: tuple[str, ...], kinds: bytes) -> str:
    return ",".join([dump(text if is_text else {"frame": text}) for text, is_text in zip(texts, kinds, strict=True)])


_remembered = lru_cache(maxsize=128)(_outlined)
