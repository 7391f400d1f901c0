"""Limits of a reading process: how much memory it may use, and that it dies with its parent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

MEGABYTE = 1 << 20
NEAR_LIMIT_SHARE = 0.25
"""If less than this share of the allowed growth was left, a failure is blamed on memory."""


class MemoryLimit:
    """Lets this process grow its address space by this much from when it is entered; beyond that allocations fail."""

    def __init__(self, memory_mb: int) -> None:
        self._growth = memory_mb * MEGABYTE
        self._limit = 0

    def __enter__(self) -> MemoryLimit:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        self._limit = _address_space("VmSize") + self._growth
        if hard != resource.RLIM_INFINITY:
            self._limit = min(self._limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (self._limit, hard))
        return self

    def __exit__(self, *_: object) -> None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    @property
    def reached(self) -> bool:
        """Whether the process came close to the limit: a decoder that gets no memory may report a damaged file."""
        return self._limit - _address_space("VmPeak") < NEAR_LIMIT_SHARE * self._growth


def _address_space(name: str) -> int:
    """Bytes of address space, current (`VmSize`) or peak (`VmPeak`); 0 on systems without /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def die_with_parent(lifeline: int) -> None:
    """Exit when the parent dies: reading the lifeline, which nobody writes to, ends only then or when it is closed."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
