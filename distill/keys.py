"""What names a call: everything that decides its answer, and nothing else.

Image bytes stand in it as frame ids, so a key is cheap to make and the same on every machine. Changing sampling, prompt,
protocol or a frame makes a new key; a parameter that a server refuses and that is left out does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache

from zoom import Image, Message, Text
from zoom.messages import Part
from zoom.protocol import VERSION


def call_key(endpoint: str, model: str, sampling: dict, messages: Sequence[Message]) -> str:
    """sha256, 32 hex digits. `endpoint` is the identity in the recipe, which need not be the address."""
    # What json.dumps would give with sorted keys; the messages, which are nearly all of it, come ready.
    canonical = (
        f'{{"endpoint":{dump(endpoint)},"messages":{said(messages)},"model":{dump(model)},'
        f'"protocol":{dump(VERSION)},"sampling":{dump(sampling)}}}'
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def said(messages: Sequence[Message]) -> str:
    """A conversation as JSON: `[role, [text or {"frame": id}, ...]]` for each message."""
    return "[" + ",".join([f"[{dump(message.role)},[{_parts(message.parts)}]]" for message in messages]) + "]"


def outline(parts: Sequence[Part]) -> tuple[tuple[str, ...], bytes]:
    """Parts as what hashes and compares fast: their texts and frame ids, and which of them are texts."""
    return tuple([part.text if type(part) is Text else part.frame_id for part in parts]), bytes([type(part) is Text for part in parts])


def frames_of(message: Message) -> tuple[str, ...]:
    """`message.frame_ids`, faster: it is asked for several times a call."""
    return tuple([part.frame_id for part in message.parts if type(part) is Image])


dump = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""The one form of JSON here. (`json.dumps` would make an encoder for each of a hundred strings.)"""


def _parts(parts: Sequence[Part]) -> str:
    # The last part is the question or the request to go on; what stands before it is the same for all questions of a video.
    head, last = parts[:-1], parts[-1:]
    if not head:
        return _outlined(*outline(last))
    return _remembered(*outline(head)) + "," + _outlined(*outline(last))


def _outlined(texts: tuple[str, ...], kinds: bytes) -> str:
    return ",".join([dump(text if is_text else {"frame": text}) for text, is_text in zip(texts, kinds, strict=True)])


_remembered = lru_cache(maxsize=256)(_outlined)
