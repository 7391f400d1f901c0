"""Exemplars: the teacher plays each question several times, with sampling, so that a pass rate can be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distill.items import EpisodeJob, QuestionItem
from recipes.model import DistillSettings


def exemplar_jobs(items: Iterable[QuestionItem], settings: DistillSettings, *, temperature: float = 1.0) -> Iterator[EpisodeJob]:
    """`settings.samples` episodes a question, all questions' first sample before any second: an early stop then has
    seen every question, and one question's frames are still in the cache for its next turns."""
    items = list(items)
    for sample in range(settings.samples):
        for item in items:
            yield EpisodeJob(item, "exemplar", sample=sample, temperature=temperature)
