"""Exemplars: the teacher plays each question several times with sampling, so that its pass rate is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from distill.items import EpisodeJob
from distill.rollouts import Chain, EpisodeRunner, PlayJob
from distill.storage.threads import run_blocking
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import DistillSettings

if TYPE_CHECKING:
    from videozoomer.lake.rows import TrajectoryRow


def exemplar_jobs(
    items: Iterable[QuestionItem], settings: DistillSettings, *, temperature: float = 1.0
) -> Iterator[EpisodeJob]:
    """`settings.samples` episodes a question. Every question's first sample comes before any second, so that a run that
    is cut short has played every question. `temperature` is the endpoint's, used when the recipe lists no
    temperatures."""
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
    runner: EpisodeRunner,
    *,
    is_correct: Callable[[TrajectoryRow], bool | None],
    temperature: float = 1.0,
) -> list[TrajectoryRow]:
    """Exemplar rows, in the order of `exemplar_jobs`. A question is played until `settings.enough_correct` are correct.

    Its samples then run one after another, so which are played does not depend on which reply came first, and a rerun
    plays the same. `is_correct` grades a row (None: undecided, which does not count). Raises like
    `EpisodeRunner.play_all`.
    """
    enough = settings.enough_correct
    if enough is None:
        return runner.play_all(exemplar_jobs(items, settings, temperature=temperature))

    items = list(items)
    # Every question is played at least this often.
    runner.ask_ahead(
        exemplar_job(item, sample, settings, temperature)
        for sample in range(min(enough, settings.samples))
        for item in items
    )

    def until_enough(item: QuestionItem) -> Chain:
        async def rows(play_job: PlayJob) -> AsyncIterator[TrajectoryRow]:
            correct = 0
            for sample in range(settings.samples):
                row = await play_job(exemplar_job(item, sample, settings, temperature))
                yield row
                correct += row["status"] == "answered" and is_correct(row) is True
                if correct >= enough:
                    return

        return Chain(exemplar_job(item, 0, settings, temperature), rows)

    async def collect() -> list[TrajectoryRow]:
        chains = (until_enough(item) for item in items)
        rows = [(row["sample"], index, row) async for index, row in runner.play_chains(chains)]
        return [row for _, _, row in sorted(rows, key=lambda found: found[:2])]

    return run_blocking(collect)
