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
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

from distill.frames import FrameStore
from zoom import Message, Text


class Buffers:
    """Memory for bodies, used again and again: a new 900 KB for each call would cost page faults and leave the heap in
    pieces, so that a long run grows. Holds as many as were ever in use at once. Thread-safe."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> bytearray:
        """A buffer of at least this size, with anything in it."""
        with self._lock:
            for index in range(len(self._free) - 1, -1, -1):
                if len(self._free[index]) >= size:
                    return self._free.pop(index)
            if self._free:
                self._free.pop()
        return bytearray(-(-size // _STEP) * _STEP)

    def give(self, buffer: bytearray) -> None:
        with self._lock:
            self._free.append(buffer)


class Body(NamedTuple):
    content: bytes | memoryview
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


_STEP = 256 * 2**10
"""Sizes of buffers are multiples of this, so that bodies of about the same size can share them."""


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

    def pieces(self, frame_ids: Sequence[str]) -> dict[str, Piece]:
        """The piece of each frame.

        Raises:
            FrameMissing: the store does not hold a frame.
        """
        found: dict[str, Piece] = {}
        with self._lock:
            for frame_id in frame_ids:
                if (piece := self._pieces.get(frame_id)) is not None:
                    self._pieces.move_to_end(frame_id)
                    found[frame_id] = piece
        missing = [frame_id for frame_id in frame_ids if frame_id not in found]
        if missing:
            made = {
                frame_id: Piece(_data_url(jpeg), self._tokens_of(width, height))
                for frame_id, (jpeg, width, height) in self._store.pictures(missing).items()
            }
            found |= made
            with self._lock:
                self._keep(made)
        return found

    def _keep(self, made: dict[str, Piece]) -> None:
        for frame_id, piece in made.items():
            if frame_id not in self._pieces:
                self._pieces[frame_id] = piece
                self._bytes += len(piece.json)
        while self._bytes > self._max_bytes and self._pieces:
            _, piece = self._pieces.popitem(last=False)
            self._bytes -= len(piece.json)


def encode_request(parameters: dict, messages: Sequence[Message], images: ImageCache, buffers: Buffers) -> Body:
    """The body of a chat completion, in a buffer of `buffers`: give `content.obj` back once it was answered."""
    pieces = images.pieces([frame_id for message in messages for frame_id in message.frame_ids])
    # Two renderings side by side: what is sent, and the same with ids in place of images, which is what is hashed.
    out: list[bytes] = []
    named: list[bytes] = []
    image_tokens = 0

    def add(piece: bytes) -> None:
        out.append(piece)
        named.append(piece)

    add(_dump(parameters)[:-1] + b',"messages":[')
    for index, message in enumerate(messages):
        add((b',{"role":' if index else b'{"role":') + _quote(message.role) + b',"content":')
        if not message.frame_ids:
            # Plain text for everything without images: the form that every server takes.
            add(_quote(message.text))
        else:
            for position, part in enumerate(message.parts):
                add(b"," if position else b"[")
                if isinstance(part, Text):
                    add(b'{"type":"text","text":' + _quote(part.text) + b"}")
                else:
                    piece = pieces[part.frame_id]
                    out.append(piece.json)
                    named.append(part.frame_id.encode())
                    image_tokens += piece.tokens
            add(b"]")
        add(b"}")
    add(b"]}")
    text = b"".join(named)
    ids_bytes = sum(len(frame_id) for message in messages for frame_id in message.frame_ids)
    size = sum(map(len, out))
    content = memoryview(buffers.take(size))[:size]
    start = 0
    for piece in out:
        content[start : (start := start + len(piece))] = piece
    return Body(content, hashlib.sha256(text).hexdigest()[:32], len(text) - ids_bytes, image_tokens)


def _data_url(jpeg: bytes) -> bytes:
    return b'{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' + base64.b64encode(jpeg) + b'"}}'


def _quote(text: str) -> bytes:
    """`json.dumps` of a string, without making an encoder each time: there are over a hundred strings in a request."""
    return encode_basestring(text).encode()


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
