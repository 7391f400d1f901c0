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

from video.settings import Ingested, IngestSettings

_PROJECT = str(Path(__file__).resolve().parent.parent)


class ReadingProcess:
    """A child process that ingests files. It has its own interpreter, so nothing of the parent's is copied into it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self.connection: Connection | None = None
        self._lifeline = -1
        self.uri: str | None = None
        """The file under way."""
        self.deadline_s = 0.0
        """When it is overdue, on the monotonic clock."""

    def start(self, uri: str, settings: IngestSettings, *, timeout_s: float, memory_mb: int) -> None:
        if self._process is None or self._process.poll() is not None:
            self._spawn()
        self.uri, self.deadline_s = uri, time.monotonic() + timeout_s
        # Where it has died already, `receive` tells.
        with contextlib.suppress(BrokenPipeError):
            self.connection.send((uri, settings, memory_mb))

    def receive(self) -> Ingested | None:
        """The result of the task under way; None when the process died over it."""
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            self.kill()
            result = None
        self.uri = None
        return result

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

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
                [sys.executable, "-m", "video.worker", str(theirs.fileno()), str(read_end)],
                pass_fds=(theirs.fileno(), read_end),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        finally:
            theirs.close()
            os.close(read_end)
        self.connection = ours
