"""Conversations as request bodies. A frame is encoded once and its bytes reused in every turn, sample and question.

An overview of 64 frames is some 850 KB of JSON a call, so a body is never put together: it is a list of pieces, most of them
frames that lie in the cache, and costs a lookup for each message. Pictures are fetched and encoded in threads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

import pybase64

from distill.storage.frames import FrameStore
from distill.storage.keys import dump, hashed, said
from videozoomer.protocol import Message


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


class _Laid(NamedTuple):
    """A message from its first part to its last frame, or to the last text where it ends with a frame."""

    texts: tuple[str, ...]
    kinds: bytes
    before: bytes
    """What stands before the first frame."""
    pieces: tuple[bytes, ...]
    """Frames, and what stands between them."""
    after: str
    text_bytes: int
    """Bytes of what stands between frames."""


class Run:
    """The frames of one message."""

    __slots__ = ("_laid", "json", "pictures", "size", "tokens")

    def __init__(self, pictures: tuple[_Picture, ...]) -> None:
        self.pictures = pictures
        self.json = tuple(picture.json for picture in pictures)
        self.tokens = sum(picture.tokens for picture in pictures)
        self.size = sum(map(len, self.json))
        self._laid: _Laid | None = None

    def laid(self, texts: tuple[str, ...], kinds: bytes) -> _Laid:
        """These frames among the texts of a message's outline. It is the same in all questions of a video, so it is kept."""
        if (laid := self._laid) is not None and (laid.texts, laid.kinds) == (texts, kinds):
            return laid
        before, *between, after = _texts(texts, kinds)
        pieces = [self.json[0]]
        for text, picture in zip(between, self.json[1:], strict=True):
            pieces += (text, picture)
        self._laid = laid = _Laid(texts, kinds, before, tuple(pieces), after.decode(), sum(map(len, between)))
        return laid


class ImageCache:
    """Frames as JSON (a data URL each), by the runs in which messages show them; the runs least recently used are let go. A
    frame of several runs is encoded once. Thread-safe."""

    def __init__(
        self,
        store: FrameStore,
        *,
        tokens_of: Callable[[int, int], int] = lambda width, height: 0,
        max_bytes: int = 256 * 2**20,
    ) -> None:
        """`tokens_of(width, height)` is the provider's rule."""
        self._store = store
        self._tokens_of = tokens_of
        self._max_bytes = max_bytes
        self._bytes = 0
        self._runs: OrderedDict[tuple[str, ...], Run] = OrderedDict()
        self._pictures: WeakValueDictionary[str, _Picture] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._making: dict[tuple[str, ...], Future[Run]] = {}

    def holds(self, frame_ids: tuple[str, ...]) -> bool:
        """Whether this run is encoded, so that `run` takes no time."""
        return not frame_ids or frame_ids in self._runs

    def run(self, frame_ids: tuple[str, ...]) -> Run:
        """These frames, encoded.

        Raises:
            FrameMissing: the store does not hold a frame.
        """
        with self._lock:
            if (run := self._runs.get(frame_ids)) is not None:
                self._runs.move_to_end(frame_ids)
                return run
            # Questions of one video come together, and would all encode the same frames.
            if (others := self._making.get(frame_ids)) is None:
                mine = self._making[frame_ids] = Future()
        if others is not None:
            return others.result()
        try:
            run = self._make(frame_ids)
        except BaseException as error:
            with self._lock:
                del self._making[frame_ids]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[frame_ids]
            self._runs[frame_ids] = run
            self._bytes += run.size
            while self._bytes > self._max_bytes:
                _, oldest = self._runs.popitem(last=False)
                self._bytes -= oldest.size
        mine.set_result(run)
        return run

    def _make(self, frame_ids: tuple[str, ...]) -> Run:
        found = {frame_id: picture for frame_id in frame_ids if (picture := self._pictures.get(frame_id)) is not None}
        if missing := [frame_id for frame_id in frame_ids if frame_id not in found]:
            for frame_id, (jpeg, width, height) in self._store.pictures(missing).items():
                found[frame_id] = self._pictures[frame_id] = _Picture(_data_url(jpeg), self._tokens_of(width, height))
        return Run(tuple(found[frame_id] for frame_id in frame_ids))


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
        laid = run.laid(texts[:head], kinds[:head])
        before = (text + "[").encode() + laid.before
        pieces += (before, *laid.pieces)
        text_bytes += len(before) + laid.text_bytes
        text = laid.after + (f",{_text(texts[-1])}" if kinds[-1] else "") + "]}"
    pieces.append((text + "]}").encode())
    text_bytes += len(pieces[-1])
    return Body(tuple(pieces), hashed(asked + said(messages)), text_bytes, image_tokens)


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
    return b'{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' + pybase64.b64encode(jpeg) + b'"}}'
