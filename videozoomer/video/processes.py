"""Reading processes under supervision: one task at a time each, killed when it overruns, replaced when it is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from videozoomer.video.probe import Probe
from videozoomer.video.settings import Ingested, IngestSettings
from videozoomer.video.store import StoreError

READY = "ready"
STARTUP_S = 120.0
"""Longest that a process may take to load its libraries, on a machine that is busy otherwise."""
_PROJECT = str(Path(__file__).resolve().parents[2])


class ReadingProcess:
    """A child process that reads files. It has its own interpreter, so nothing of the parent's is copied into it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self.connection: Connection | None = None
        self._lifeline = -1
        self.uri: str | None = None
        """The file under way."""
        self.deadline_s = 0.0
        """When it is overdue, on the monotonic clock."""
        self._ready = False
        self._spawn()

    def start(self, uri: str, settings: IngestSettings | None, *, timeout_s: float, memory_mb: int) -> None:
        """Hand it a file to ingest, or without settings to probe, as soon as it has started up.

        Raises:
            RuntimeError: it does not start; what it said is on standard error.
        """
        if self._process is None or self._process.poll() is not None:
            self._spawn()
        self._await_ready()
        self.uri, self.deadline_s = uri, time.monotonic() + timeout_s
        # Where it has died already, `receive` tells.
        with contextlib.suppress(BrokenPipeError):
            self.connection.send((uri, settings, memory_mb))

    def receive(self) -> Ingested | Probe | None:
        """The result of the task under way; None when the process died over it.

        Raises:
            StoreError: as it was raised over there.
        """
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            self.kill()
            result = None
        self.uri = None
        if isinstance(result, StoreError):
            raise result
        if result is not None and result.reason == "out_of_memory":
            # A fresh process for the next file: this one's peak would speak against it.
            self.kill()
        return result

    def _await_ready(self) -> None:
        if self._ready:
            return
        try:
            self._ready = self.connection.poll(STARTUP_S) and self.connection.recv() == READY
        except (EOFError, OSError):
            self._ready = False
        if not self._ready:
            self.kill()
            raise RuntimeError("a process that reads videos did not start; its message is on standard error")

    def kill(self) -> None:
        """End the process now and wait until it is gone."""
        self.uri = None
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self.connection.close()
        os.close(self._lifeline)
        self._process = None

    def _spawn(self) -> None:
        self.kill()
        ours, theirs = Pipe()
        read_end, self._lifeline = os.pipe()
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [_PROJECT, environment.get("PYTHONPATH")]))
        # Linear-algebra threads would each reserve address space, which the memory limit counts.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "videozoomer.video.worker", str(theirs.fileno()), str(read_end)],
                pass_fds=(theirs.fileno(), read_end),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        finally:
            theirs.close()
            os.close(read_end)
        self.connection, self._ready = ours, False
