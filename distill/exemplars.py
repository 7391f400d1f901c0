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
    may_be_luck: Callable[[QuestionItem, int, int], bool] | None = None,
) -> list[TrajectoryRow]:
    """Exemplar rows, in the order of `exemplar_jobs`. A question is played until `settings.enough_correct` are correct.

    Its samples then run one after another, so which are played does not depend on which reply came first, and a rerun
    plays the same. `is_correct` grades a row (None: undecided, which does not count). With `settings.max_samples`, a
    question some of whose answers are right is played on until `may_be_luck` (of correct and valid answers) says no.
    Raises like `EpisodeRunner.play_all`.
    """
    enough = settings.enough_correct
    if settings.max_samples is not None and may_be_luck is not None:
        return _until_no_luck(list(items), settings, settings.max_samples, runner, is_correct, temperature, may_be_luck)
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


def _until_no_luck(
    items: list[QuestionItem],
    settings: DistillSettings,
    most: int,
    runner: EpisodeRunner,
    is_correct: Callable[[TrajectoryRow], bool | None],
    temperature: float,
    may_be_luck: Callable[[QuestionItem, int, int], bool],
) -> list[TrajectoryRow]:
    """Everything is played `settings.samples` times; then, round by round, what is open still. Not played on are a
    question without a right answer, and one that even right answers alone could not decide."""
    rows = runner.play_all(exemplar_jobs(items, settings, temperature=temperature))
    answers: dict[str, list[bool]] = {}

    def count(played: Iterable[TrajectoryRow]) -> None:
        for row in played:
            if row["status"] != "failed" and (right := is_correct(row)) is not None:
                answers.setdefault(row["question_id"], []).append(right)

    def is_open(item: QuestionItem, played: int) -> bool:
        found = answers.get(item.question_id, [])
        correct, valid, left = sum(found), len(found), most - played
        return (
            bool(correct) and may_be_luck(item, correct, valid) and not may_be_luck(item, correct + left, valid + left)
        )

    count(rows)
    for sample in range(settings.samples, most):
        waiting = [item for item in items if is_open(item, sample)]
        if not waiting:
            break
        more = runner.play_all(exemplar_job(item, sample, settings, temperature) for item in waiting)
        count(more)
        rows += more
    return rows
