"""How to read a film, by its URI."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from videozoomer.lake.atomic import replaced_file
from videozoomer.places import hls, numbered, parquet
from videozoomer.places.archives import compressed_sentence, find_member, piece_of, read_archive, unpack
from videozoomer.places.pieces import Piece, PiecedFile, ReadableFile, check_length, open_file
from videozoomer.places.uris import (
    COMPRESSED,
    MemberName,
    PlaceError,
    archive_kind,
    local_path,
    member_name,
    without_query,
)

COPY_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Film:
    """Where the bytes of a film are that is not one file."""

    uri: str
    changed: str
    """Differs after the film has changed."""
    pieces: tuple[Piece, ...] = ()
    packed: MemberName | None = None
    """The member to unpack, instead of pieces, because its archive compresses it."""
    crc: int | None = None
    """CRC-32 of the film's bytes, where its archive has one."""

    @property
    def size(self) -> int:
        return sum(piece.length for piece in self.pieces)

    @property
    def is_here(self) -> bool:
        """Whether its bytes can be read from this machine's disks without a copy."""
        return not self.packed and all(not piece.place or local_path(piece.place) for piece in self.pieces)


def find_film(uri: str) -> Film | None:
    """How to read a film that is not one file; None for a file or a URL of one.

    Raises:
        PlaceError: it cannot be read.
    """
    name = member_name(uri)
    if name is None:
        return _film_of_many(uri)
    member = find_member(name)
    if member.packed:
        return Film(uri, member.changed, packed=name)
    return Film(uri, f"{member.bytes} bytes, {member.changed}", (piece_of(name, member),), crc=member.crc)


def _film_of_many(uri: str) -> Film | None:
    """A film of many files, or None; an archive is refused, because it is many films."""
    if uri.startswith(f"{numbered.SCHEME}://"):
        pieces, changed = numbered.pieces_of(uri)
        return Film(uri, changed, pieces)
    name = without_query(uri).lower()
    if name.endswith(hls.ENDING):
        path = local_path(uri)
        if path is None:
            raise PlaceError("playlist", "it is a playlist on another machine; download the film (FFmpeg can)")
        pieces, changed = hls.pieces_of(path)
        return Film(uri, changed, pieces)
    kind = archive_kind(uri)
    if kind is not None:
        archive = read_archive(kind, uri)
        raise PlaceError(*(archive.problem or ("not_a_video", "it is an archive; its members are films of their own")))
    if name.endswith(COMPRESSED):
        raise PlaceError("compressed_archive", compressed_sentence(uri))
    return None


def is_here(uri: str) -> bool:
    """Whether a film's bytes are on this machine's disks as they are; otherwise reading all of it needs a copy first.

    Raises:
        PlaceError: it cannot be read.
    """
    film = find_film(uri)
    return local_path(uri) is not None if film is None else film.is_here


def changed_mark(uri: str) -> str:
    """Differs after a film's bytes have changed: size and time of a local file; empty for a URL of one file.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    film = find_film(uri)
    if film is not None:
        return film.changed
    path = local_path(uri)
    if path is None:
        return ""
    status = path.stat()
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"


def open_bytes(uri: str) -> ReadableFile:
    """A film's bytes, at any offset.

    Raises:
        OSError: they cannot be had.
    """
    film = find_film(uri)
    if film is None:
        return open_file(uri)
    if film.packed is None:
        return PiecedFile(film.pieces)
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        unpack(film.packed, unpacked)
    except BaseException:
        unpacked.close()
        raise
    unpacked.seek(0)
    return unpacked


def on_disk(uri: str, folder: str | Path | None) -> str:
    """What to open instead of a film: a compressed member is unpacked into the folder once; others stay as they are.

    Raises:
        PlaceError: it cannot be unpacked.
    """
    film = find_film(uri) if folder is not None and member_name(uri) else None
    if film is None or film.packed is None or folder is None:
        return uri
    target = _unpacked_path(film, Path(folder))
    if target.exists():
        return str(target)
    if film.packed.scheme == "parquet":
        _unpack_row_group(film.packed, Path(folder))
        if not target.exists():
            raise PlaceError("missing", f"{film.packed.inner} of {film.packed.archive} has no bytes of a film")
        return str(target)
    with replaced_file(target, sync=False) as partial, partial.open("wb") as out:
        unpack(film.packed, out)
    _remove_older(target)
    return str(target)


def _unpacked_path(film: Film, folder: Path) -> Path:
    suffix = PurePosixPath(film.packed.inner if film.packed else "").suffix.lower()
    return folder / f"{_digest(film.uri)}-{_digest(film.changed)}{suffix}"


def _remove_older(target: Path) -> None:
    """Remove what the same member held before it changed."""
    for old in target.parent.glob(f"{target.name.partition('-')[0]}-*"):
        if old.name != target.name:
            old.unlink(missing_ok=True)


def _unpack_row_group(name: MemberName, folder: Path) -> None:
    """Unpack all films that are compressed together with one, one process at a time: each group is read once."""
    folder.mkdir(parents=True, exist_ok=True)
    members = dict(parquet.row_group_of(name))
    first = next(iter(members.values()))
    with (folder / f"{_digest(name.archive + first)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        films = {row: find_film(MemberName("parquet", inner, name.archive).uri) for row, inner in members.items()}
        targets = {row: _unpacked_path(film, folder) for row, film in films.items() if film is not None}
        if all(target.exists() for target in targets.values()):
            return
        for row, film_bytes in parquet.films_of(name):
            if film_bytes is not None and not targets[row].exists():
                with replaced_file(targets[row], sync=False) as partial:
                    partial.write_bytes(film_bytes)
                _remove_older(targets[row])


@contextmanager
def as_file(uri: str, folder: str | Path | None = None) -> Iterator[Path]:
    """A film as a local file, for a program that reads nothing else; a copy for the time being, if it is none."""
    path = local_path(on_disk(uri, folder))
    if path is not None and find_film(str(path)) is None:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="videozoomer-") as copy:
        with closing(open_bytes(uri)) as source:
            shutil.copyfileobj(cast(IO[bytes], source), copy, COPY_BLOCK_BYTES)
        copy.flush()
        yield Path(copy.name)


def check_film(film: Film) -> None:
    """Whether the pieces are there, and the bytes fit the checksum of their archive.

    Raises:
        PlaceError: missing, truncated, damaged.
    """
    check_length(film.pieces)
    if film.crc is not None and not film.packed:
        with closing(open_bytes(film.uri)) as file:
            for _ in blocks_of(file, film):
                pass


def blocks_of(file: ReadableFile, film: Film | None) -> Iterator[bytes]:
    """A film's bytes from its beginning to its end, compared with the checksum that its archive has of them.

    Raises:
        PlaceError: damaged.
    """
    crc = 0
    while block := file.read(COPY_BLOCK_BYTES):
        crc = zlib.crc32(block, crc)
        yield block
    if film is not None and film.crc not in (None, crc):
        raise PlaceError(
            "damaged", "its bytes do not fit the checksum in the archive; copy or download the archive again"
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
