"""Many files into records, shots and overviews; whatever one of them does to its decoder, the others are read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait

from video.processes import ReadingProcess
from video.settings import Ingested, IngestSettings
from video.worker import quarantined

__all__ = ["IngestSettings", "Ingested", "ingest_many"]


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
    """
    waiting = deque(uris)
    processes = [ReadingProcess() for _ in range(max(1, min(workers, len(waiting))))]
    try:
        while waiting or any(process.uri is not None for process in processes):
            for process in processes:
                if process.uri is None and waiting:
                    process.start(waiting.popleft(), settings, timeout_s=timeout_s, memory_mb=memory_mb)
            yield from _finished([process for process in processes if process.uri is not None], timeout_s)
    finally:
        for process in processes:
            process.kill()


def _finished(busy: list[ReadingProcess], timeout_s: float) -> Iterator[Ingested]:
    """Wait until at least one task is done, has died or is overdue."""
    by_connection = {process.connection: process for process in busy}
    patience_s = max(0.0, min(process.deadline_s for process in busy) - time.monotonic())
    for connection in wait(list(by_connection), timeout=patience_s):
        process = by_connection[connection]
        uri = process.uri
        result = process.receive()
        if result is None:
            result = quarantined(uri, "decoder_crashed", "the process that read it died; re-encode it, or leave it out")
        yield result
    now = time.monotonic()
    for process in busy:
        if process.uri is not None and now >= process.deadline_s:
            uri = process.uri
            process.kill()
            yield quarantined(uri, "timeout", f"reading took longer than {timeout_s:g} s; raise the limit or re-encode it")
