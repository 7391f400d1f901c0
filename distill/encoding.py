"""Conversations as request bodies. A frame is encoded once and its bytes reused in every turn, sample and question.

An overview of 64 frames is some 850 KB of JSON a call, so a body is never put together: it is a list of pieces, most of them
frames that lie in the cache, and costs a lookup for each message. Pictures are fetched and encoded in threads.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakValueDictionary

from distill.frames import FrameStore
from distill.keys import dump, said
from zoom import Message


class Body(NamedTuple):
    pieces: tuple[bytes, ...]
    """What is sent, one after the other. Frames are the cache's own bytes, so a body takes no memory of its own."""
    digest: str
    """Hash of the parameters and of the conversation, in which frame ids stand for the image bytes."""
    text_bytes: int
    """Bytes of all but the images."""
    image_tokens: int
    """Tokens of the images, by the provider's rule."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Picture:
    json: bytes
    """The frame as it stands in a message."""
    tokens: int


class Run(NamedTuple):
    """The frames of one message."""

    pictures: tuple[_Picture, ...]
    json: tuple[bytes, ...]
    tokens: int
    size: int
    """Bytes of all of them."""


class ImageCache:
    """Frames as JSON (a data URL each), by the runs in which messages show them; the runs least recently used are let go. A
    frame of several runs is encoded once. Thread-safe."""

    def __init__(
        self, store: FrameStore, *, tokens_of: Callable[[int, int], int] = lambda width, height: 0, max_bytes: int = 256 * 2**20
    ) -> None:
        """`tokens_of(width, height)` is the provider's rule."""
        self._store = store
        self._tokens_of = tokens_of
        self._max_bytes = max_bytes
        self._bytes = 0
        self._runs: OrderedDict[tuple[str, ...], Run] = OrderedDict()
        self._pictures: WeakValueDictionary[str, _Picture] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def holds(self, frame_ids: tuple[str, ...]) -> bool:
        """Whether this run is encoded, so that `run` takes no time."""
        return not frame_ids or frame_ids in self._runs

    def run(self, frame_ids: tuple[str, ...]) -> Run:
        """These frames, encoded.

        Raises:
            FrameMissing: the store does not hold a frame.
        """
        if (run := self._known(frame_ids)) is not None:
            return run
        # One thread at a time: questions of one video come together, and would all encode the same frames.
        with self._making:
            if (run := self._known(frame_ids)) is not None:
                return run
            found = {frame_id: picture for frame_id in frame_ids if (picture := self._pictures.get(frame_id)) is not None}
            if missing := [frame_id for frame_id in frame_ids if frame_id not in found]:
                for frame_id, (jpeg, width, height) in self._store.pictures(missing).items():
                    found[frame_id] = self._pictures[frame_id] = _Picture(_data_url(jpeg), self._tokens_of(width, height))
            pictures = tuple(found[frame_id] for frame_id in frame_ids)
            json = tuple(picture.json for picture in pictures)
            run = Run(pictures, json, sum(picture.tokens for picture in pictures), sum(map(len, json)))
            with self._lock:
                self._runs[frame_ids] = run
                self._bytes += run.size
                while self._bytes > self._max_bytes:
                    _, oldest = self._runs.popitem(last=False)
                    self._bytes -= oldest.size
        return run

    def _known(self, frame_ids: tuple[str, ...]) -> Run | None:
        with self._lock:
            if (run := self._runs.get(frame_ids)) is not None:
                self._runs.move_to_end(frame_ids)
            return run


def encode_request(parameters: dict, messages: Sequence[Message], images: ImageCache) -> Body:
    """The body of a chat completion."""
    asked = dump(parameters)
    pieces: list[bytes] = []
    text = asked[:-1] + ',"messages":['
    text_bytes = image_tokens = 0
    for index, message in enumerate(messages):
        text += f'{"," if index else ""}{{"role":{dump(message.role)},"content":'
        if not (frame_ids := message.frame_ids):
            # Plain text for everything without images: the form that every server takes.
            text += dump(message.text) + "}"
            continue
        run = images.run(frame_ids)
        image_tokens += run.tokens
        # The last part, if it is a text, is the question; what stands before it is the same for all questions of a video.
        texts, kinds = message.outline
        head = len(texts) - kinds[-1]
        first, *others = _texts(texts[:head], kinds[:head])
        after = f",{_text(texts[-1])}" if kinds[-1] else ""
        between = [(text + "[").encode() + first, *others]
        for text_piece, picture in zip(between, run.json, strict=False):
            pieces += (text_piece, picture)
            text_bytes += len(text_piece)
        text = between[-1].decode() + after + "]}"
    pieces.append((text + "]}").encode())
    text_bytes += len(pieces[-1])
    digest = hashlib.sha256((asked + said(messages)).encode()).hexdigest()[:32]
    return Body(tuple(pieces), digest, text_bytes, image_tokens)


@lru_cache(maxsize=128)
def _texts(parts: tuple[str, ...], kinds: bytes) -> tuple[bytes, ...]:
    """What stands before, between and after the frames of these parts: one more than there are frames."""
    found = [""]
    comma = ""
    for part, is_text in zip(parts, kinds, strict=True):
        if is_text:
            found[-1] += comma + _text(part)
        else:
            found[-1] += comma
            found.append("")
        comma = ","
    return tuple(text.encode() for text in found)


def _text(text: str) -> str:
    return '{"type":"text","text":' + dump(text) + "}"


def _data_url(jpeg: bytes) -> bytes:
    return b'{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' + base64.b64encode(jpeg) + b'"}}'
