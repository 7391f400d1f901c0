"""A folder of numbered pictures as one film: picture number n is shown from n / rate on, counted from the first."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urlsplit

from videozoomer.places.mov import movie_header
from videozoomer.places.pieces import Piece
from videozoomer.places.uris import PlaceError

SCHEME = "frames"
CODECS = {".jpg": b"jpeg", ".jpeg": b"jpeg", ".png": b"png "}
"""Endings of the pictures, and their names in QuickTime."""
RATE_FILE = "frames.yaml"
"""A file beside the pictures, or in the folder above, that says their rate: `rate: 25`."""
FEWEST = 2
"""Pictures of a film; fewer are pictures."""
LARGEST_SIDE = 0xFFFF
"""Pixels of a side that QuickTime can say."""
_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one folder that differ in their number."""

    pattern: str
    """`frame_*.jpg`."""
    names: dict[int, str]
    """Number -> name, in numerical order."""
    repeated: int | None = None
    """A number that several names have, such as `1` of `f1.png` and `f01.png`."""

    @property
    def missing(self) -> list[int]:
        """Numbers between the first and the last that no picture has."""
        numbers = list(self.names)
        return sorted(set(range(numbers[0], numbers[-1])) - set(numbers))


def frames_uri(folder: str, rate: Fraction) -> str:
    """`frames:///data/film?rate=25`."""
    return f"{SCHEME}://{quote(folder)}?rate={rate}"


def find_pictures(names: Iterable[str]) -> list[Pictures]:
    """Sequences of numbered pictures among the names of one folder; each has at least two."""
    found: dict[str, dict[int, str]] = {}
    repeated: dict[str, int] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        match = _NUMBER.search(path.stem)
        if match is None or path.suffix.lower() not in CODECS or name.startswith("."):
            continue
        pattern = f"{path.stem[: match.start()]}*{path.suffix.lower()}"
        if int(match[1]) in found.setdefault(pattern, {}):
            repeated[pattern] = int(match[1])
        found[pattern][int(match[1])] = name
    return [
        Pictures(pattern, dict(sorted(numbered.items())), repeated.get(pattern))
        for pattern, numbered in sorted(found.items())
        if len(numbered) >= FEWEST
    ]


def rate_of(text: object) -> Fraction:
    """A rate such as 25, 12.5 or `30000/1001`.

    Raises:
        ValueError: it is no positive number.
    """
    try:
        rate = Fraction(str(text).strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0 or rate.numerator >= 1 << 31 or rate.denominator >= 1 << 20:
        raise ValueError(f"{text!r} is no rate of pictures; write pictures per second, such as 25 or 30000/1001")
    return rate


def pieces_of(uri: str) -> tuple[tuple[Piece, ...], str]:
    """The film's bytes (a header and the pictures as they are), and a mark that differs after a picture has changed.

    Raises:
        PlaceError: the folder is missing, or its pictures are not one film.
    """
    import PIL.Image

    parts = urlsplit(uri)
    folder = Path(unquote(parts.path))
    try:
        rate = rate_of(parse_qs(parts.query).get("rate", [""])[0])
        entries = {entry.name: entry for entry in os.scandir(folder)}
    except ValueError as error:
        raise PlaceError("unreadable", str(error)) from error
    except FileNotFoundError:
        raise PlaceError("missing", f"the folder {folder} does not exist; check the path") from None
    except OSError as error:
        raise PlaceError("unreadable", f"{error}; check permissions and the disk") from error
    sequences = find_pictures(entries)
    if len(sequences) != 1:
        named = ", ".join(sequence.pattern for sequence in sequences[:3]) or "none"
        raise PlaceError(
            "not_a_video", f"{folder} has {len(sequences)} sequences of pictures ({named}); a film needs a folder each"
        )
    (pictures,) = sequences
    if pictures.repeated is not None:
        raise PlaceError("not_a_video", f"several pictures of {folder} have the number {pictures.repeated}; keep one")
    names = list(pictures.names.values())
    found = [entries[name].stat() for name in names]
    if empty := next((name for name, status in zip(names, found, strict=True) if not status.st_size), None):
        raise PlaceError("damaged", f"the picture {folder / empty} is empty; copy it again")
    try:
        with PIL.Image.open(folder / names[0]) as first:
            size = first.size
    except OSError as error:
        raise PlaceError("damaged", f"the picture {folder / names[0]} cannot be read ({error})") from error
    if max(size) > LARGEST_SIDE:
        raise PlaceError("too_large", f"its pictures are {size[0]} x {size[1]} pixels; scale them down")
    sizes = [status.st_size for status in found]
    codec = CODECS[PurePosixPath(names[0]).suffix.lower()]
    header = movie_header(codec, size, rate, list(pictures.names), sizes)
    changed = json.dumps([uri, [(n, s.st_size, s.st_mtime_ns) for n, s in zip(names, found, strict=True)]])
    pieces = [Piece(str(folder / name), 0, length) for name, length in zip(names, sizes, strict=True)]
    return (Piece("", 0, len(header), header), *pieces), hashlib.sha256(changed.encode()).hexdigest()[:32]
