"""An HLS folder as one film: a local playlist and its segments, read one after another.

FFmpeg never opens the playlist itself: what it names is checked here, and must be files in its folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from videozoomer.places.pieces import Piece
from videozoomer.places.uris import PlaceError, is_url

ENDING = ".m3u8"
LARGEST_PLAYLIST = 1 << 24
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


@dataclass(frozen=True, slots=True)
class Part:
    """One segment, or the header before the segments."""

    path: Path
    start: int = 0
    length: int | None = None
    """Bytes; None for the whole file."""


@dataclass(frozen=True, slots=True)
class Playlist:
    parts: tuple[Part, ...]
    files: frozenset[Path]
    """Every file that belongs to the film: playlists of all variants and their segments. None is a film of its own."""


def is_hls(path: Path) -> bool:
    """Whether a file is a playlist of segments or variants, not a list of films to play."""
    try:
        with path.open("rb") as file:
            head = file.read(LARGEST_PLAYLIST)
    except OSError:
        return False
    return head.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U") and b"#EXT-X-" in head


def read_playlist(path: Path) -> Playlist:
    """The segments of a playlist; of a master playlist those of the variant with the largest pictures.

    Raises:
        PlaceError: missing, unreadable, or a `playlist` that cannot be read as one film of local files.
    """
    parts, variants = _read(path, path.parent)
    files = {path, *(part.path for part in parts)}
    if not variants:
        return Playlist(tuple(parts), frozenset(files))
    best: list[Part] = []
    for _, variant in sorted(variants, key=lambda item: item[0], reverse=True):
        inner, deeper = _read(variant, path.parent)
        if deeper:
            raise PlaceError("playlist", f"{variant} is a master playlist within a master playlist")
        files |= {variant, *(part.path for part in inner)}
        best = best or inner
    return Playlist(tuple(best), frozenset(files))


def pieces_of(path: Path) -> tuple[tuple[Piece, ...], str]:
    """Where a film's bytes are, and a mark that differs after a segment has changed.

    Raises:
        PlaceError: see `read_playlist`; missing if a segment is.
    """
    playlist = read_playlist(path)
    pieces: list[Piece] = []
    state: list[tuple[str, int, int]] = []
    for part in playlist.parts:
        try:
            status = part.path.stat()
        except OSError:
            raise PlaceError("missing", f"its segment {part.path} does not exist; download the film again") from None
        state.append((part.path.name, status.st_size, status.st_mtime_ns))
        length = status.st_size - part.start if part.length is None else part.length
        pieces.append(Piece(str(part.path), part.start, length))
    text = json.dumps([path.read_text(encoding="utf-8", errors="replace"), state])
    return tuple(pieces), hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(path: Path, root: Path) -> tuple[list[Part], list[tuple[tuple[int, int], Path]]]:
    """Segments with their header, and variants with (pixels, bits per second), of one playlist."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PlaceError("missing", f"{path} does not exist; download the film again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError("unreadable", f"{path} cannot be read ({error})") from error
    if not text.startswith("#EXTM3U") or "#EXT-X-" not in text:
        raise PlaceError("playlist", "it is a playlist; list the video files themselves")
    parts: list[Part] = []
    variants: list[tuple[tuple[int, int], Path]] = []
    size: tuple[int, int] | None = None
    wanted: tuple[int | None, int] | None = None
    header: Part | None = None
    ends: dict[Path, int] = {}
    for line in map(str.strip, text.splitlines()):
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-KEY" and _attributes(value).get("METHOD") != "NONE":
            raise PlaceError("encrypted", f"the segments of {path} are encrypted; download it with its key")
        if tag == "#EXT-X-MAP":
            named = _attributes(value)
            where = _range(named.get("BYTERANGE", ""))
            found = _inside(path, named.get("URI", ""), root)
            new = Part(found, where[1] or 0, where[0]) if where else Part(found)
            if header is not None and new != header:
                raise PlaceError("playlist", f"{path} joins films with different headers; join them with FFmpeg first")
            if header is None:
                parts.append(new)
            header = new
        elif tag == "#EXT-X-BYTERANGE":
            length, start = _range(value) or (None, None)
            wanted = length, -1 if start is None else start
        elif tag == "#EXT-X-STREAM-INF":
            named = _attributes(value)
            width, _, height = named.get("RESOLUTION", "0x0").partition("x")
            size = _number(width) * _number(height), _number(named.get("BANDWIDTH", "0"))
        elif line and not line.startswith("#"):
            found = _inside(path, line, root)
            if size is not None:
                variants.append((size, found))
            elif wanted is not None:
                start = ends.get(found, 0) if wanted[1] < 0 else wanted[1]
                ends[found] = start + (wanted[0] or 0)
                parts.append(Part(found, start, wanted[0]))
            else:
                parts.append(Part(found))
            size = wanted = None
    if not parts and not variants:
        raise PlaceError("playlist", f"{path} names no segment")
    return parts, variants


def _inside(playlist: Path, named: str, root: Path) -> Path:
    """A file that a playlist names.

    Raises:
        PlaceError: it is on another machine or outside the folder of the film.
    """
    if is_url(named) or PurePosixPath(named).is_absolute() or ":" in named.split("/")[0]:
        raise PlaceError("playlist", f"its segment {named} is not a file beside {playlist.name}; download the film")
    if ".." in PurePosixPath(named).parts:
        raise PlaceError("playlist", f"its segment {named} is outside the folder {root}")
    exact = playlist.parent / named
    return exact if exact.exists() else playlist.parent / unquote(named.split("?", 1)[0].split("#", 1)[0])


def _attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _range(text: str) -> tuple[int, int | None] | None:
    """`length@start`, where the start may be absent."""
    match = re.fullmatch(r"(\d+)(?:@(\d+))?", text.strip())
    return (int(match[1]), None if match[2] is None else int(match[2])) if match else None


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
