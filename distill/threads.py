"""Threads that work for an event loop, and take a core when it leaves one."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor


def helpers(count: int, name: str) -> ThreadPoolExecutor:
    """A pool of threads that stand back."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=stand_back)


def stand_back() -> None:
    """From now on the calling thread does not push a running one off its core when it wakes (Linux)."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # A container may forbid it; all works without.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
