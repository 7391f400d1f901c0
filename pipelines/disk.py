"""How much disk a run will need, before anything is read: frames, zoom stores, films unpacked from archives, calls."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distill.estimate import Assumed, StageEstimate
from videozoomer.places.archives import find_member, read_archive
from videozoomer.places.uris import PlaceError, member_name
from videozoomer.settings import Recipe
from videozoomer.sources.files import Offered

FRAME_BYTES = 10_000
"""JPEG of a frame at the protocol's 100,352 pixels: 8 to 12 kB by docs/measurements.md."""
FRAME_PIXELS = 100_352
CALL_BYTES = 2_000
"""A call in the ledger, which keeps texts and no pictures."""
REST_BYTES = 150_000_000
"""Report, trajectory page, the other tables, Dagster's log: with the demo's pages of 45 MB about 100 MB."""
COPIES = 2
"""A frame is in the tables once, and in a data set once."""
BYTES_PER_HOUR = 1_000_000_000
"""Of a film whose length no header tells: usual 720p or 1080p for the network."""
SAMPLED_FILMS = 40
"""Films whose header is read; the others are as long for their bytes."""
HEADERS_S = 20.0
"""Seconds that reading headers may take altogether."""


@dataclass(frozen=True)
class DiskNeed:
    hours: float
    """Hours of film."""
    frames: float
    """Bytes of overviews and zooms in tables and data sets; the zooms are a guess until a batch was played."""
    overviews: float
    """The part of `frames` that is certain."""
    zoom_store: float
    unpacked: float
    """Bytes of films that their archive compresses, which are unpacked into the home."""
    ledger: float

    @property
    def bytes(self) -> float:
        return self.frames + self.zoom_store + self.unpacked + self.ledger + REST_BYTES

    @property
    def certain(self) -> float:
        """What no other behaviour of the teacher would save."""
        return self.overviews + self.zoom_store + self.unpacked

    def __str__(self) -> str:
        parts = {"frames": self.frames, "zoom store": self.zoom_store, "unpacked films": self.unpacked}
        listed = ", ".join(f"{name} {size(value)}" for name, value in parts.items() if value)
        length = f"{self.hours:,.1f} hours" if self.hours >= 1 else f"{self.hours * 60:.0f} minutes"
        return f"{size(self.bytes)} for {length} of film ({listed})"


def disk_need(recipe: Recipe, films: Sequence[Offered], stages: Sequence[StageEstimate]) -> DiskNeed:
    """What a run writes into its home. `stages` are those of `estimate_run`; checkpoints are not counted."""
    protocol, guess = recipe.protocol, Assumed()
    frame = FRAME_BYTES * protocol.max_pixels / FRAME_PIXELS
    films = _with_bytes(films)
    seconds = lengths_s(films)
    shown = sum(min(protocol.overview_frames, max(1.0, length * protocol.overview_fps)) for length in seconds)
    overviews = shown * frame * COPIES
    # Probes show no zoom, or frames that are stored already; those from elsewhere are new.
    known = ("probes", "evidence (")
    episodes = sum(
        stage.episodes for stage in stages if not stage.stage.startswith(known) or stage.stage == "evidence (elsewhere)"
    )
    zoomed = episodes * guess.zooms * min(guess.zoom_frames, protocol.zoom_frames) * frame * COPIES
    hours = sum(seconds) / 3600
    return DiskNeed(
        hours=hours,
        frames=overviews + zoomed,
        overviews=overviews,
        zoom_store=hours * 3600 * recipe.video.zoom_store_fps * frame,
        unpacked=float(sum(item.bytes for item in films if _is_packed(item.uri))),
        ledger=sum(stage.calls for stage in stages) * CALL_BYTES,
    )


def lengths_s(films: Sequence[Offered]) -> list[float]:
    """The films' lengths in seconds: by their header for a sample of local files, for the others by their bytes."""
    local = [film for film in films if Path(film.uri).is_file()]
    step = max(1, len(local) // SAMPLED_FILMS)
    known = _header_lengths_s([film.uri for film in local[::step][:SAMPLED_FILMS]])
    read = [film for film in local if film.uri in known and film.bytes]
    per_byte = (
        sum(known[film.uri] for film in read) / sum(film.bytes for film in read) if read else 3600 / BYTES_PER_HOUR
    )
    return [known.get(film.uri, film.bytes * per_byte) for film in films]


_READ_HEADERS = """
import json, sys
import av
for path in sys.argv[1:]:
    try:
        with av.open(path) as film:
            if film.duration:
                print(json.dumps([path, film.duration / av.time_base]), flush=True)
    except (av.error.FFmpegError, OSError, ValueError):
        continue  # Its length is estimated from its size.
"""


def _header_lengths_s(paths: Sequence[str]) -> dict[str, float]:
    """Lengths as the headers give them, read in a process of its own: a damaged file may end or stop it."""
    if not paths:
        return {}
    command = [sys.executable, "-c", _READ_HEADERS, *paths]
    try:
        printed = subprocess.run(command, capture_output=True, timeout=HEADERS_S).stdout
    except subprocess.TimeoutExpired as late:
        printed = late.stdout or b""
    whole = printed[: printed.rfind(b"\n") + 1].decode()
    return {path: seconds for path, seconds in map(json.loads, whole.splitlines()) if seconds > 0}


def _with_bytes(films: Sequence[Offered]) -> list[Offered]:
    """The same films, those of a Parquet file as large as they are on average: it tells the bytes of all together."""
    rows = Counter(name.archive for film in films if (name := member_name(film.uri)) and name.scheme == "parquet")
    shares = {place: _unpacked_bytes(place) // count for place, count in rows.items()}
    archives = {film.uri: name.archive for film in films if (name := member_name(film.uri))}
    return [replace(film, bytes=film.bytes or shares.get(archives.get(film.uri, ""), 0)) for film in films]


def _unpacked_bytes(place: str) -> int:
    try:
        return read_archive("parquet", place).unpacked_bytes
    except PlaceError:
        return 0  # Its films will be quarantined.


def _is_packed(uri: str) -> bool:
    try:
        name = member_name(uri)
        return name is not None and find_member(name).packed
    except PlaceError:
        return False


def free_bytes(home: Path) -> tuple[Path, int]:
    """The nearest folder of the home that exists, and what is free on its disk."""
    place = next((folder for folder in (home, *home.parents) if folder.exists()), Path("/"))
    return place, shutil.disk_usage(place).free


def size(value: float) -> str:
    return f"{value / 1e9:,.1f} GB" if value >= 1e8 else f"{value / 1e6:,.0f} MB"
