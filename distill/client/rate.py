"""How fast to ask: as many calls at once as the server bears, within its limits a minute, and not at all once it is dead."""

from __future__ import annotations

import asyncio
from collections import deque

from distill.client.errors import EndpointDown


class Gate:
    """Adaptive concurrency: one call more for each round of successes, half as many when the server says slow down."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        """Calls that may be in flight now; starts at the most, since most servers bear what their owner sets."""
        self.in_flight = 0
        self.cuts = 0
        self._waiting: deque[asyncio.Future] = deque()
        self._sent = 0
        self._cut_at = 0

    async def enter(self) -> int:
        """Wait for a place. Returns the call's number, to be given to `slow_down`."""
        while self.in_flight >= int(self.limit):
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1
        self._sent += 1
        return self._sent

    def leave(self, *, succeeded: bool) -> None:
        self.in_flight -= 1
        if succeeded:
            self.limit = min(float(self.most), self.limit + 1 / self.limit)
        self._wake()

    def slow_down(self, number: int) -> None:
        """Halve the limit, once for all the calls that were already in flight when it was last halved."""
        if number > self._cut_at:
            self.limit = max(1.0, self.limit / 2)
            self._cut_at = self._sent
            self.cuts += 1

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1


class Pace:
    """A limit of so much a minute, spread evenly with bursts of at most two seconds' worth; null limits nothing."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    async def take(self, amount: float = 1.0) -> None:
        if not self._seconds_each:
            return
        now = asyncio.get_running_loop().time()
        start = max(self._free_at, now - 2.0)
        self._free_at = start + amount * self._seconds_each
        if start > now:
            await asyncio.sleep(start - now)

    def give_back(self, amount: float) -> None:
        """What was taken and not used (an estimate above the count), or, below 0, what was used beyond it."""
        self._free_at -= amount * self._seconds_each


class Breaker:
    """Stops the step once the server has answered nothing for `dead_after_s` while calls kept failing, or at a deadline."""

    LEAST_FAILURES = 5

    def __init__(self, endpoint: str, dead_after_s: float, deadline_s: float | None = None) -> None:
        """To be made on the event loop: the deadline counts from here."""
        self._endpoint = endpoint
        self._dead_after_s = dead_after_s
        self._deadline_s = deadline_s
        self._started_at = self._now()
        self._failures = 0
        self._alive_at: float | None = None
        self._stopped: str | None = None
        self._stopping = asyncio.Event()

    def check(self) -> None:
        """Raises EndpointDown when the step was stopped or its time is over."""
        if self._deadline_s is not None and self._now() - self._started_at >= self._deadline_s:
            self.stop(
                f"{self._endpoint} was asked for {self._deadline_s:g} s, which deadline_s allows; run again to go on"
            )
        if self._stopped:
            raise EndpointDown(self._stopped)

    def sending(self) -> None:
        if self._alive_at is None:
            self._alive_at = self._now()

    def answered(self) -> None:
        """The server is alive: it answered, be it with a refusal of this one call."""
        self._failures = 0
        self._alive_at = self._now()

    def failed(self, sentence: str) -> None:
        self._failures += 1
        silent_s = self._now() - (self._alive_at if self._alive_at is not None else self._started_at)
        if self._failures >= self.LEAST_FAILURES and silent_s >= self._dead_after_s:
            self.stop(
                f"{self._endpoint} has given no answer for {silent_s:.0f} s ({self._failures} calls failed, the last with: "
                f"{sentence}); start it or mend base_url, then run again: what was answered is kept"
            )

    def stop(self, sentence: str) -> None:
        self._stopped = self._stopped or sentence
        self._stopping.set()

    async def pause(self, wait_s: float) -> None:
        """Wait before a further try: not past the deadline, not longer than a server may be silent, and not once stopped.

        Raises:
            EndpointDown: the step was stopped meanwhile.
        """
        if self._deadline_s is not None:
            wait_s = min(wait_s, max(0.0, self._started_at + self._deadline_s - self._now()))
        try:
            async with asyncio.timeout(min(wait_s, self._dead_after_s)):
                await self._stopping.wait()
        except TimeoutError:
            pass
        self.check()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
