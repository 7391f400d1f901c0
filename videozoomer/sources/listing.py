"""Lists the films of a source: files, members of archives, and what is passed over. No film is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

import fsspec
import yaml

from videozoomer.places import hls, numbered
from videozoomer.places.archives import compressed_sentence, read_archive
from videozoomer.places.finding import find_film
from videozoomer.places.state import TAGS
from videozoomer.places.uris import (
    COMPRESSED,
    MemberName,
    PlaceError,
    archive_kind,
    is_url,
    local_path,
    member_name,
    without_query,
)
from videozoomer.settings.sources import Source
from videozoomer.sources.files import VIDEO_SUFFIXES, Offered, SourceError

_GLOB_MARKS = "*?["
_YOUTUBE = re.compile(
    r"^(https?://)?(www\.|m\.|music\.)?(youtube\.com/|youtube-nocookie\.com/|youtu\.be/)", re.IGNORECASE
)
_PASSED_OVER_SHOWN = 8
"""Endings of files passed over that a message names, the most frequent first."""


@dataclass
class Listing:
    """What a source offers, and what of it is not taken."""

    place: str
    offered: list[Offered] = field(default_factory=list)
    """Sorted by place, members of an archive together; each once."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files that are not taken for videos, by ending; hidden ones do not count."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what a user might not expect."""


def list_source(source: Source) -> Listing:
    """The films of a source, see `list_place`."""
    return list_place(source.videos, source.frames_rate)


def list_place(place: str, frames_rate: object = None) -> Listing:
    """Films of a folder (recursively), a glob, one file, an archive or a `.txt` list (one path or URL a line).

    An archive stands for the films in it. In a folder, an HLS playlist with its segments is one film, and so is a
    folder of numbered pictures whose rate is known: `frames_rate` in pictures per second, or what a `frames.yaml` says.
    A path that exists is that file or folder, even if its name contains `[`, `?` or `*`.

    Raises:
        SourceError: the place does not exist or has no videos.
    """
    _refuse_pages(place, [place])
    listing = _Lister(place, frames_rate).listing()
    if not listing.offered:
        passed_over = describe_passed_over(listing)
        raise SourceError(
            f"{place} has no videos; a folder is searched for files that end in {' '.join(sorted(VIDEO_SUFFIXES))}"
            + "".join(f". {sentence}" for sentence in (passed_over, *listing.notes) if sentence)
        )
    return listing


def describe_passed_over(listing: Listing) -> str:
    """A sentence about the files that are not taken for videos; empty if there are none."""
    counts = listing.passed_over
    if not counts:
        return ""
    ordered = sorted(counts, key=lambda ending: (-counts[ending], ending))
    named = [f"{counts[ending]} {ending}" for ending in ordered[:_PASSED_OVER_SHOWN]]
    rest = len(counts) - len(named)
    return f"Passed over: {', '.join(named)}" + (f" and {rest} other endings" if rest else "")


class _Lister:
    def __init__(self, place: str, frames_rate: object) -> None:
        self._found = Listing(place)
        self._frames_rate = frames_rate

    def listing(self) -> Listing:
        place, found = self._found.place, self._found
        name = member_name(place)
        if name is not None:
            self._members(name, by_name=True)
        else:
            self._files(place)
        found.offered = sorted({item.uri: item for item in found.offered}.values(), key=_by_place)
        return found

    def _files(self, place: str) -> None:
        system, path = fsspec.core.url_to_fs(place)
        local = "://" not in place
        if any(mark in place for mark in _GLOB_MARKS) and not system.exists(path):
            self._named(_uri(system, name, local) for name in system.glob(path) if not system.isdir(name))
        elif system.isdir(path):
            self._folder(_uri(system, name, local) for name in system.find(path))
        elif path.endswith(".txt") and system.exists(path):
            base = Path(path).parent
            with system.open(path, "rt") as lines:
                named = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            _refuse_pages(place, named)
            self._named(
                name if is_url(name) or Path(name).is_absolute() or not local else str(base / name) for name in named
            )
        elif system.exists(path):
            self._named([_uri(system, path, local)])
        else:
            raise SourceError(f"{place} does not exist; give a folder, a glob, a file, an archive or a .txt list")

    def _named(self, uris: Iterable[str]) -> None:
        """Files that the source names itself, whatever they end in."""
        for uri in uris:
            kind = None if member_name(uri) else archive_kind(uri)
            if kind is not None and offered(uri).modified != "missing":
                self._members(MemberName(kind, "", uri))
            elif without_query(uri).lower().endswith(COMPRESSED):
                raise SourceError(compressed_sentence(uri))
            else:
                self._found.offered.append(offered(uri))

    def _folder(self, uris: Iterable[str]) -> None:
        """Files of a folder: videos by their ending, films of many files, and archives."""
        archives = []
        uris = [uri for uri in uris if not _is_hidden(uri)]
        taken = self._playlists(uris) | self._pictures(uris)
        for uri in uris:
            if uri in taken:
                continue
            if _is_video(uri):
                self._found.offered.append(offered(uri))
            elif archive_kind(uri) and not _is_plain_table(uri):
                archives.append(uri)
            else:
                self._pass_over(uri)
        loose = {(PurePosixPath(item.uri).name, item.bytes) for item in self._found.offered}
        for uri in archives:
            self._members(MemberName(archive_kind(uri) or "", "", uri), loose)

    def _playlists(self, uris: Sequence[str]) -> set[str]:
        """Offer HLS films of this machine; returns every file that belongs to one."""
        places = {uri: path for uri in uris if uri.lower().endswith(hls.ENDING) and (path := local_path(uri))}
        films = {uri: path for uri, path in places.items() if hls.is_hls(path)}
        inner: set[Path] = set()
        for path in films.values():
            try:
                inner |= hls.read_playlist(path).files - {path}
            except PlaceError:
                continue  # It is offered, so that it is quarantined with this reason.
        self._found.offered += [offered(uri) for uri, path in films.items() if path not in inner]
        return {uri for uri in uris if (path := local_path(uri)) in inner or uri in films}

    def _pictures(self, uris: Sequence[str]) -> set[str]:
        """Offer folders of numbered pictures that have a rate; returns their pictures."""
        folders: dict[Path, list[str]] = {}
        for uri in uris:
            path = local_path(uri)
            if path is not None and path.suffix.lower() in numbered.CODECS:
                folders.setdefault(path.parent, []).append(uri)
        taken: set[str] = set()
        unrated = []
        for folder, inside in sorted(folders.items()):
            sequences = numbered.find_pictures(PurePosixPath(uri).name for uri in inside)
            if not sequences:
                continue
            rate = self._rate_of(folder)
            if rate is None:
                unrated.append(folder)
                continue
            self._found.offered.append(offered(numbered.frames_uri(str(folder.absolute()), rate)))
            names = {name for sequence in sequences for name in sequence.names.values()}
            taken |= {uri for uri in inside if PurePosixPath(uri).name in names}
            taken |= {str(folder / numbered.RATE_FILE), str(folder.parent / numbered.RATE_FILE)}
            if len(sequences) == 1 and (missing := sequences[0].missing):
                self._found.notes.append(_missing_sentence(folder, sequences[0], missing))
        if unrated:
            self._found.notes.append(
                f"{len(unrated)} folder{'' if len(unrated) == 1 else 's'} of numbered pictures (first {unrated[0]}) "
                "would be films if their rate were known: set `frames_rate: 25` in the source, or write `rate: 25` "
                f"into a file {numbered.RATE_FILE} beside the pictures"
            )
        return taken

    def _rate_of(self, folder: Path) -> Fraction | None:
        """Pictures per second of a folder; None if nothing says it."""
        for file in (folder / numbered.RATE_FILE, folder.parent / numbered.RATE_FILE):
            if not file.is_file():
                continue
            try:
                loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
                return numbered.rate_of(loaded["rate"])
            except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
                raise SourceError(f"{file} does not say a rate such as `rate: 25` ({error})") from error
        try:
            return None if self._frames_rate is None else numbered.rate_of(self._frames_rate)
        except ValueError as error:
            raise SourceError(f"frames_rate of {self._found.place}: {error}") from error

    def _members(
        self, wanted: MemberName, loose: set[tuple[str, int]] | frozenset = frozenset(), by_name: bool = False
    ) -> None:
        """Films in an archive: all, or those that a chain such as `zip://season1/*.mp4::a.zip` names.

        An archive that cannot be listed to its end is offered too, so that it is quarantined with the reason.
        """
        place, kind = wanted.archive, wanted.scheme
        try:
            archive = read_archive(kind, place)
        except PlaceError as error:
            raise SourceError(str(error)) from error
        chosen = _chosen(archive.members, wanted.inner)
        if by_name and not chosen and not archive.problem:
            first = next(iter(archive.members), None)
            raise SourceError(f"{place} has no member {wanted.inner!r}; its names are such as {first!r}")
        unpacked = packed = packed_bytes = 0
        for name in chosen:
            member = archive.members[name]
            if _is_hidden(name) or name.startswith("__MACOSX/"):
                continue
            if "::" in name or not (kind == "parquet" or _is_video(name) or name == wanted.inner):
                self._pass_over(name)
            elif (PurePosixPath(name).name, member.bytes) in loose:
                unpacked += 1
            else:
                uri = MemberName(kind, name, place).uri
                self._found.offered.append(Offered(uri, member.bytes, member.changed))
                packed, packed_bytes = packed + member.packed, packed_bytes + member.packed * member.bytes
        if archive.problem:
            self._found.offered.append(offered(place))
            self._found.notes.append(archive.problem[1])
        if unpacked:
            self._found.notes.append(f"{films(unpacked)} of {place} lie unpacked beside it and are taken from there")
        if packed:
            size = archive.unpacked_bytes if kind == "parquet" else packed_bytes
            advice = " (`zip -0` stores films so that they are read in place)" if kind == "zip" else ""
            self._found.notes.append(
                f"Compressed in {place}: {films(packed)}, which a run unpacks into its home, {size / 1e6:,.1f} MB"
                + advice
            )
        elif kind == "parquet" and not archive.problem:
            self._found.notes.append(
                f"{place} has no column of films: bytes and path as `datasets.Video` has them, or bytes named video"
            )

    def _pass_over(self, name: str) -> None:
        lower = name.lower()
        ending = next((end for end in COMPRESSED if lower.endswith(end)), PurePosixPath(lower).suffix)
        self._found.passed_over[ending or "without an ending"] += 1
        if ending in COMPRESSED:
            self._found.notes.append(compressed_sentence(name))


def _by_place(item: Offered) -> tuple[str, str]:
    name = member_name(item.uri)
    return (name.archive, name.inner) if name else (item.uri, "")


def films(count: int) -> str:
    return f"{count} film{'' if count == 1 else 's'}"


def _chosen(names: Iterable[str], wanted: str) -> list[str]:
    """Members by name, folder or glob; all if nothing is named."""
    names = list(names)
    if not wanted:
        return names
    if wanted in names:
        return [wanted]
    if any(mark in wanted for mark in _GLOB_MARKS):
        # fsspec's rules: `*` stays within a folder, `**` does not.
        pattern = re.compile(fsspec.utils.glob_translate(wanted))
        return [name for name in names if pattern.match(name)]
    return [name for name in names if name.startswith(wanted.rstrip("/") + "/")]


def _missing_sentence(folder: Path, pictures: numbered.Pictures, missing: Sequence[int]) -> str:
    shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return (
        f"{folder} has {len(pictures.names):,} pictures; {len(missing):,} numbers are missing ({shown}), where the "
        "picture before stays on the screen"
    )


def _is_plain_table(uri: str) -> bool:
    """Whether a Parquet file has no films, such as a question file that lies beside them."""
    if archive_kind(uri) != "parquet":
        return False
    try:
        archive = read_archive("parquet", uri)
    except PlaceError:
        return False
    return not archive.members and not archive.problem


def _is_hidden(name: str) -> bool:
    return PurePosixPath(name).name.startswith(".")


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def _refuse_pages(place: str, names: Sequence[str]) -> None:
    """Refuse links to pages that play a video: they are no files.

    Raises:
        SourceError: a name is a link to YouTube.
    """
    pages = [name for name in names if _YOUTUBE.match(name)]
    if not pages:
        return
    what = "it is a link to a YouTube page"
    if pages != [place]:
        what = f"{len(pages)} of {len(names)} lines link to YouTube pages, the first to {pages[0]}"
    raise SourceError(
        f"{place}: {what}, which is no video file. Download the videos first, "
        "for example with yt-dlp, if their owners allow it; then give the folder of the files"
    )


def _uri(system: fsspec.AbstractFileSystem, name: str, local: bool) -> str:
    return str(name) if local else system.unstrip_protocol(name)


def offered(uri: str) -> Offered:
    """A file that a list names but that does not exist is kept, so that it gets quarantined with a reason."""
    name = member_name(uri)
    if name is not None:
        try:
            member = read_archive(name.scheme, name.archive).members.get(name.inner)
        except PlaceError:
            member = None
        return Offered(uri, member.bytes, member.changed) if member else Offered(uri, 0, "missing")
    if uri.startswith(f"{numbered.SCHEME}://") or (uri.lower().endswith(hls.ENDING) and local_path(uri)):
        try:
            film = find_film(uri)
        except PlaceError as error:
            return Offered(uri, 0, "missing" if error.reason == "missing" else f"cannot be read: {error}")
        if film is not None:
            return Offered(uri, film.size, film.changed)
    system, path = fsspec.core.url_to_fs(uri)
    try:
        info = system.info(path)
    except FileNotFoundError:
        return Offered(uri, 0, "missing")
    changed = next((info[name] for name in TAGS if name in info), "")
    return Offered(uri, int(info.get("size") or 0), str(changed))
