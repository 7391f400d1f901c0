"""Many files into records, shots and overviews; whatever one of them does to its decoder, the others are read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait

from videozoomer.video.probe import Probe
from videozoomer.video.processes import ReadingProcess
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.worker import failed

__all__ = ["IngestSettings", "Ingested", "ingest_many", "probe_many"]


def ingest_many(
    uris: Sequence[str],
    settings: IngestSettings,
    *,
    workers: int = 2,
    timeout_s: float = 600,
    memory_mb: int = 2048,
) -> Iterator[Ingested]:
    """Read files side by side and yield each as it is done (not in the order given).

    Each file is read in a separate process, within a limit of time and of memory. A file that cannot be read comes
    back with a quarantined record; nothing is raised for it. Leaving the iteration early ends the processes.

    Raises:
        RuntimeError: the processes do not start at all.
        StoreError: a zoom store cannot be written; that is no fault of a video.
    """
    return _read_many(uris, settings, workers, timeout_s, memory_mb)


def probe_many(
    uris: Sequence[str], *, workers: int = 2, timeout_s: float = 120, memory_mb: int = 2048
) -> Iterator[Probe]:
    """The same for a look at each file: what it declares, and whether it decodes at several places."""
    return _read_many(uris, None, workers, timeout_s, memory_mb)


def _read_many(
    uris: Sequence[str], settings: IngestSettings | None, workers: int, timeout_s: float, memory_mb: int
) -> Iterator[Ingested | Probe]:
    waiting = deque(uris)
    processes = [ReadingProcess() for _ in range(min(max(1, workers), len(waiting)))]
    try:
        while waiting or any(process.uri is not None for process in processes):
            for process in processes:
                if process.uri is None and waiting:
                    process.start(waiting.popleft(), settings, timeout_s=timeout_s, memory_mb=memory_mb)
            yield from _finished([process for process in processes if process.uri is not None], settings, timeout_s)
    finally:
        for process in processes:
            process.kill()


def _finished(
    busy: list[ReadingProcess], settings: IngestSettings | None, timeout_s: float
) -> Iterator[Ingested | Probe]:
    """Wait until at least one task is done, has died or is overdue."""
    tell = failed(settings)
    by_connection = {process.connection: process for process in busy}
    patience_s = max(0.0, min(process.deadline_s for process in busy) - time.monotonic())
    for connection in wait(list(by_connection), timeout=patience_s):
        process = by_connection[connection]
        uri = process.uri
        result = process.receive()
        if result is None:
            result = tell(uri, "decoder_crashed", "the process that read it died; re-encode it, or leave it out")
        yield result
    now = time.monotonic()
    for process in busy:
        # One that finished while the caller was busy with other results is not late.
        if process.uri is not None and now >= process.deadline_s and not process.connection.poll():
            uri = process.uri
            process.kill()
            yield tell(uri, "timeout", f"reading took longer than {timeout_s:g} s; raise the limit or re-encode it")
