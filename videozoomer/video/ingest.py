"""Reads many files into records, shots and overviews. A file that crashes its decoder does not affect the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait

from videozoomer.video.inspection import VideoInfo
from videozoomer.video.processes import ReadingProcess
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.tasks import IngestTask, InspectTask, Result, Task

__all__ = ["IngestSettings", "Ingested", "ingest_many", "inspect_many"]


def ingest_many(
    uris: Sequence[str],
    settings: IngestSettings,
    *,
    workers: int = 2,
    timeout_s: float = 600,
    memory_mb: int = 2048,
) -> Iterator[Ingested]:
    """Read files in parallel and yield each as it finishes, not in the given order.

    A separate process reads each file, with limited time and memory. A file that cannot be read comes back with a
    quarantined record and raises nothing. Leaving the iteration early ends the processes.

    Raises:
        RuntimeError: the processes do not start.
        StoreError: a zoom store cannot be written, which is not the video's fault.
    """
    return _read_many(uris, IngestTask(settings), workers, timeout_s, memory_mb)


def inspect_many(
    uris: Sequence[str], *, workers: int = 2, timeout_s: float = 120, memory_mb: int = 2048
) -> Iterator[VideoInfo]:
    """Like `ingest_many`, but only reads what each file declares and tests that it decodes at several times."""
    return _read_many(uris, InspectTask(), workers, timeout_s, memory_mb)


def _read_many(
    uris: Sequence[str], task: Task[Result], workers: int, timeout_s: float, memory_mb: int
) -> Iterator[Result]:
    waiting = deque(uris)
    processes = [ReadingProcess[Result]() for _ in range(min(max(1, workers), len(waiting)))]
    try:
        while waiting or any(process.busy for process in processes):
            for process in processes:
                if not process.busy and waiting:
                    process.start(waiting.popleft(), task, timeout_s=timeout_s, memory_mb=memory_mb)
            yield from _finished([process for process in processes if process.busy], task, timeout_s)
    finally:
        for process in processes:
            process.kill()


def _finished(busy: list[ReadingProcess[Result]], task: Task[Result], timeout_s: float) -> Iterator[Result]:
    """Wait until at least one task has finished, crashed or run out of time."""
    patience_s = max(0.0, min(process.deadline_s for process in busy) - time.monotonic())
    readable = wait([process.connection for process in busy], timeout=patience_s)
    for process in [process for process in busy if process.connection in readable]:
        uri = process.uri
        result = process.receive()
        if result is None:
            detail = "the process that read it crashed; re-encode it, or remove it from the source"
            result = task.quarantined(uri, "decoder_crashed", detail)
        yield result
    now = time.monotonic()
    for process in busy:
        # A result that arrived while the caller handled other results is not late.
        if process.busy and now >= process.deadline_s and not process.connection.poll():
            uri = process.uri
            process.kill()
            detail = f"reading took longer than {timeout_s:g} s; raise timeout_s, or re-encode it"
            yield task.quarantined(uri, "timeout", detail)
