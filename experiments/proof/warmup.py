"""Stands in for the pre-training of a real model: naming what frames show, and giving a time inside a named scene.

It uses separate films, no zoom call and no question of the proof. A real model brings both skills.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from experiments.proof.world import FPS, GLYPH_S, OVERVIEW_S, Film, Scene
from videozoomer.protocol import FrameRef, Message, Text
from videozoomer.protocol.messages import merged, tagged

SHOWN = (3, 6, 12)
"""Number of frames in a row about the overview."""
ASKED, LOOKED_AT, WITH_DISC = 5, 8, 6
"""Questions per overview; frames per close look; how many of those frames show a disc."""


def glance_row(film: Film, overview: Sequence[FrameRef], rng: random.Random) -> list[Message]:
    """When is a named scene? The answer lists scene and time of each frame up to the first of that scene."""
    shown = sorted(rng.sample(list(overview), min(rng.choice(SHOWN), len(overview))), key=lambda frame: frame.time_s)
    names = [scene_at(film, frame.time_s).name for frame in shown]
    talk: list[Message] = []
    for name in rng.choices(list(dict.fromkeys(names)), k=ASKED):
        listed = "".join(scene_and_time(names[place], shown[place].time_s) for place in range(names.index(name) + 1))
        talk += _talk(() if talk else shown, f"When {name}?", listed)
    return [_SYSTEM, *talk]


def scene_and_time(name: str, time_s: float) -> str:
    """A scene and a time in it, in the wording the policy learns."""
    return f" {name} {time_s:.0f}"


def look_times(film: Film, rng: random.Random) -> list[float]:
    """Times of two frames a second around a disc (usually), or of single frames, most of which show discs."""
    if rng.random() < 0.5:
        close_s = int(rng.choice(film.scenes).disc_s) if rng.random() < 0.7 else rng.randrange(film.duration_s)
        start_s = max(0, min(close_s - rng.randrange(4), film.duration_s - 4))
        return [start_s + number / 2 for number in range(LOOKED_AT)]
    shown = [scene.disc_s + number / FPS for scene in film.scenes for number in range(int(GLYPH_S * FPS))]
    others = [number / FPS for number in range(film.duration_s * FPS) if number / FPS not in shown]
    return sorted(rng.sample(shown, WITH_DISC) + rng.sample(others, LOOKED_AT - WITH_DISC))


def look_row(film: Film, frames: Sequence[FrameRef]) -> list[Message]:
    """Lists the time and disc of each frame, then the discs alone."""
    discs = [disc_at(film, frame.time_s) for frame in frames]
    listed = "".join(f" {frame.time_s:.2f} {disc or 'none'}" for frame, disc in zip(frames, discs, strict=True))
    return [
        _SYSTEM,
        *_talk(frames, "What?", f"{listed}. {' '.join(dict.fromkeys(disc for disc in discs if disc)) or 'none'}"),
    ]


def talk_row(
    film: Film, overview: Sequence[FrameRef], looks: Sequence[Sequence[FrameRef]], rng: random.Random
) -> list[Message]:
    """A longer conversation: where a scene is in the overview, then what close looks show."""
    name = rng.choice(film.scenes).name
    names = [scene_at(film, frame.time_s).name for frame in overview]
    talk = _talk(
        overview,
        f"When {name}?",
        "".join(scene_and_time(names[place], overview[place].time_s) for place in range(names.index(name) + 1)),
    )
    for frames in looks:
        discs = [disc for frame in frames if (disc := disc_at(film, frame.time_s))]
        talk += _talk(frames, "What?", f" {discs[0] if discs else 'none'}")
    return [_SYSTEM, *talk]


def stretch(film: Film, rng: random.Random) -> list[float]:
    """Times half a second apart; more often than not one of the frames shows a disc."""
    scene = rng.choice(film.scenes)
    if rng.random() < 0.7:
        start_s = max(0, min(int(scene.disc_s) - rng.randrange(4), film.duration_s - 4))
        if sum(start_s <= other.disc_s < start_s + 4 for other in film.scenes) == 1:
            return [start_s + number / 2 for number in range(LOOKED_AT)]
    start_s = rng.randrange(0, film.duration_s, OVERVIEW_S)
    return [start_s + number / 2 for number in range(LOOKED_AT)]


def scene_at(film: Film, time_s: float) -> Scene:
    return next(scene for scene in film.scenes if scene.start_s <= time_s < scene.end_s)


def disc_at(film: Film, time_s: float) -> str | None:
    scene = scene_at(film, time_s)
    return scene.disc if scene.disc_s <= time_s < scene.disc_s + GLYPH_S else None


def _talk(frames: Sequence[FrameRef], question: str, answer: str) -> list[Message]:
    asked = [*tagged(frames), Text("\n" + question)] if frames else [Text(question)]
    return [Message("user", merged(asked)), Message("assistant", (Text(answer),))]


_SYSTEM = Message("system", (Text("Look."),))
