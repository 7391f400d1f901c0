"""Reads many files into records, shots and overviews. A file that crashes its decoder does not affect the others."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait

from videozoomer.video.inspection import VideoInfo
from videozoomer.video.processes import ReadingProcess
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.tasks import IngestTask, InspectTask, Result, Task
from videozoomer.video.watch import Report

__all__ = ["IngestSettings", "Ingested", "ingest_many", "inspect_many"]

MAX_THREADS = 4
"""Maximum decoder threads per file: more of them need more memory and speed up little."""
THREAD_MB = 256
"""Memory that must be allowed for each decoder thread: its stack, its heap and its pictures."""
OnProgress = Callable[[str, float], None]
"""Gets a file's URI and the share of it that has been read, about once a second."""


def ingest_many(
    uris: Sequence[str],
    settings: IngestSettings,
    *,
    workers: int = 2,
    timeout_s: float | None = None,
    memory_mb: int = 2048,
    on_progress: OnProgress | None = None,
) -> Iterator[Ingested]:
    """Read files in parallel and yield each as it finishes, not in the given order.

    A separate process reads each file, with limited memory and CPU time. `timeout_s` limits the CPU seconds of each
    file; by default the limit grows with the file, see `videozoomer.video.watch`. A file that cannot be read comes back
    with a quarantined record and raises nothing. Leaving the iteration early ends the processes.

    Raises:
        RuntimeError: the processes do not start.
        StoreError: a zoom store cannot be written, which is not the video's fault.
    """
    return _read_many(uris, IngestTask(settings), workers, timeout_s, memory_mb, on_progress)


def inspect_many(
    uris: Sequence[str],
    *,
    workers: int = 2,
    timeout_s: float = 120,
    memory_mb: int = 2048,
    stream: int | None = None,
) -> Iterator[VideoInfo]:
    """Like `ingest_many`, but only reads what each file declares and tests that it decodes at several times."""
    return _read_many(uris, InspectTask(stream), workers, timeout_s, memory_mb, None)


def threads_per_file(cores: int, files: int, memory_mb: int) -> int:
    """Decoder threads for each of `files` that are read at once."""
    return max(1, min(MAX_THREADS, cores // max(1, files), memory_mb // THREAD_MB))


def _read_many(
    uris: Sequence[str],
    task: Task[Result],
    workers: int,
    timeout_s: float | None,
    memory_mb: int,
    on_progress: OnProgress | None,
) -> Iterator[Result]:
    waiting = deque(uris)
    processes = [ReadingProcess[Result]() for _ in range(min(max(1, workers), len(waiting)))]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        while waiting or any(process.busy for process in processes):
            for process in processes:
                if not process.busy and waiting:
                    unread = len(waiting) + sum(other.busy for other in processes)
                    threaded = task.with_threads(threads_per_file(cores, min(len(processes), unread), memory_mb))
                    process.start(waiting.popleft(), threaded, timeout_s=timeout_s, memory_mb=memory_mb)
            yield from _finished([process for process in processes if process.busy], task, on_progress)
    finally:
        for process in processes:
            process.kill()


def _finished(
    busy: list[ReadingProcess[Result]], task: Task[Result], on_progress: OnProgress | None
) -> Iterator[Result]:
    """Wait until at least one task has reported, finished, crashed or run out of time."""
    patience_s = max(0.0, min(process.deadline_s for process in busy) - time.monotonic())
    readable = wait([process.connection for process in busy], timeout=patience_s)
    for process in [process for process in busy if process.connection in readable]:
        uri = process.uri
        received = process.receive()
        if isinstance(received, Report):
            if on_progress:
                on_progress(uri, received.share)
        elif received is not None:
            yield received
        elif process.out_of_time:
            limit_s = process.limits.cpu_limit_s
            detail = f"reading took more than {limit_s:g} s of CPU time; raise timeout_s, or re-encode it"
            yield task.quarantined(uri, "timeout", detail)
        else:
            detail = "the process that read it crashed; re-encode it, or remove it from the source"
            yield task.quarantined(uri, "decoder_crashed", detail)
    now = time.monotonic()
    for process in busy:
        # A result that arrived while the caller handled other results is not late.
        if process.busy and now >= process.deadline_s and not process.connection.poll():
            uri, silent_s = process.uri, process.limits.patience_s
            process.kill()
            detail = f"reading made no progress for {silent_s:.0f} s; check the disk or the network it comes from"
            yield task.quarantined(uri, "timeout", detail)
