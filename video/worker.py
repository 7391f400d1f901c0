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
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from video.opening import RemoteFile, local_path
from video.processes import READY
from video.settings import Ingested, IngestSettings
from video.types import Quarantine, VideoRecord

COPY_BLOCK_BYTES = 1 << 22
MEGABYTE = 1 << 20
NEAR_LIMIT_SHARE = 0.25
OUT_OF_MEMORY = "it needs more memory than the limit; raise memory_mb, or scale the video down"


def ingest_one(uri: str, settings: IngestSettings) -> Ingested:
    """Read one file in this process. A file that cannot be read comes back quarantined, with its reason."""
    from video.onepass import ingest_file

    try:
        with on_this_machine(uri) as path:
            return ingest_file(path, uri, settings)
    except Quarantine as error:
        return quarantined(uri, error.reason, error.detail)
    except MemoryError:
        return quarantined(uri, "out_of_memory", OUT_OF_MEMORY)
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


class MemoryLimit:
    """Lets this process take so much more address space than it has when entered; beyond that an allocation fails."""

    def __init__(self, memory_mb: int) -> None:
        self._growth = memory_mb * MEGABYTE
        self._limit = 0

    def __enter__(self) -> MemoryLimit:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        self._limit = _address_space("VmSize") + self._growth
        if hard != resource.RLIM_INFINITY:
            self._limit = min(self._limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (self._limit, hard))
        return self

    def __exit__(self, *_: object) -> None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    @property
    def reached(self) -> bool:
        """Whether the process came close to it: a decoder that gets no memory may call the file damaged."""
        return self._limit - _address_space("VmPeak") < NEAR_LIMIT_SHARE * self._growth


def _address_space(what: str) -> int:
    """Bytes of address space, now (`VmSize`) or at most so far (`VmPeak`); 0 where there is no /proc to tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what + ":"))


def _die_with_parent(lifeline: int) -> None:
    """Nobody writes to the lifeline: reading it ends when the parent has closed it, or has died."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _load_libraries() -> None:
    """Import all that a task needs, so that neither its time nor its memory pays for it."""
    import imagehash  # noqa: F401
    import PIL.JpegImagePlugin  # noqa: F401
    import scenedetect.detectors  # noqa: F401
    import scipy.fftpack  # noqa: F401

    import video.onepass  # noqa: F401


def main(pipe: int, lifeline: int) -> None:
    """Say READY, then serve tasks `(uri, settings, memory_mb)` until the parent hangs up."""
    _die_with_parent(lifeline)
    _load_libraries()
    with Connection(pipe) as connection:
        connection.send(READY)
        while True:
            try:
                uri, settings, memory_mb = connection.recv()
            except EOFError:
                return
            with MemoryLimit(memory_mb) as limit:
                result = _guarded(uri, settings)
            starved = result.record.reason in ("damaged", "decoder_crashed", "not_a_video") and limit.reached
            connection.send(quarantined(uri, "out_of_memory", OUT_OF_MEMORY) if starved else result)


def _guarded(uri: str, settings: IngestSettings) -> Ingested:
    try:
        return ingest_one(uri, settings)
    except Exception:
        # What a decoder or a detector can come up with is not known; it costs this file, and its trace is kept.
        return quarantined(uri, "decoder_crashed", traceback.format_exc(limit=-3))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
