"""Supervised reading processes: each runs one task at a time, is killed when it overruns, and replaced when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Generic

from videozoomer.video.store import StoreError
from videozoomer.video.tasks import Result, Task
from videozoomer.video.watch import Report, cpu_limit_s

READY = "ready"
STARTUP_S = 120.0
"""Longest time that a process may take to load its libraries, on a busy machine."""
_PROJECT = str(Path(__file__).resolve().parents[2])


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    connection: Connection
    lifeline: int
    """Our end of a pipe that nobody writes to; the child exits when it closes."""
    ready: bool = False


class ReadingProcess(Generic[Result]):
    """A child process that reads files. It is a fresh interpreter, so it inherits none of the parent's memory."""

    def __init__(self) -> None:
        self._child: _Child | None = _spawned()
        self._uri: str | None = None
        self._limits = Report(0.0, 0.0)
        self.deadline_s = 0.0
        """When its next report or result is due, on the monotonic clock."""
        self.out_of_time = False
        """Whether its last task ended because its CPU time was used up."""

    @property
    def busy(self) -> bool:
        return self._uri is not None

    @property
    def uri(self) -> str:
        """The file that it reads now."""
        if self._uri is None:
            raise RuntimeError("the process reads no file; call start first")
        return self._uri

    @property
    def connection(self) -> Connection:
        """Readable once a result has arrived or the process has died."""
        return self._alive().connection

    @property
    def pid(self) -> int:
        return self._alive().process.pid

    @property
    def limits(self) -> Report:
        """Its latest report, with the limit on its CPU time."""
        return self._limits

    def start(self, uri: str, task: Task[Result], *, timeout_s: float | None, memory_mb: int) -> None:
        """Send it a file, once it has started up.

        `timeout_s` limits the CPU time of the task; None lets the limit follow from the file.

        Raises:
            RuntimeError: it does not start; its message is on standard error.
        """
        if self._child is None or self._child.process.poll() is not None:
            self.kill()
            self._child = _spawned()
        self._await_ready(self._child)
        self._uri, self.out_of_time = uri, False
        self._note(Report(0.0, cpu_limit_s(0) if timeout_s is None else timeout_s))
        # If it has died already, `receive` notices.
        with contextlib.suppress(BrokenPipeError):
            self._child.connection.send((uri, task, timeout_s, memory_mb))

    def receive(self) -> Result | Report | None:
        """A report about the current task, or its result; None if the process died.

        Raises:
            StoreError: the task raised it.
        """
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            ended = self._alive().process
            self.kill()
            self.out_of_time = ended.returncode == -signal.SIGPROF
            result = None
        if isinstance(result, Report):
            self._note(result)
            return result
        self._uri = None
        if isinstance(result, StoreError):
            raise result
        if result is not None and result.reason == "out_of_memory":
            # The next file gets a fresh process, because the peak memory of this one would count against it.
            self.kill()
        return result

    def kill(self) -> None:
        """End the process now and wait until it is gone."""
        self._uri = None
        if self._child is None:
            return
        self._child.process.kill()
        self._child.process.wait()
        self._child.connection.close()
        os.close(self._child.lifeline)
        self._child = None

    def _note(self, report: Report) -> None:
        self._limits, self.deadline_s = report, time.monotonic() + report.patience_s

    def _alive(self) -> _Child:
        if self._child is None:
            raise RuntimeError("the process has ended; call start first")
        return self._child

    def _await_ready(self, child: _Child) -> None:
        if child.ready:
            return
        with contextlib.suppress(EOFError, OSError):
            child.ready = child.connection.poll(STARTUP_S) and child.connection.recv() == READY
        if not child.ready:
            self.kill()
            raise RuntimeError("a process that reads videos did not start; see its message on standard error")


def _spawned() -> _Child:
    ours, theirs = Pipe()
    read_end, lifeline = os.pipe()
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [_PROJECT, environment.get("PYTHONPATH")]))
    # Each linear-algebra thread would reserve address space, which the memory limit counts.
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "videozoomer.video.worker", str(theirs.fileno()), str(read_end)],
            pass_fds=(theirs.fileno(), read_end),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
    finally:
        theirs.close()
        os.close(read_end)
    return _Child(process, ours, lifeline)
