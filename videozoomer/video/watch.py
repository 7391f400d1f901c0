"""How much CPU time reading a file may take, and how the process that reads it reports its progress.

A limit on the clock would punish long films and busy machines. CPU time counts the work itself, and the limit grows
with the film: about ten times what decoding H.264 or HEVC takes. The clock only ends a reader that has reported nothing
for a long time, because it hangs on a disk or a network.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

FILE_CPU_S = 300.0
BYTES_PER_CPU_S = 10_000_000
"""Hashing a file and reading its packets takes one CPU second for some 300 MB; this leaves room for slow machines."""
PICTURE_CPU_S = 0.05
MEGAPIXEL_CPU_S = 0.05
"""A 1080p picture of HEVC takes some 0.01 CPU seconds to decode, and up to 0.15 are allowed."""
TRANSNET_CPU_S = 0.15
"""The network TransNetV2 takes some 0.02 CPU seconds a picture."""
SILENCE_S = 600.0
"""Longest time without a report, in addition to the CPU time that is allowed."""
REPORT_EVERY_S = 1.0


def cpu_limit_s(size_bytes: int, pictures: int = 0, pixels: int = 0, *, transnet: bool = False) -> float:
    """CPU seconds that a file may take; `pixels` are those of one picture."""
    picture_s = PICTURE_CPU_S + MEGAPIXEL_CPU_S * pixels / 1e6 + (TRANSNET_CPU_S if transnet else 0.0)
    return FILE_CPU_S + size_bytes / BYTES_PER_CPU_S + pictures * picture_s


@dataclass(frozen=True, slots=True)
class Report:
    """What a reading process tells its parent while it works."""

    share: float
    """Share of the film that has been read, from 0 to 1."""
    cpu_limit_s: float

    @property
    def patience_s(self) -> float:
        """Seconds by the clock that may pass before the next report or the result."""
        return SILENCE_S + self.cpu_limit_s


class Watch:
    """Follows the reading of one file. This one does nothing; `ProcessWatch` limits and reports."""

    def allow(self, limit_s: float) -> None:
        """Limit the CPU time from now on."""

    def reached(self, share: float) -> None:
        """This share of the film has been read. Cheap: call it for every picture."""


class ProcessWatch(Watch):
    """Limits the CPU time of this process, all threads together, and reports over a pipe.

    The kernel ends the process with SIGPROF when the time is used up, even inside a decoder that never returns.
    """

    def __init__(self, connection: Connection, timeout_s: float | None) -> None:
        """`timeout_s` replaces the limits that follow from the file."""
        self._connection, self._timeout_s = connection, timeout_s
        self._limit_s = 0.0
        self._next_s = 0.0

    def __enter__(self) -> ProcessWatch:
        self._limit(cpu_limit_s(0) if self._timeout_s is None else self._timeout_s)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def allow(self, limit_s: float) -> None:
        if self._timeout_s is None:
            self._limit(limit_s)

    def reached(self, share: float) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + REPORT_EVERY_S
            # A binary fraction, so that the steps of a progress bar add up exactly.
            self._connection.send(Report(int(share * 256) / 256, self._limit_s))

    def _limit(self, limit_s: float) -> None:
        self._limit_s = limit_s
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        self._connection.send(Report(0.0, limit_s))
