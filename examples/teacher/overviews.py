"""Questions about the scenes themselves, which the overview answers."""

from __future__ import annotations

import random
from collections.abc import Sequence

from examples.teacher import words
from examples.teacher.questions import Intent
from examples.teacher.timeline import Span
from videozoomer.protocol.options import letter_of

_FITS = 0.3
"""Least match at which a span counts as the named scene."""


def from_overview(
    intent: Intent, spans: Sequence[Span], options: tuple[str, ...], rng: random.Random
) -> tuple[list[str], None, str] | None:
    """(thought, no zoom, answer), or None if the overview does not decide."""
    if intent.kind == "order_scenes":
        return _order(intent, spans, options, rng)
    if not intent.looks:
        return None
    look = intent.looks[0]
    fitting = [span for span in spans if span.match(look) > _FITS]
    if intent.kind == "exists_scene":
        if fitting:
            return [words.overview_finding(rng, look, fitting[0])], None, "yes"
        shown = words.listed([words.named(span.look) for span in spans[:3]])
        return (
            [
                rng.choice(
                    (
                        f"I see {shown} and others, but nowhere {words.named(look)}.",
                        f"No frame fits {words.named(look)}.",
                    )
                )
            ],
            None,
            "no",
        )
    if not fitting:
        return None
    if intent.kind == "count_scenes":
        times = words.listed([f"{words.at(span.first_s)}-{words.at(span.last_s)} s" for span in fitting])
        return [f"{words.named(look).capitalize()} is there at {times}."], None, str(len(fitting))
    after = spans.index(fitting[0]) + 1
    if after >= len(spans):
        return None
    following = spans[after]
    thought = [
        words.overview_finding(rng, look, fitting[0]),
        f"From {words.at(following.first_s)} s on the frames show {words.named(following.look)}.",
    ]
    return thought, None, words.named(following.look)


def _order(
    intent: Intent, spans: Sequence[Span], options: tuple[str, ...], rng: random.Random
) -> tuple[list[str], None, str] | None:
    asked = intent.option_looks[0] if intent.option_looks and intent.option_looks[0] else intent.looks
    if not asked:
        return None
    begins: dict[tuple[str, str], float] = {}
    for look in asked:
        fitting = [span for span in spans if span.match(look) > _FITS]
        if not fitting:
            return None
        begins[look] = fitting[0].first_s
    ordered = sorted(begins, key=begins.__getitem__)
    thought = [f"{words.named(look).capitalize()} begins near {words.at(begins[look])} s." for look in ordered]
    value = "; ".join(words.named(look) for look in ordered)
    for index, looks in enumerate(intent.option_looks):
        if list(looks) == ordered:
            return thought, None, letter_of(index)
    return (thought, None, value) if not options else None
