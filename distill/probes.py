"""Probes: a question without any frame, or without zooms. If it can be answered so, it teaches nothing about
zooming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from distill.items import EpisodeJob
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.model import FilterSettings


def probe_jobs(
    items: Iterable[QuestionItem], settings: FilterSettings, *, temperature: float = 1.0
) -> Iterator[EpisodeJob]:
    """`settings.probe_samples` blind episodes a question, or none if `probe_without_video` is off."""
    if not settings.probe_without_video:
        return
    for item in items:
        blind = replace(item, overview=())
        for sample in range(settings.probe_samples):
            yield EpisodeJob(blind, "probe", sample=sample, temperature=temperature, max_zooms=0)


def overview_probe_jobs(
    items: Iterable[QuestionItem], samples: int, *, temperature: float = 1.0
) -> Iterator[EpisodeJob]:
    """`samples` episodes a question with the overview alone: a question answered so needs no zoom, and its exemplar is
    kept as one of answering at once only if the teacher, free to zoom, did not zoom."""
    for item in items:
        for sample in range(samples):
            yield EpisodeJob(item, "probe", sample=sample, temperature=temperature, max_zooms=0)
