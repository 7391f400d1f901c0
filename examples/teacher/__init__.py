"""The local teacher: an OpenAI-compatible HTTP server that looks at the pixels it is sent.

It is not a language model. Classical image recognition finds scenes and glyphs in the JPEGs of a request, a parser
reads the question, and a few rules decide where to zoom and what to answer, in the zoom protocol. It sees only the
request: it reads no file of the sample world. It makes errors by temperature and seed, as a model would.

    python -m examples.teacher --port 8173

    with serve() as teacher:          # any free port, in a separate process
        teacher.base_url              # http://127.0.0.1:.../v1
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import TracebackType

__all__ = ["MODEL", "Teacher", "TeacherError", "serve"]

MODEL = "sample-teacher-pixels-v1"
_START_S = 60.0


class TeacherError(RuntimeError):
    """The teacher could not be started."""


class LocalTeacher:
    """A running teacher: a context manager, or call `close`. Its processes end with this one in any case."""

    def __init__(self, port: int, workers: int) -> None:
        self._reserved = socket.socket() if workers > 1 else None
        if self._reserved is not None:
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._reserved.bind(("127.0.0.1", port))
            port = self._reserved.getsockname()[1]
        command = [sys.executable, "-m", "examples.teacher", "--until-stdin-closes", "--port", str(port)]
        if workers > 1:
            command.append("--share-port")
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)
        ]
        try:
            addresses = [self._address(process) for process in self._processes]
        except BaseException:
            self.close()
            raise
        self.base_url = addresses[0]
        """Base URL for a client, ending in /v1."""
        self.model = MODEL

    def _address(self, process: subprocess.Popen[str]) -> str:
        """The address the server prints once it is listening."""
        assert process.stdout
        line = process.stdout.readline().strip()
        if not line.startswith("http"):
            raise TeacherError(f"the sample teacher did not start (exit code {process.wait(10)}); is its port taken?")
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                with urllib.request.urlopen(f"{line}/models", timeout=5):
                    return line
            except urllib.error.URLError as error:
                if time.monotonic() > deadline_s:
                    raise TeacherError(f"the sample teacher at {line} does not answer: {error}") from error
                time.sleep(0.05)

    def close(self) -> None:
        """Stop serving. Closing twice is harmless."""
        for process in self._processes:
            if process.stdin:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        if self._reserved is not None:
            self._reserved.close()

    def __enter__(self) -> LocalTeacher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int = 0, workers: int = 1) -> LocalTeacher:
    """Start the teacher in separate processes; port 0 picks a free port.

    Workers share the port; each caches the frames it has recognised.

    Raises:
        TeacherError: it did not start, for example because the port is taken.
    """
    if workers < 1:
        raise ValueError("workers must be 1 or more")
    return LocalTeacher(port, workers)
