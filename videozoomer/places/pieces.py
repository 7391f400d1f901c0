"""A film as pieces: ranges of bytes of other files, read as if they were one file."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from videozoomer.places.remote import RemoteFile
from videozoomer.places.uris import PlaceError, local_path

MOST_OPEN = 8
"""Files of pieces that stay open."""


class ReadableFile(Protocol):
    """What FFmpeg, zipfile and tarfile need of a file."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of bytes of a file, or bytes held in memory (then `place` is empty)."""

    place: str
    start: int
    length: int
    data: bytes = b""


class PiecedFile:
    """Pieces one after another, for FFmpeg to read. Not thread-safe."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._ends = list(accumulate(piece.length for piece in pieces))
        self._at = 0
        self._open: OrderedDict[str, ReadableFile] = OrderedDict()

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; fewer only at the end.

        Raises:
            PlaceError: a file is shorter than its pieces say, or is gone.
        """
        wanted = self.size - self._at if size < 0 else min(size, self.size - self._at)
        parts = []
        while wanted > 0:
            index = bisect_right(self._ends, self._at)
            piece = self._pieces[index]
            offset = self._at - (self._ends[index] - piece.length)
            part = self._of(piece, offset, min(wanted, piece.length - offset))
            if not part:
                raise PlaceError("truncated", f"{piece.place} ends within the film; copy or download it again")
            parts.append(part)
            self._at += len(part)
            wanted -= len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"byte {base + offset} is before the beginning")
        self._at = min(base + offset, self.size)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> PiecedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _of(self, piece: Piece, offset: int, size: int) -> bytes:
        if not piece.place:
            return piece.data[offset : offset + size]
        file = self._open.get(piece.place)
        if file is None:
            file = self._open[piece.place] = open_file(piece.place)
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(piece.place)
        file.seek(piece.start + offset)
        return file.read(size)


def open_file(place: str) -> ReadableFile:
    """A local file or a URL, open for reading.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    path = local_path(place)
    return RemoteFile(place) if path is None else path.open("rb")


def check_length(pieces: Sequence[Piece]) -> None:
    """Whether each local file is as long as its pieces say; finds what a copy lost before anything is decoded.

    Raises:
        PlaceError: missing, truncated.
    """
    sizes: dict[str, int] = {}
    for piece in pieces:
        path = local_path(piece.place) if piece.place else None
        if path is None:
            continue
        if piece.place not in sizes:
            try:
                sizes[piece.place] = path.stat().st_size
            except FileNotFoundError:
                raise PlaceError("missing", f"{piece.place} does not exist; copy it again") from None
        if piece.start + piece.length > sizes[piece.place]:
            raise PlaceError("truncated", f"{piece.place} ends within the film; copy or download it again")
