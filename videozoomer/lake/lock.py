"""One run of a home at a time: a lock that the system releases when the process that holds it ends, however it ends.

    with hold(home, "videozoomer run"):
        ...

A run from the command line holds the home alone. Steps that the Dagster UI or another launcher starts share it, since
these may run on several batches at once; none of them runs beside a run from the command line.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

NAME = "run.lock"
RESULTS = "locks"
"""Folder of the locks of single results."""

_alone: set[Path] = set()
"""Homes that this process holds alone; its own steps need no lock of their own."""
_guard = threading.Lock()


class HomeInUse(RuntimeError):
    """Another process runs on the home; the message says which one and since when."""


class ResultInUse(RuntimeError):
    """Another process is replacing the same folder; the message says which."""


@contextmanager
def hold(home: Path, work: str, *, shared: bool = False) -> Iterator[None]:
    """Hold the home while `work`, as a person would name it, is done. Where this process holds it alone, do nothing.

    Raises:
        HomeInUse: another run holds the home, or this process does and `shared` is not set.
    """
    home = home.resolve()
    with _guard:
        held_here = home in _alone
    if held_here and shared:
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    with (home / NAME).open("a+") as handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            raise HomeInUse(f"{home} is in use by {_holder(handle)}; wait for it or stop it, then run again") from error
        _sign(handle, work)
        if not shared:
            with _guard:
                _alone.add(home)
        try:
            yield
        finally:
            with _guard:
                _alone.discard(home)


@contextmanager
def hold_result(home: Path, result: str) -> Iterator[None]:
    """Hold one result that is a folder or a page while it is replaced.

    Raises:
        ResultInUse: another process is replacing it.
    """
    path = home / RESULTS / f"{result}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ResultInUse(
                f"{result} is being made by {_holder(handle)}; wait for it or stop it, then run again"
            ) from error
        _sign(handle, result)
        yield


def _sign(handle: IO[str], work: str) -> None:
    handle.seek(0)
    handle.truncate()
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    handle.write(json.dumps({"work": work, "pid": os.getpid(), "since": since}))
    handle.flush()


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    try:
        signed = json.loads(handle.read())
        return f"{signed['work']} (process {signed['pid']}, since {signed['since']})"
    except (ValueError, KeyError, TypeError):
        # It holds the lock and has not signed yet.
        return "another run"
