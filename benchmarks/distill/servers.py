"""The local servers that benchmarks of distillation run against, each in a separate process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
SERVER = BENCHMARKS.parent / "tests" / "distill" / "chat_server.py"
"""Every fault and every feature that the client knows."""
LEAN_SERVER = BENCHMARKS / "latency_server.py"
"""As little CPU as possible."""


@contextlib.contextmanager
def local_server(*options: str, server: Path = SERVER) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(server), *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def stats(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/stats") as answer:
        return json.load(answer)


def say(text: str) -> None:
    print(text, flush=True)
