"""The process that reads files for `videozoomer.video.ingest` and `videozoomer.video.probe`: limited in memory, gone when its parent is gone.

It takes one task after the other, so that its imports are paid once. It imports nothing but what decoding needs.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from videozoomer.video.limits import MemoryLimit, die_with_parent
from videozoomer.video.opening import RemoteFile, local_path
from videozoomer.video.probe import Probe, probe_one
from videozoomer.video.processes import READY
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.store import StoreError
from videozoomer.video.types import Quarantine, VideoRecord

COPY_BLOCK_BYTES = 1 << 22
OUT_OF_MEMORY = "it needs more memory than the limit; raise memory_mb, or scale the video down"


def ingest_one(uri: str, settings: IngestSettings) -> Ingested:
    """Read one file in this process. A file that cannot be read comes back quarantined, with its reason."""
    from videozoomer.video.onepass import ingest_file

    try:
        with on_this_machine(uri) as path:
            return ingest_file(path, uri, settings)
    except Quarantine as error:
        return quarantined(uri, error.reason, error.detail)
    except MemoryError:
        raise
    except OSError as error:
        return quarantined(uri, "unreadable", f"{error}; check permissions, the disk and the network")


def quarantined(uri: str, reason: str, detail: str) -> Ingested:
    path = local_path(uri)
    size = path.stat().st_size if path is not None and path.is_file() else None
    return Ingested(VideoRecord(uri, "quarantined", reason=reason, detail=detail, bytes=size))


@contextmanager
def on_this_machine(uri: str) -> Iterator[Path]:
    """The file itself, or for another machine's a copy for as long as it is needed: ingest reads every byte anyway."""
    path = local_path(uri)
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="videozoomer-") as folder:
        copy = Path(folder) / "video"
        try:
            source = RemoteFile(uri)
        except FileNotFoundError:
            raise Quarantine("missing", "there is no such file; check the URL") from None
        with closing(source), copy.open("wb") as target:
            while block := source.read(COPY_BLOCK_BYTES):
                target.write(block)
        yield copy


def _load_libraries() -> None:
    """Import all that a task needs, so that neither its time nor its memory pays for it."""
    import cv2
    import imagehash  # noqa: F401
    import scenedetect.detectors  # noqa: F401
    import scipy.fftpack  # noqa: F401

    import videozoomer.video.onepass  # noqa: F401

    # One process is one reader; how many run at once is the caller's choice.
    cv2.setNumThreads(1)


def _load_detectors(settings: IngestSettings | None) -> None:
    """The same for what only some tasks need."""
    if settings is not None and "transnet" in settings.detectors:
        from videozoomer.video.transnet import network

        network()


def main(pipe: int, lifeline: int) -> None:
    """Say READY, then serve tasks `(uri, settings or None for a probe, memory_mb)` until the parent hangs up."""
    die_with_parent(lifeline)
    _load_libraries()
    with Connection(pipe) as connection:
        connection.send(READY)
        while True:
            try:
                uri, settings, memory_mb = connection.recv()
            except EOFError:
                return
            _load_detectors(settings)
            try:
                with MemoryLimit(memory_mb) as limit:
                    result = _guarded(uri, settings)
            except StoreError as error:
                connection.send(error)
                continue
            starved = result.reason in ("damaged", "decoder_crashed", "not_a_video") and limit.reached
            connection.send(failed(settings)(uri, "out_of_memory", OUT_OF_MEMORY) if starved else result)


def _guarded(uri: str, settings: IngestSettings | None) -> Ingested | Probe:
    try:
        return probe_one(uri) if settings is None else ingest_one(uri, settings)
    except StoreError:
        raise
    except MemoryError:
        return failed(settings)(uri, "out_of_memory", OUT_OF_MEMORY)
    except Exception:
        # What a decoder or a detector can come up with is not known; it costs this file, and its trace is kept.
        return failed(settings)(uri, "decoder_crashed", traceback.format_exc(limit=-3))


def failed(settings: IngestSettings | None) -> Callable[[str, str, str], Ingested | Probe]:
    """How a file that could not be read is told, for ingest and for a probe (which has no settings)."""
    return (
        quarantined if settings is not None else lambda uri, reason, detail: Probe(uri, "quarantined", reason, detail)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
