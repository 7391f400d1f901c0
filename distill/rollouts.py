"""Playing episodes concurrently. Every job becomes a row, in the order of the jobs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from distill.episodes import FramesAt, FrameSource, first_turns, play_episode
from distill.items import EpisodeJob
from distill.player import AsksAhead, Player, PlayerPool, Session, SinglePlayer, Warms
from distill.storage.frames import FrameStore
from distill.storage.threads import run_blocking
from videozoomer.protocol import FrameRef, Prompts, Protocol

if TYPE_CHECKING:
    from videozoomer.lake.rows import TrajectoryRow

PlayJob = Callable[[EpisodeJob], "Awaitable[TrajectoryRow]"]
LOOKAHEAD = 16
"""Chains whose overviews are encoded before they start."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Episodes that depend on one another, such as the samples of a question until enough are correct."""

    first: EpisodeJob
    rows: Callable[[PlayJob], AsyncIterator[TrajectoryRow]]
    """Takes a function that plays one job and yields the rows, one episode at a time."""


@dataclass(frozen=True)
class EpisodeRunner:
    """Plays episodes: with which player and prompts, under which protocol, and where frames come from."""

    player: Player | PlayerPool
    frames_at: FramesAt
    store: FrameStore
    protocol: Protocol
    prompts: Prompts
    concurrency: int = 16
    """Maximum concurrent episodes."""
    on_done: Callable[[TrajectoryRow], object] | None = None
    """Called with each row when its episode ends, on the event loop's thread: keep it short."""
    readers: int = 4
    """Maximum concurrent frame reads."""
    read_as_meant: bool = False
    """Whether a zoom call that is not to the letter but beyond doubt is played; see `Episode`."""

    def play_all(self, jobs: Iterable[EpisodeJob]) -> list[TrajectoryRow]:
        """Play every job and return the rows in the order of the jobs. Blocks; runs its own event loop.

        Raises:
            StepStopped: no further call makes sense (server down, budget spent). Running episodes finish their present
                call; every answer is in the ledger, and playing the same jobs again resumes there.
        """
        jobs = self.ask_ahead(jobs)

        async def collect() -> list[TrajectoryRow]:
            rows = {index: row async for index, row in self.play_each(jobs)}
            return [rows[index] for index in sorted(rows)]

        return run_blocking(collect)

    async def play_each(self, jobs: Iterable[EpisodeJob]) -> AsyncIterator[tuple[int, TrajectoryRow]]:
        """The number and the row of each job as it ends. Takes jobs only slightly before they can start, so memory does
        not grow with their number. Raises like `play_all`."""
        async for index, row in self.play_chains(_single(job) for job in jobs):
            yield index, row

    async def play_chains(self, chains: Iterable[Chain]) -> AsyncIterator[tuple[int, TrajectoryRow]]:
        """Like `play_each` for chains; `concurrency` of them run at once."""
        ahead, readers = ThreadPoolExecutor(1, "ahead"), ThreadPoolExecutor(self.readers, "frames")
        source = FrameSource(self.frames_at, self.store, self.protocol)
        numbered = enumerate(self._looking_ahead(chains, ahead))
        sessions = [one for one in self.pool.players if isinstance(one, Session)]
        running: dict[asyncio.Task[list[TrajectoryRow]], int] = {}
        # `asyncio.wait` would add a callback to every running task, and remove it again for each that ends.
        ended: asyncio.Queue[asyncio.Task[list[TrajectoryRow]]] = asyncio.Queue()
        stopped: BaseException | None = None

        async def play_job(job: EpisodeJob) -> TrajectoryRow:
            row = await play_episode(
                job, self.pool.for_job(job), source, self.prompts, readers, read_as_meant=self.read_as_meant
            )
            if self.on_done is not None:
                self.on_done(row)
            return row

        async def finished(chain: Chain) -> list[TrajectoryRow]:
            return [row async for row in chain.rows(play_job)]

        try:
            for session in sessions:
                await session.start()
            more = True
            while True:
                while more and stopped is None and len(running) < self.concurrency:
                    if (item := next(numbered, None)) is None:
                        more = False
                        break
                    task = asyncio.create_task(finished(item[1]))
                    running[task] = item[0]
                    task.add_done_callback(ended.put_nowait)
                if not running:
                    break
                task = await ended.get()
                index = running.pop(task)
                if (error := task.exception()) is not None:
                    # Others finish the call they paid for; each stops by itself at its next one.
                    stopped = stopped or error
                else:
                    for row in task.result():
                        yield index, row
            if stopped is not None:
                raise stopped
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for pool in (ahead, readers):
                pool.shutdown(wait=True, cancel_futures=True)
            for session in sessions:
                await session.finish()

    def ask_ahead(self, jobs: Iterable[EpisodeJob]) -> Iterable[EpisodeJob]:
        """Have first turns answered by the Batch API where a player's endpoint asks for it. Returns the jobs, to be
        played."""
        asking = [one for one in self.pool.players if isinstance(one, AsksAhead)]
        if not any(one.endpoint.batch for one in asking):
            return jobs
        jobs = list(jobs)
        for one in asking:
            own = [job for job in jobs if self.pool.for_job(job) is one]
            one.ask_ahead(first_turns(own, self.protocol, self.prompts))
        return jobs

    @cached_property
    def pool(self) -> PlayerPool:
        return self.player if isinstance(self.player, PlayerPool) else SinglePlayer(self.player)

    def _looking_ahead(self, chains: Iterable[Chain], helper: ThreadPoolExecutor) -> Iterator[Chain]:
        """The chains. Players that prepare frames get the overviews of the next ones while others wait for replies."""
        depth = LOOKAHEAD if any(isinstance(one, Warms) for one in self.pool.players) else 0
        coming: deque[Chain] = deque()
        warmed: dict[int, Sequence[FrameRef]] = {}
        for chain in chains:
            player, overview = self.pool.for_job(chain.first), chain.first.item.overview
            if depth and overview and isinstance(player, Warms) and warmed.get(id(player)) != overview:
                warmed[id(player)] = overview
                # A missing frame is an error of the episode, which will ask for it again.
                helper.submit(player.warm, [frame.frame_id for frame in overview])
            coming.append(chain)
            if len(coming) > depth:
                yield coming.popleft()
        yield from coming


def _single(job: EpisodeJob) -> Chain:
    async def rows(play_job: PlayJob) -> AsyncIterator[TrajectoryRow]:
        yield await play_job(job)

    return Chain(job, rows)
