"""Playing episodes: many at once, each to its end, and every one of them a row, in the order in which they were asked for."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from distill.client.calls import Call
from distill.client.errors import CallFailed, StepStopped
from distill.client.replies import clean_text
from distill.items import AUTHORS, EpisodeJob
from distill.player import AsksAhead, Player, Session, Warms
from distill.records import RecordError, Spent, to_episode, to_row
from distill.storage.frames import FrameMissing, FrameStore, read_key
from distill.storage.ledger import LedgerError
from distill.storage.threads import helpers, run_blocking
from videozoomer.protocol import Episode, FrameRef, Prompts, Protocol

if TYPE_CHECKING:
    from videozoomer.video.types import Frame

__all__ = ["EpisodeJob", "FramesAt", "play", "play_all", "play_chains", "play_each"]

FramesAt = Callable[[str, Sequence[float]], "list[Frame]"]
"""(video_uri, times in seconds) -> one frame for each time; blocking, called from threads."""
PlayerFor = Callable[[EpisodeJob], Player]
"""Who plays a job, where several players share them; its attribute `players` lists them all."""
PlayJob = Callable[[EpisodeJob], Awaitable[dict]]
T = TypeVar("T")
_APART_S = 0.0005
"""Between the starts of the first episodes. Calls sent together are answered together and then wait for one another."""
_AHEAD = 16
"""Chains whose overviews are made ready before a place comes free."""
_GARBAGE_EVERY = 50_000
"""New objects between collections while episodes are played, instead of Python's 700 to 2,000. A call makes thousands, and
less than one of them in a cycle."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chain:
    """Episodes that follow from one another."""

    first: EpisodeJob
    rows: Callable[[PlayJob], AsyncIterator[dict]]
    """Given a function that plays one job, yields the rows; one episode at a time."""


async def play(
    job: EpisodeJob,
    player: Player,
    frames_at: FramesAt,
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    readers: ThreadPoolExecutor | None = None,
) -> dict:
    """One episode as a row of table `trajectories`; what cannot be played is a row with status `failed`.

    Raises:
        StepStopped: the player can serve no further call of any episode.
    """
    spent, failure, episode = Spent(), None, None
    try:
        episode = begin(job, protocol, prompts)
        while episode.running:
            reply = await player.reply(episode.messages, sample=job.sample, temperature=job.temperature)
            spent.add(reply)
            times_s = episode.step(clean_text(reply.text), finish_reason=reply.finish_reason, call_key=reply.call_key)
            if times_s:
                loop = asyncio.get_running_loop()
                episode.show(
                    await loop.run_in_executor(readers, _read, job, times_s, frames_at, store, protocol, player)
                )
    except CallFailed as error:
        spent.add(error.reply)
        failure = error.kind
        _log.info("episode %s of question %s failed: %s", job.sample, job.item.question_id, error)
    except FrameMissing as error:
        failure = "frame_missing"
        _log.warning("question %s: %s", job.item.question_id, error)
    except RecordError as error:
        failure = "parent_unusable"
        _log.warning("question %s: %s", job.item.question_id, error)
    except (StepStopped, LedgerError):
        raise
    except Exception as error:
        failure = _named(error)
        if failure == "unexpected":
            _log.exception("episode %s of question %s broke off", job.sample, job.item.question_id)
        else:
            _log.warning("question %s: %s", job.item.question_id, error)
    return to_row(job, episode, player.name, spent, failure, protocol, prompts)


def play_all(
    jobs: Iterable[EpisodeJob],
    player: Player | PlayerFor,
    frames_at: FramesAt,
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    concurrency: int = 16,
    on_done: Callable[[dict], object] | None = None,
) -> list[dict]:
    """Play every job and return the rows in the order of the jobs. Blocks; runs its own event loop.

    `on_done` is called with each row as its episode ends, on the loop's thread: keep it short.

    Raises:
        StepStopped: no further call makes sense (server down, cap reached). Episodes under way have been let go as far as
            their next call; what was answered is journalled, and playing the same jobs again continues there.
    """
    jobs = ask_ahead(jobs, player, protocol, prompts)

    async def collect() -> list[dict]:
        rows: dict[int, dict] = {}
        async for index, row in play_each(jobs, player, frames_at, store, protocol, prompts, concurrency=concurrency):
            rows[index] = row
            if on_done is not None:
                on_done(row)
        return [rows[index] for index in sorted(rows)]

    return run_blocking(collect)


async def play_each(
    jobs: Iterable[EpisodeJob],
    player: Player | PlayerFor,
    frames_at: FramesAt,
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    concurrency: int = 16,
    readers: int = 4,
) -> AsyncIterator[tuple[int, dict]]:
    """The number and the row of each job as it ends. Takes jobs only as places come free, or a few before, so it holds little
    more than `concurrency` of them however many there are. `readers` is how many frame reads may run at once. Raises like
    `play_all`."""

    def single(job: EpisodeJob) -> Chain:
        async def rows(played: PlayJob) -> AsyncIterator[dict]:
            yield await played(job)

        return Chain(job, rows)

    chains = (single(job) for job in jobs)
    async for index, row in play_chains(
        chains, player, frames_at, store, protocol, prompts, concurrency=concurrency, readers=readers
    ):
        yield index, row


async def play_chains(
    chains: Iterable[Chain],
    player: Player | PlayerFor,
    frames_at: FramesAt,
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    concurrency: int,
    readers: int = 4,
) -> AsyncIterator[tuple[int, dict]]:
    """Like `play_each` for chains, which run side by side, `concurrency` of them."""
    ahead, pool = helpers(1, "ahead"), helpers(readers, "frames")
    numbered = enumerate(_looking_ahead(chains, player, ahead))
    sessions = [one for one in (player, *getattr(player, "players", ())) if isinstance(one, Session)]
    running: dict[asyncio.Task, int] = {}
    # `asyncio.wait` would put a callback on every running task and take it off again for each that ends.
    ended: asyncio.Queue[asyncio.Task] = asyncio.Queue()
    stopped: Exception | None = None

    async def played(job: EpisodeJob) -> dict:
        return await play(job, _chosen(player, job), frames_at, store, protocol, prompts, readers=pool)

    async def finished(chain: Chain) -> list[dict]:
        return [row async for row in chain.rows(played)]

    # What is there by now (modules, tables) stays: without looking through it, a full collection does not stop all calls
    # for some 50 ms.
    gc.freeze()
    collected = gc.get_threshold()
    gc.set_threshold(_GARBAGE_EVERY, *collected[1:])
    try:
        for session in sessions:
            await session.start()
        more = True
        while True:
            while more and stopped is None and len(running) < concurrency:
                if (item := next(numbered, None)) is None:
                    more = False
                    break
                task = asyncio.create_task(finished(item[1]))
                running[task] = item[0]
                task.add_done_callback(ended.put_nowait)
                if item[0] < concurrency:
                    await asyncio.sleep(_APART_S)
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
        # What was made here, rows for the most part, is old from now on, and not looked through at once.
        gc.freeze()
        gc.unfreeze()
        gc.set_threshold(*collected)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for helping in (ahead, pool):
            helping.shutdown(wait=True, cancel_futures=True)
        for session in sessions:
            await session.finish()


def _looking_ahead(chains: Iterable[Chain], player: Player | PlayerFor, pool: ThreadPoolExecutor) -> Iterator[Chain]:
    """The chains. Where a player wants frames ready, it is told of the overviews of the next ones while others wait for replies."""
    depth = _AHEAD if any(isinstance(one, Warms) for one in getattr(player, "players", (player,))) else 0
    coming: deque[Chain] = deque()
    told: dict[int, Sequence[FrameRef]] = {}
    for chain in chains:
        chosen, shown = _chosen(player, chain.first), chain.first.item.overview
        if depth and shown and isinstance(chosen, Warms) and told.get(id(chosen)) != shown:
            told[id(chosen)] = shown
            # A frame that is missing is an error of the episode, which will ask for it again.
            pool.submit(chosen.warm, [frame.frame_id for frame in shown])
        coming.append(chain)
        if len(coming) > depth:
            yield coming.popleft()
    yield from coming


def _chosen(player: Player | PlayerFor, job: EpisodeJob) -> Player:
    return player if hasattr(player, "reply") else player(job)


def ask_ahead(
    jobs: Iterable[EpisodeJob], player: Player | PlayerFor, protocol: Protocol, prompts: Prompts
) -> Iterable[EpisodeJob]:
    """Have first turns answered by batches where a player's endpoint says so. Returns the jobs, to be played."""
    asking = [one for one in getattr(player, "players", (player,)) if isinstance(one, AsksAhead)]
    if not any(one.endpoint.batch for one in asking):
        return jobs
    jobs = list(jobs)
    for one in asking:
        mine = [job for job in jobs if _chosen(player, job) is one]
        one.ask_ahead(first_turns(mine, protocol, prompts))
    return jobs


def first_turns(jobs: Iterable[EpisodeJob], protocol: Protocol, prompts: Prompts) -> Iterator[Call]:
    """The first call of each episode: the one that needs no reply before it."""
    for job in jobs:
        try:
            messages = begin(job, protocol, prompts).messages
        except RecordError:
            continue  # Playing the job makes a row that says why.
        yield Call(messages, job.sample, job.temperature)


def begin(job: EpisodeJob, protocol: Protocol, prompts: Prompts) -> Episode:
    """The episode of a job, before its first reply.

    Raises:
        RecordError: it is a reflection, and its parent cannot be taken up.
    """
    item, author = job.item, AUTHORS[job.kind]
    if job.parent_row is None:
        return Episode(item.task, item.overview, protocol, prompts, max_zooms=job.max_zooms, author=author)
    failed = to_episode(job.parent_row, item.task, protocol, prompts)
    # Whoever failed, in a reflection its turns are the student's and the repair is the teacher's.
    failed.turns = [dataclasses.replace(turn, author="student") for turn in failed.turns]
    try:
        return Episode.reflecting_on(failed, job.opening or "", author=author)
    except ValueError as error:
        raise RecordError(f"trajectory {job.parent_row['trajectory_id']}: {error}") from error


def _read(
    job: EpisodeJob, times_s: list[float], frames_at: FramesAt, store: FrameStore, protocol: Protocol, player: Player
) -> list[FrameRef]:
    """Frames at these times, decoded unless the same read was done before; every one of them can be had from the store then."""
    key = read_key(job.item.video_id, times_s, protocol.min_pixels, protocol.max_pixels)
    if (refs := store.recall(key)) is None:
        frames = frames_at(job.item.video_uri, times_s)
        store.keep(frames, job.item.video_id, key)
        refs = [FrameRef(frame.frame_id, frame.time_s) for frame in frames]
    if isinstance(player, Warms):
        player.warm([ref.frame_id for ref in refs])
    return refs


def _named(error: Exception) -> str:
    from videozoomer.video.types import FrameError

    return "frame_unreadable" if isinstance(error, FrameError) else "unexpected"
