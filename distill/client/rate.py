"""How fast to send: adaptive concurrency, limits per minute, and a circuit breaker."""

from __future__ import annotations

import asyncio
from collections import deque

from distill.client.errors import EndpointDown


class Gate:
    """Adaptive concurrency: one more call for each round of successes, half as many when the server asks to slow
    down."""

    def __init__(self, max_concurrency: int) -> None:
        self.max_concurrency = max_concurrency
        self.limit = float(max_concurrency)
        """Maximum concurrent calls now; starts at the maximum, since most servers can take what their owner
        configures."""
        self.in_flight = 0
        self.cuts = 0
        self._waiting: deque[asyncio.Future] = deque()
        self._sent = 0
        self._cut_at = 0

    async def enter(self) -> int:
        """Wait until a call may start. Returns its number, for `slow_down`."""
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
            self.limit = min(float(self.max_concurrency), self.limit + 1 / self.limit)
        self._wake()

    def slow_down(self, number: int) -> None:
        """Halve the limit; calls that were already in flight when it was last halved do not halve it again."""
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
    """A limit per minute, spread evenly, with bursts of up to two seconds' worth; null is no limit."""

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
        """Return what was taken and not used (the estimate was too high); below 0, take what was used beyond it."""
        self._free_at -= amount * self._seconds_each


class Breaker:
    """Stops the step after at least five failures in a row and `dead_after_s` without a reply, or at a deadline."""

    MIN_FAILURES = 5

    def __init__(self, endpoint: str, dead_after_s: float, deadline_s: float | None = None) -> None:
        """Create it on the event loop: the deadline counts from here."""
        self._endpoint = endpoint
        self._dead_after_s = dead_after_s
        self._deadline_s = deadline_s
        self._started_at = self._now()
        self._failures = 0
        self._alive_at: float | None = None
        self._stopped: str | None = None
        self._stopping = asyncio.Event()

    def check(self) -> None:
        """Raises EndpointDown when the step was stopped or its deadline has passed."""
        if self._deadline_s is not None and self._now() - self._started_at >= self._deadline_s:
            self.stop(
                f"{self._endpoint} was called for {self._deadline_s:g} s, the limit of deadline_s; run again to resume"
            )
        if self._stopped:
            raise EndpointDown(self._stopped)

    def sending(self) -> None:
        if self._alive_at is None:
            self._alive_at = self._now()

    def answered(self) -> None:
        """The server is alive: it replied, even if only to reject this call."""
        self._failures = 0
        self._alive_at = self._now()

    def failed(self, sentence: str) -> None:
        self._failures += 1
        silent_s = self._now() - (self._alive_at if self._alive_at is not None else self._started_at)
        if self._failures >= self.MIN_FAILURES and silent_s >= self._dead_after_s:
            self.stop(
                f"{self._endpoint} has not answered for {silent_s:.0f} s "
                f"({self._failures} calls failed, the last with: "
                f"{sentence}); start it or check base_url, then run again: every answer so far is kept"
            )

    def stop(self, sentence: str) -> None:
        self._stopped = self._stopped or sentence
        self._stopping.set()

    async def pause(self, wait_s: float) -> None:
        """Wait before another try, but not past the deadline, not longer than `dead_after_s`, and not once stopped.

        Raises:
            EndpointDown: the step was stopped in the meantime.
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
