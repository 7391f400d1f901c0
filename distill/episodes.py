"""One episode: begun from a job, played to its end by a player, and turned into a row."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.client.calls import Call
from distill.client.errors import CallFailed, StepStopped
from distill.client.replies import clean_text
from distill.items import AUTHORS, EpisodeJob
from distill.player import Player, Warms
from distill.records import RecordError, Spent, to_episode, to_row
from distill.storage.errors import StorageError
from distill.storage.frames import FrameMissing, FrameStore, read_key
from videozoomer.protocol import Episode, FrameRef, Prompts, Protocol
from videozoomer.video.types import Frame, FrameError

if TYPE_CHECKING:
    from videozoomer.lake.rows import TrajectoryRow

FramesAt = Callable[[str, Sequence[float]], list[Frame]]
"""(video_uri, times in seconds) -> one frame for each time; blocking, called from threads."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Where zoomed frames come from: the store if the same read was done before, otherwise the video."""

    frames_at: FramesAt
    store: FrameStore
    protocol: Protocol

    def read(self, job: EpisodeJob, times_s: Sequence[float], player: Player) -> list[FrameRef]:
        """Frames at these times, in the store from then on. Blocks."""
        key = read_key(job.item.video_id, times_s, self.protocol.min_pixels, self.protocol.max_pixels)
        if (refs := self.store.recall(key)) is None:
            frames = self.frames_at(job.item.video_uri, times_s)
            self.store.keep(frames, job.item.video_id, key)
            refs = [FrameRef(frame.frame_id, frame.time_s) for frame in frames]
        if isinstance(player, Warms):
            player.warm([ref.frame_id for ref in refs])
        return refs


async def play_episode(
    job: EpisodeJob,
    player: Player,
    source: FrameSource,
    prompts: Prompts,
    readers: ThreadPoolExecutor,
    *,
    read_as_meant: bool = False,
) -> TrajectoryRow:
    """One episode as a row of table `trajectories`; an episode that cannot be played is a row with status `failed`.
    `read_as_meant`: see `Episode`.

    Raises:
        StepStopped: the player can serve no further call of any episode.
        StorageError: the ledger, the budget or the frame store cannot be written, such as on a full disk.
    """
    protocol = source.protocol
    spent, failure, episode = Spent(), None, None
    try:
        episode = begin(job, protocol, prompts, read_as_meant=read_as_meant)
        while episode.running:
            reply = await player.reply(episode.messages, sample=job.sample, temperature=job.temperature)
            spent.add(reply)
            times_s = episode.step(clean_text(reply.text), finish_reason=reply.finish_reason, call_key=reply.call_key)
            if times_s:
                loop = asyncio.get_running_loop()
                episode.show(await loop.run_in_executor(readers, source.read, job, times_s, player))
    except CallFailed as error:
        spent.add(error.reply)
        failure = error.kind
        _log.info("sample %s of question %s failed: %s", job.sample, job.item.question_id, error)
    except FrameMissing as error:
        failure = "frame_missing"
        _log.warning("question %s: %s", job.item.question_id, error)
    except RecordError as error:
        failure = "parent_unusable"
        _log.warning("question %s: %s", job.item.question_id, error)
    except FrameError as error:
        failure = "frame_unreadable"
        _log.warning("question %s: %s", job.item.question_id, error)
    except (StepStopped, StorageError):
        raise
    except Exception:
        # One bad episode must not end the others; the row has a failure and the log the traceback.
        failure = "unexpected"
        _log.exception("sample %s of question %s failed", job.sample, job.item.question_id)
    return to_row(job, episode, player.name, spent, failure, protocol, prompts)


def begin(job: EpisodeJob, protocol: Protocol, prompts: Prompts, *, read_as_meant: bool = False) -> Episode:
    """The episode of a job, before its first reply.

    Raises:
        RecordError: it is a reflection whose parent cannot be continued.
    """
    item, author = job.item, AUTHORS[job.kind]
    if job.frames_alone:
        # Several zooms together may have more frames than an overview.
        shown = dataclasses.replace(protocol, overview_frames=max(protocol.overview_frames, len(item.overview)))
        system = prompts.frames_alone
        return Episode(item.task, item.overview, shown, prompts, max_zooms=0, author=author, system=system)
    if job.parent_row is None:
        return Episode(
            item.task,
            item.overview,
            protocol,
            prompts,
            max_zooms=job.max_zooms,
            author=author,
            read_as_meant=read_as_meant,
        )
    failed = to_episode(job.parent_row, item.task, protocol, prompts)
    # Whoever failed, in a reflection its turns are the student's and the repair is the teacher's.
    failed.turns = [dataclasses.replace(turn, author="student") for turn in failed.turns]
    try:
        return Episode.reflecting_on(failed, job.opening or "", author=author, read_as_meant=read_as_meant)
    except ValueError as error:
        raise RecordError(f"trajectory {job.parent_row['trajectory_id']}: {error}") from error


def first_turns(jobs: Iterable[EpisodeJob], protocol: Protocol, prompts: Prompts) -> Iterator[Call]:
    """The first call of each episode: the one that needs no reply before it."""
    for job in jobs:
        try:
            messages = begin(job, protocol, prompts).messages
        except RecordError:
            continue  # Playing the job makes a row that has the reason.
        yield Call(messages, job.sample, job.temperature)
