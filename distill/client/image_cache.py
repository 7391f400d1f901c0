"""Frames encoded for requests: fetched and turned into base64 once, then shared by every turn, sample and question."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from weakref import WeakValueDictionary

import pybase64
from cachetools import LRUCache

from distill.storage.frames import FrameStore


@dataclass(frozen=True, slots=True, weakref_slot=True)
class EncodedFrame:
    json: bytes
    """The frame as a part of a message: an object with a data URL."""
    tokens: int
    """What the provider counts for it."""


class EncodedFrames:
    """The frames of one message."""

    __slots__ = ("_frames", "json", "size_bytes", "tokens")

    def __init__(self, frames: tuple[EncodedFrame, ...]) -> None:
        self._frames = frames
        """Keeps them alive for other messages that show the same frames."""
        self.json = tuple(frame.json for frame in frames)
        self.tokens = sum(frame.tokens for frame in frames)
        self.size_bytes = sum(map(len, self.json))


class ImageCache:
    """Encoded frames by message, bounded by bytes; the least recently used are dropped. A frame of several messages is
    encoded once. Thread-safe."""

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
        self._kept: LRUCache[tuple[str, ...], EncodedFrames] = LRUCache(
            max_bytes, getsizeof=lambda frames: frames.size_bytes
        )
        self._frames: WeakValueDictionary[str, EncodedFrame] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._making: dict[tuple[str, ...], Future[EncodedFrames]] = {}

    @property
    def size_bytes(self) -> int:
        return int(self._kept.currsize)

    def holds(self, frame_ids: tuple[str, ...]) -> bool:
        """Whether these frames are encoded, so that `get` takes no time."""
        return not frame_ids or frame_ids in self._kept

    def get(self, frame_ids: tuple[str, ...]) -> EncodedFrames:
        """These frames, encoded.

        Raises:
            FrameMissing: the store has no such frame.
        """
        with self._lock:
            if (kept := self._kept.get(frame_ids)) is not None:
                return kept
            # Questions of one video come together, and would all encode the same frames.
            others, mine = self._making.get(frame_ids), Future[EncodedFrames]()
            if others is None:
                self._making[frame_ids] = mine
        if others is not None:
            return others.result()
        try:
            made = self._make(frame_ids)
        except BaseException as error:
            with self._lock:
                del self._making[frame_ids]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[frame_ids]
            if made.size_bytes <= self._kept.maxsize:
                self._kept[frame_ids] = made
        mine.set_result(made)
        return made

    def _make(self, frame_ids: tuple[str, ...]) -> EncodedFrames:
        found = {frame_id: frame for frame_id in frame_ids if (frame := self._frames.get(frame_id)) is not None}
        if missing := [frame_id for frame_id in frame_ids if frame_id not in found]:
            for frame_id, (jpeg, width, height) in self._store.pictures(missing).items():
                found[frame_id] = self._frames[frame_id] = EncodedFrame(_data_url(jpeg), self._tokens_of(width, height))
        return EncodedFrames(tuple(found[frame_id] for frame_id in frame_ids))


def _data_url(jpeg: bytes) -> bytes:
    return b'{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,' + pybase64.b64encode(jpeg) + b'"}}'
