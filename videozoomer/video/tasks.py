"""What a reading process does with a file: ingest or inspect it. A file that cannot be read comes back quarantined."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from videozoomer.places.finding import blocks_of, find_film, is_here, on_disk, open_bytes
from videozoomer.places.uris import PlaceError, local_path
from videozoomer.video.boxes import broken_box
from videozoomer.video.inspection import VideoInfo, inspect_one
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.types import Quarantine, VideoRecord
from videozoomer.video.watch import Watch, cpu_limit_s

Result = TypeVar("Result", Ingested, VideoInfo)
Result_co = TypeVar("Result_co", Ingested, VideoInfo, covariant=True)


class Task(Protocol[Result_co]):
    """Travels to a reading process by pickle."""

    def prepare(self) -> None:
        """Load what only this task needs, before memory is limited and time counts."""
        ...

    def with_threads(self, threads: int) -> Task[Result_co]:
        """The same task with this many decoder threads, unless it sets a number itself."""
        ...

    def run(self, uri: str, watch: Watch) -> Result_co: ...

    def quarantined(self, uri: str, reason: str, detail: str) -> Result_co:
        """The result for a file that a process could not read."""
        ...


@dataclass(frozen=True, slots=True)
class IngestTask:
    settings: IngestSettings

    def prepare(self) -> None:
        if "transnet" in self.settings.detectors:
            from videozoomer.video.transnet import network

            network()

    def with_threads(self, threads: int) -> IngestTask:
        return self if self.settings.threads else IngestTask(replace(self.settings, threads=threads))

    def run(self, uri: str, watch: Watch) -> Ingested:
        return ingest_one(uri, self.settings, watch)

    def quarantined(self, uri: str, reason: str, detail: str) -> Ingested:
        return quarantined(uri, reason, detail)


@dataclass(frozen=True, slots=True)
class InspectTask:
    stream: int | None = None
    """Position of the video stream to inspect; None takes the one that FFmpeg would."""

    def prepare(self) -> None:
        """Needs nothing."""

    def with_threads(self, threads: int) -> InspectTask:
        return self

    def run(self, uri: str, watch: Watch) -> VideoInfo:
        return inspect_one(uri, self.stream)

    def quarantined(self, uri: str, reason: str, detail: str) -> VideoInfo:
        return VideoInfo(uri, "quarantined", reason, detail)


def ingest_one(uri: str, settings: IngestSettings, watch: Watch | None = None) -> Ingested:
    """Ingest one file in this process. A file that cannot be read comes back quarantined, with its reason."""
    from videozoomer.video.onepass import ingest_file

    watch = watch or Watch()
    try:
        with readable(uri, settings.unpacked_dir, watch) as path:
            return ingest_file(path, uri, settings, watch)
    except Quarantine as error:
        return quarantined(uri, error.reason, error.detail)
    except MemoryError as error:
        # FFmpeg says so too where damaged bytes ask for more than any machine has.
        if (here := local_path(uri)) is None or (at := broken_box(str(here))) is None:
            raise
        return quarantined(
            uri, "damaged", f"its boxes cannot be followed beyond byte {at} ({error}); download it again"
        )
    except PlaceError as error:
        return quarantined(uri, error.reason, error.sentence)
    except OSError as error:
        return quarantined(uri, "unreadable", f"{error}; check permissions, the disk and the network")


def quarantined(uri: str, reason: str, detail: str) -> Ingested:
    path = local_path(uri)
    size = path.stat().st_size if path is not None and path.is_file() else None
    return Ingested(VideoRecord(uri, "quarantined", reason=reason, detail=detail, bytes=size))


@contextmanager
def readable(uri: str, unpacked_dir: str | None, watch: Watch) -> Iterator[str]:
    """What to open: the film itself, or a copy for the time being where it is not on this machine's disks.

    A compressed member of an archive is unpacked into the folder, where later reads find it.
    """
    place = on_disk(uri, unpacked_dir)
    if is_here(place):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="videozoomer-") as folder:
        copy = Path(folder) / "video"
        try:
            source = open_bytes(place)
        except FileNotFoundError:
            raise Quarantine("missing", "the file does not exist; check the URL") from None
        with closing(source), copy.open("wb") as target:
            copied = 0
            for block in blocks_of(source, find_film(place)):
                copied += target.write(block)
                watch.allow(cpu_limit_s(copied))
        yield str(copy)
