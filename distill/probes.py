"""Probes: a question asked without any frame. What is answered so teaches nothing about video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from distill.items import EpisodeJob, QuestionItem
from recipes.model import FilterSettings


def probe_jobs(items: Iterable[QuestionItem], settings: FilterSettings, *, temperature: float = 1.0) -> Iterator[EpisodeJob]:
    """`settings.probe_samples` blind episodes a question, or none where `probe_without_video` is off."""
    if not settings.probe_without_video:
        return
    for item in items:
        blind = replace(item, overview=())
        for sample in range(settings.probe_samples):
            yield EpisodeJob(blind, "probe", sample=sample, temperature=temperature, max_zooms=0)
