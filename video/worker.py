"""The process that reads files for `video.ingest`: limited in memory, gone when its parent is gone.

It takes one task after the other, so that its imports are paid once. It imports nothing but what decoding needs.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from video.opening import local_path
from video.settings import Ingested, IngestSettings
from video.types import Quarantine, VideoRecord

COPY_BLOCK_BYTES = 1 << 22


def ingest_one(uri: str, settings: IngestSettings) -> Ingested:
    """Read one file in this process. A file that cannot be read comes back quarantined, with its reason."""
    from video.onepass import ingest_file

    try:
        with on_this_machine(uri) as path:
            return ingest_file(path, uri, settings)
    except Quarantine as error:
        return quarantined(uri, error.reason, error.detail)
    except MemoryError:
        return quarantined(uri, "out_of_memory", "raise memory_mb, or scale the video down")
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
    import fsspec

    with tempfile.TemporaryDirectory(prefix="videozoomer-") as folder:
        copy = Path(folder) / "video"
        try:
            with fsspec.open(uri, "rb") as source, copy.open("wb") as target:
                while block := source.read(COPY_BLOCK_BYTES):
                    target.write(block)
        except FileNotFoundError:
            raise Quarantine("missing", "there is no such file; check the URL") from None
        except (ValueError, ImportError) as error:
            raise Quarantine("unreadable", f"{error}; check the URL, and install what its file system needs") from None
        yield copy


def limit_memory(memory_mb: int) -> None:
    """Let this process take so much more address space than it has now; beyond that an allocation fails."""
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # No /proc (macOS): the limit then counts from zero.
        pages = 0
    limit = pages * resource.getpagesize() + memory_mb * (1 << 20)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _die_with_parent(lifeline: int) -> None:
    """Nobody writes to the lifeline: reading it ends when the parent has closed it, or has died."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(pipe: int, lifeline: int) -> None:
    """Serve tasks `(uri, settings, memory_mb)` until the parent hangs up."""
    _die_with_parent(lifeline)
    import video.onepass  # noqa: F401  Imported before the first task, so that no task's time pays for it.

    with Connection(pipe) as connection:
        while True:
            try:
                uri, settings, memory_mb = connection.recv()
            except EOFError:
                return
            try:
                limit_memory(memory_mb)
                connection.send(ingest_one(uri, settings))
            except Exception:
                connection.send(quarantined(uri, "decoder_crashed", traceback.format_exc(limit=-3)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
