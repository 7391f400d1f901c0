"""Conversations as request bodies. A frame is encoded once and its bytes reused in every turn, sample and question.

An overview of 64 frames is some 850 KB of JSON a call. Dumping that as one object costs milliseconds each time; joining
pieces that are already encoded costs a copy. Everything here runs in threads, never on the event loop.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

from distill.frames import FrameStore
from zoom import Message, Text


class Body(NamedTuple):
    pieces: tuple[bytes, ...]
    """What is sent, one after the other. Frames are the cache's own bytes, so a body takes no memory of its own."""
    digest: str
    """Hash of the content in which frame ids stand for the image bytes."""
    text_bytes: int
    """Bytes of all but the images."""
    image_tokens: int
    """Tokens of the images, by the provider's rule."""


class Piece(NamedTuple):
    json: bytes
    """The frame as it stands in a message."""
    tokens: int


class ImageCache:
    """Frames as JSON pieces (a data URL each); the least recently used are let go. Thread-safe."""

    def __init__(
        self, store: FrameStore, *, tokens_of: Callable[[int, int], int] = lambda width, height: 0, max_bytes: int = 256 * 2**20
    ) -> None:
        """`tokens_of(width, height)` is the provider's rule."""
        self._store = store
        self._tokens_of = tokens_of
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pieces: OrderedDict[str, Piece] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def pieces(self, frame_ids: Sequence[str]) -> dict[str, Piece]:
        """The piece of each frame.

        Raises:
            FrameMissing: the store does not hold a frame.
        """
        found = self._known(frame_ids)
        if len(found) < len(set(frame_ids)):
            # One thread at a time: questions of one video come together, and would all encode the same frames.
            with self._making:
                found |= self._known(frame_ids)
                missing = [frame_id for frame_id in frame_ids if frame_id not in found]
                made = {
                    frame_id: Piece(_data_url(jpeg), self._tokens_of(width, height))
                    for frame_id, (jpeg, width, height) in self._store.pictures(missing).items()
                }
                with self._lock:
                    self._keep(made)
            found |= made
        return found

    def holds(self, frame_ids: Iterable[str]) -> bool:
        """Whether all of them are encoded already, so that `pieces` takes no time."""
        return all(frame_id in self._pieces for frame_id in frame_ids)

    def _known(self, frame_ids: Sequence[str]) -> dict[str, Piece]:
        found: dict[str, Piece] = {}
        with self._lock:
            for frame_id in frame_ids:
                if (piece := self._pieces.get(frame_id)) is not None:
                    self._pieces.move_to_end(frame_id)
                    found[frame_id] = piece
        return found

    def _keep(self, made: dict[str, Piece]) -> None:
        for frame_id, piece in made.items():
            if frame_id not in self._pieces:
                self._pieces[frame_id] = piece
                self._bytes += len(piece.json)
        while self._bytes > self._max_bytes and self._pieces:
            _, piece = self._pieces.popitem(last=False)
            self._bytes -= len(piece.json)


def encode_request(parameters: dict, messages: Sequence[Message], images: ImageCache) -> Body:
    """The body of a chat completion."""
    pieces = images.pieces([frame_id for message in messages for frame_id in message.frame_ids])
    out: list[bytes] = []
    texts: list[str] = []
    """What stands between the frame before and the next one."""
    digest = hashlib.sha256()
    text_bytes = image_tokens = 0

    def frame(piece: Piece, frame_id: str) -> None:
        nonlocal image_tokens
        ends_text()
        out.append(piece.json)
        digest.update(frame_id.encode())
        image_tokens += piece.tokens

    def ends_text() -> None:
        nonlocal text_bytes
        text = "".join(texts).encode()
        texts.clear()
        out.append(text)
        digest.update(text)
        text_bytes += len(text)

    texts.append(_dump(parameters)[:-1] + ',"messages":[')
    for index, message in enumerate(messages):
        texts.append(',{"role":' if index else '{"role":')
        texts.append(encode_basestring(message.role) + ',"content":')
        if not message.frame_ids:
            # Plain text for everything without images: the form that every server takes.
            texts.append(encode_basestring(message.text))
        else:
            opening = "["
            for part in message.parts:
                texts.append(opening)
                opening = ","
                if isinstance(part, Text):
                    texts.append('{"type":"text","text":' + encode_basestring(part.text) + "}")
                else:
                    frame(pieces[part.frame_id], part.frame_id)
            texts.append("]")
        texts.append("}")
    texts.append("]}")
    ends_text()
    return Body(tuple(out), digest.hexdigest()[:32], text_bytes, image_tokens)


def _data_url(jpeg: bytes) -> bytes:
    return b'{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' + base64.b64encode(jpeg) + b'"}}'


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
