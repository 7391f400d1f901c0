"""Exemplars: the teacher plays each question several times, with sampling, so that a pass rate can be known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from distill.items import EpisodeJob, QuestionItem
from distill.player import Player
from distill.rollouts import Chain, FramesAt, PlayerFor, PlayJob, ask_ahead, play_all, play_chains
from distill.storage.frames import FrameStore
from distill.storage.threads import run_blocking
from videozoomer.protocol import Prompts, Protocol
from videozoomer.settings.model import DistillSettings


def exemplar_jobs(
    items: Iterable[QuestionItem], settings: DistillSettings, *, temperature: float = 1.0
) -> Iterator[EpisodeJob]:
    """`settings.samples` episodes a question, all questions' first sample before any second, so that an end before the
    last has seen every question. `temperature` is the endpoint's, used where the recipe sets no ladder."""
    items = list(items)
    for sample in range(settings.samples):
        for item in items:
            yield exemplar_job(item, sample, settings, temperature)


def exemplar_job(item: QuestionItem, sample: int, settings: DistillSettings, temperature: float) -> EpisodeJob:
    ladder = settings.temperatures or (temperature,)
    return EpisodeJob(item, "exemplar", sample=sample, temperature=ladder[min(sample, len(ladder) - 1)])


def play_exemplars(
    items: Iterable[QuestionItem],
    settings: DistillSettings,
    player: Player | PlayerFor,
    frames_at: FramesAt,
    store: FrameStore,
    protocol: Protocol,
    prompts: Prompts,
    *,
    is_correct: Callable[[dict], bool | None],
    temperature: float = 1.0,
    concurrency: int = 16,
    on_done: Callable[[dict], object] | None = None,
) -> list[dict]:
    """Exemplar rows, in the order of `exemplar_jobs`; a question is asked no more once `settings.enough_correct` are right.

    A question's samples are then asked one after the other, so which are asked does not depend on which came back first,
    and a rerun asks the same. `is_correct` grades a row (None: cannot be judged, which does not count as right).
    Raises like `play_all`.
    """
    enough = settings.enough_correct
    if enough is None:
        jobs = exemplar_jobs(items, settings, temperature=temperature)
        return play_all(jobs, player, frames_at, store, protocol, prompts, concurrency=concurrency, on_done=on_done)

    items = list(items)
    # So many are asked of every question, whatever comes back.
    certain = [
        exemplar_job(item, sample, settings, temperature)
        for sample in range(min(enough, settings.samples))
        for item in items
    ]
    ask_ahead(certain, player, protocol, prompts)

    def until_enough(item: QuestionItem) -> Chain:
        async def rows(played: PlayJob) -> AsyncIterator[dict]:
            right = 0
            for sample in range(settings.samples):
                row = await played(exemplar_job(item, sample, settings, temperature))
                if on_done is not None:
                    on_done(row)
                yield row
                right += row["status"] == "answered" and is_correct(row) is True
                if right >= enough:
                    return

        return Chain(exemplar_job(item, 0, settings, temperature), rows)

    async def collect() -> list[dict]:
        rows = []
        chains = (until_enough(item) for item in items)
        async for index, row in play_chains(
            chains, player, frames_at, store, protocol, prompts, concurrency=concurrency
        ):
            rows.append((row["sample"], index, row))
        return [row for _, _, row in sorted(rows, key=lambda found: found[:2])]

    return run_blocking(collect)
