"""What a reading process may take, and how long it may live."""

from __future__ import annotations

import os
import threading
from pathlib import Path

MEGABYTE = 1 << 20
NEAR_LIMIT_SHARE = 0.25
"""Share of the allowed growth that may be left for a failure to be put down to memory."""


class MemoryLimit:
    """Lets this process take so much more address space than it has when entered; beyond that an allocation fails."""

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
        """Whether the process came close to it: a decoder that gets no memory may call the file damaged."""
        return self._limit - _address_space("VmPeak") < NEAR_LIMIT_SHARE * self._growth


def _address_space(what: str) -> int:
    """Bytes of address space, now (`VmSize`) or at most so far (`VmPeak`); 0 where there is no /proc to tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what + ":"))


def die_with_parent(lifeline: int) -> None:
    """Nobody writes to the lifeline: reading it ends when the parent has closed it, or has died."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
