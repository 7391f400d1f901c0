"""The teacher's thoughts: plain sentences that name what was seen, each with several wordings."""

from __future__ import annotations

import random
from collections.abc import Sequence

from examples.palette import scene_phrase
from examples.teacher.reading import Seen
from examples.teacher.timeline import Span


def named(look: tuple[str, str]) -> str:
    colour, texture = look
    return scene_phrase(colour, texture) if texture else f"the {colour} scene with stripes"


def at(time_s: float) -> str:
    return f"{time_s:.1f}".removesuffix(".0")


def event_words(event: Seen) -> str:
    noun = f"digit {event.name}" if event.name.isdigit() else event.name
    return (
        f"a {event.colour} {noun} at {at(event.start_s)} s"
        if event.colour != "orange"
        else f"an orange {noun} at {at(event.start_s)} s"
    )


def listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def overview_finding(rng: random.Random, look: tuple[str, str], span: Span) -> str:
    """Where the overview shows the scene."""
    where = f"from about {at(span.first_s)} to {at(span.last_s)} s"
    if span.first_s == span.last_s:
        where = f"around {at(span.first_s)} s"
    return rng.choice(
        (
            f"The overview shows {named(look)} {where}.",
            f"In the overview, {named(look)} is visible {where}.",
            f"The question is about {named(look)}; the frames {where} fit that description.",
            f"Going through the frames, {named(look)} runs {where}.",
            f"I look for {named(look)} first: it is there {where}.",
        )
    )


def nothing_yet(rng: random.Random, what: str) -> str:
    return rng.choice(
        (
            f"These frames do not show {what}; what is asked for must be brief and lie between them.",
            "The overview frames there show nothing but the background, "
            f"so to find {what} I have to look more closely.",
            f"At this spacing I can easily miss {what}.",
            f"I cannot tell {what} from frames this far apart.",
        )
    )


def zooming(rng: random.Random, start_s: float, end_s: float, fps: float) -> str:
    return rng.choice(
        (
            f"I zoom into {at(start_s)} to {at(end_s)} s at {fps:g} fps.",
            f"A look at {at(start_s)}-{at(end_s)} s at a rate of {fps:g} should show it.",
            f"Let me see the stretch from {at(start_s)} to {at(end_s)} s at {fps:g} fps.",
            f"{at(start_s)} s to {at(end_s)} s at {fps:g} fps fits into one zoom.",
        )
    )


def zoom_finding(rng: random.Random, events: Sequence[Seen], start_s: float, end_s: float) -> str:
    """What the last zoom showed."""
    if not events:
        return rng.choice(
            (
                f"Between {at(start_s)} and {at(end_s)} s nothing appears.",
                f"The zoomed frames from {at(start_s)} to {at(end_s)} s hold only the background.",
                f"No shape or digit in {at(start_s)}-{at(end_s)} s.",
            )
        )
    found = listed([event_words(event) for event in events])
    return rng.choice(
        (
            f"The zoom shows {found}.",
            f"In the zoomed frames I see {found}.",
            f"Now {found} can be seen.",
            f"There is {found}.",
        )
    )


def glimpsed(rng: random.Random, events: Sequence[Seen]) -> str:
    """What the overview frames themselves show."""
    found = listed([event_words(event) for event in events])
    return rng.choice(
        (
            f"Its frames already show {found}.",
            f"There I can see {found}.",
            f"No zoom is needed: {found} stands in those frames.",
        )
    )


def changes(rng: random.Random, times_s: Sequence[float], look: tuple[str, str]) -> str:
    """From which of the zoomed frames on a scene is there."""
    if not times_s:
        return f"None of the zoomed frames shows {named(look)} yet."
    return rng.choice(
        (
            f"In the zoom, {named(look)} is there from {at(times_s[0])} s on.",
            f"The picture turns to {named(look)} at {at(times_s[0])} s.",
        )
    )


def going_on(rng: random.Random, until_s: float) -> str:
    return rng.choice(
        (
            f"The scene goes on after {at(until_s)} s, so I have to look at the rest as well.",
            f"That covers it up to {at(until_s)} s only; more may follow.",
            f"What comes after {at(until_s)} s is still unseen.",
            "The scene is not covered yet.",
        )
    )


def concluding(rng: random.Random, value: str) -> str:
    return rng.choice(
        (
            f"So the answer is {value}.",
            f"That makes it {value}.",
            f"Hence {value}.",
            f"This answers the question: {value}.",
        )
    )


def guessing(rng: random.Random, reason: str) -> str:
    return rng.choice(
        (
            f"{reason} I can only guess.",
            f"{reason} My best guess has to do.",
            f"{reason} I go with what seems likeliest.",
        )
    )


def regret(rng: random.Random, fault: str, detail: str, hint: str) -> str:
    """What was wrong with the last zoom; `hint` is how the request wants the thought to begin."""
    shown = {  # first: a clause; plain: a sentence; short: a clause without detail
        "wrong_place": (
            f"those frames show {detail}",
            "That is another scene than the one asked for",
            "the wrong part of the video was looked at",
        ),
        "sparse": (
            f"{detail} leaves gaps in which something brief is lost",
            "The rate was too low for something that lasts under a second",
            "the zoom was too sparse",
        ),
        "partial": (
            f"only the part up to {detail} s was looked at",
            "The rest of the scene was never seen",
            "the segment stopped too early",
        ),
        "misread": (
            f"what they show at {detail} s is hard to make out",
            "It was read too quickly",
            "the frames were misread",
        ),
    }[fault]
    first, plain, short = shown
    hint = hint.lower()
    if "missing" in hint:
        return f"What is missing in those frames is the thing asked for: {first}. {plain}."
    if "question" in hint:
        return f"The question needs something that must be visible in its own scene, but {first}. {plain}."
    if "overview" in hint:
        return f"Going by the times of the overview again, {first}. {plain}."
    if "rate" in hint:
        return f"About the rate and what may lie between two frames: {first}. {plain}."
    if "borders" in hint:
        return f"Looking at the borders of the segment, {short}: {first}."
    if "correction" in hint:
        return f"Correction: {short}; {first}."
    if "naming the scene" in hint:
        return f"The answer must lie in the scene that the question names, and {short}: {first}."
    return rng.choice(
        (
            f"In those frames, {first}. {plain}.",
            f"Looking again, {first}; {short}.",
            f"Those frames do not settle it: {first}. {plain}.",
        )
    )
