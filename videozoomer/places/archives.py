"""Members of zip and tar archives, and where their bytes are. An archive is listed, never unpacked as a whole."""

from __future__ import annotations

import io
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from videozoomer.places import parquet
from videozoomer.places.pieces import Piece, open_file
from videozoomer.places.state import identity
from videozoomer.places.uris import MemberName, PlaceError

COPY_BLOCK_BYTES = 1 << 22
_LOCAL_HEADER = struct.Struct("<26xHH")
"""A zip member's own header: the lengths of its name and of its extra field, which the data follow."""
_COMPRESSED_MARKS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""First bytes of gzip, bzip2, xz and zstd."""
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


@dataclass(frozen=True, slots=True)
class Member:
    """One file within an archive."""

    name: str
    bytes: int
    """Size of the member itself, not compressed."""
    changed: str
    """Differs after the member has changed: a zip's checksum, or the state of a whole tar, which has none."""
    packed: bool
    """Whether it is compressed, so that it must be unpacked before it can be read at any offset."""
    start: int
    """Offset of a tar's member; of a zip's, offset of its own header."""
    crc: int | None = None
    problem: tuple[str, str] | None = None
    """Why it cannot be read: a reason and a sentence."""


@dataclass(frozen=True)
class Archive:
    """The members of an archive, those before a damage included."""

    members: dict[str, Member] = field(default_factory=dict)
    problem: tuple[str, str] | None = None
    """Why not all of it could be listed: a reason and a sentence."""
    unpacked_bytes: int = 0
    """Bytes of all films of a Parquet file together; it does not say how many each has."""


def read_archive(kind: str, place: str) -> Archive:
    """The members of an archive. Damage is part of the answer, because the members before it can be read.

    Raises:
        PlaceError: missing, unreadable.
    """
    return _read_archive(kind, place, identity(place))


def find_member(name: MemberName) -> Member:
    """The member of an archive.

    Raises:
        PlaceError: the archive or the member is missing, damaged or cannot be read.
    """
    archive = read_archive(name.scheme, name.archive)
    member = archive.members.get(name.inner)
    if member is None:
        if archive.problem:
            raise PlaceError(*archive.problem)
        raise PlaceError("missing", f"{name.archive} has no member {name.inner!r}; check the name")
    if member.problem:
        raise PlaceError(*member.problem)
    return member


def piece_of(name: MemberName, member: Member) -> Piece:
    """Where the bytes of a member that is not compressed are.

    Raises:
        PlaceError: damaged.
    """
    if name.scheme == "tar":
        return Piece(name.archive, member.start, member.bytes)
    file = open_file(name.archive)
    try:
        file.seek(member.start)
        head = file.read(_LOCAL_HEADER.size)
    finally:
        file.close()
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
        raise PlaceError("damaged", f"{name.archive} has no header at {name.inner}; copy or download it again")
    return Piece(name.archive, member.start + len(head) + sum(_LOCAL_HEADER.unpack(head)), member.bytes)


def unpack(name: MemberName, out: IO[bytes]) -> None:
    """Write a member that is compressed. Of a zip's the checksum is compared.

    Raises:
        PlaceError: damaged, missing.
    """
    if name.scheme == "parquet":
        parquet.write_row(name, out)
        return
    file = open_file(name.archive)
    try:
        with zipfile.ZipFile(cast(IO[bytes], file)) as archive, archive.open(name.inner) as member:
            shutil.copyfileobj(member, out, COPY_BLOCK_BYTES)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise PlaceError(
            "damaged", f"{name.inner} cannot be unpacked ({error}); copy or download {name.archive} again"
        ) from error
    finally:
        file.close()


@lru_cache(maxsize=64)
def _read_archive(kind: str, place: str, state: str) -> Archive:
    try:
        file = open_file(place)
    except FileNotFoundError:
        raise PlaceError("missing", f"{place} does not exist; check the path") from None
    except PlaceError:
        raise
    except OSError as error:
        raise PlaceError("unreadable", f"{place}: {error}; check permissions, the disk and the network") from error
    if kind == "parquet":
        file.close()
        return _parquet_members(place, state)
    try:
        handle = cast(IO[bytes], file)
        return _zip_members(place, handle) if kind == "zip" else _tar_members(place, handle, state)
    finally:
        file.close()


def _parquet_members(place: str, state: str) -> Archive:
    try:
        found = parquet.film_rows(place)
    except PlaceError as error:
        return Archive({}, (error.reason, error.sentence))
    if found is None:
        return Archive()
    members = {name: Member(name, 0, f"row {row} of {state}", True, row) for row, name in enumerate(found.names)}
    return Archive(members, unpacked_bytes=found.bytes)


def _zip_members(place: str, file: IO[bytes]) -> Archive:
    members: dict[str, Member] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                problem = None
                if info.flag_bits & 0x1:
                    problem = ("encrypted", f"{info.filename} is encrypted in {place}; unpack the archive yourself")
                elif info.compress_type not in _READABLE:
                    problem = (
                        "unreadable",
                        f"{info.filename} is compressed in {place} by a method that Python cannot read "
                        f"({info.compress_type}); unpack the archive yourself",
                    )
                members[info.filename] = Member(
                    info.filename,
                    info.file_size,
                    f"crc {info.CRC:08x}",
                    info.compress_type != zipfile.ZIP_STORED,
                    info.header_offset,
                    info.CRC,
                    problem,
                )
    except (zipfile.BadZipFile, EOFError, ValueError, struct.error, NotImplementedError) as error:
        sentence = f"the table of contents at the end of {place} cannot be read ({error}); copy or download it again"
        return Archive({}, ("damaged", sentence))
    return Archive(members)


def _tar_members(place: str, file: IO[bytes], state: str) -> Archive:
    head = file.read(8)
    file.seek(0)
    if head.startswith(_COMPRESSED_MARKS):
        return Archive({}, ("compressed_archive", compressed_sentence(place)))
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    members: dict[str, Member] = {}
    problem = None
    starts: dict[str, tuple[int, int]] = {}
    try:
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - the caller closes the file
        for info in archive:
            name = info.name.removeprefix("./")
            trouble = None
            if info.issparse():
                trouble = ("unreadable", f"{name} is stored with holes in {place}; pack it without --sparse")
            elif info.islnk() and info.linkname.removeprefix("./") in starts:
                info.offset_data, info.size = starts[info.linkname.removeprefix("./")]
            elif not info.isreg():
                continue
            starts[name] = info.offset_data, info.size
            if info.offset_data + info.size > size:
                trouble = ("truncated", f"{place} ends within {name}; copy or download it again")
            changed = f"at {info.offset_data} of {state}"
            members[name] = Member(name, info.size, changed, False, info.offset_data, None, trouble)
        file.seek(archive.offset)
        block = file.read(tarfile.BLOCKSIZE)
        if block.strip(b"\0"):
            problem = ("damaged", f"{place} cannot be read past byte {archive.offset:,}")
    except (tarfile.TarError, EOFError, ValueError) as error:
        problem = ("damaged", f"{place} cannot be read to its end ({error})")
    if problem:
        reason = "truncated" if any(member.problem for member in members.values()) else problem[0]
        read = sum(not member.problem for member in members.values())
        problem = reason, f"{problem[1]}; {read} members before are read. Copy or download it again"
    return Archive(members, problem)


def compressed_sentence(place: str) -> str:
    """Why a compressed tar archive is refused, and what to do."""
    return (
        f"{place} is a compressed tar archive, in which nothing can be found without unpacking all of it; decompress "
        f"it once (for example `gunzip {Path(place).name}`: films shrink little), and give the .tar"
    )
