"""Plans each sample video: scenes, transitions and brief events, drawn from one seed."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, replace
from typing import Literal

from examples.palette import DIGITS, GLYPH_COLOURS, HEIGHT, SCENE_COLOURS, SHAPES, TEXTURES, WIDTH, ycbcr

Programme = Literal["single", "digit", "count", "sequence", "long", "empty"]
Transition = Literal["start", "cut", "fade", "dissolve"]

LOOK_ALIKE_COLOURS = {
    "teal": "green",
    "green": "teal",
    "orange": "yellow",
    "yellow": "orange",
    "purple": "blue",
    "red": "orange",
}
LOOK_ALIKE_TEXTURES = {"bricks": "grid", "grid": "bricks", "waves": "horizontal", "dots": "checks", "checks": "dots"}
_EDGE_S = 0.25
"""Margin without events around a cut or transition, in seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """A glyph on the screen from `start_s` (first frame that shows it) to `end_s` (first frame that does not)."""

    glyph: str
    colour: str
    start_s: float
    end_s: float
    x: float
    y: float
    size: int
    vx: float
    """Pixels a second."""
    vy: float
    strength: float
    """Opacity, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class Scene:
    colour: str
    texture: str
    start_s: float
    end_s: float
    way_in: Transition
    way_in_s: float
    """Length of the transition, centred on `start_s`; 0 for a cut."""
    light: float
    """1 for normal, less for poor light."""
    period: float
    phase: float
    programme: Programme
    events: tuple[Event, ...] = ()

    @property
    def look(self) -> tuple[str, str]:
        return self.colour, self.texture


@dataclass(frozen=True, slots=True)
class Outline:
    """The properties of a video that are not random."""

    name: str
    split: Literal["train", "evaluation"]
    duration_s: float
    fps: int
    codec: Literal["h264", "hevc", "vp9"] = "h264"
    variable_rate: bool = False
    copy_of: str | None = None
    """File of the evaluation set that this one re-encodes, at another size and bitrate."""


@dataclass(frozen=True, slots=True)
class VideoPlan:
    outline: Outline
    scenes: tuple[Scene, ...]


def glance_times(duration_s: float, fps: float) -> list[float]:
    """Approximate times of an overview of 0.5 fps and at most 64 frames, in seconds."""
    last_s = duration_s - 1 / fps
    count = int(last_s / 2) + 1
    return [index * 2.0 for index in range(count)] if count <= 64 else [index * last_s / 63 for index in range(64)]


def plan_video(outline: Outline, rng: random.Random) -> VideoPlan:
    """Scenes that fill the video without a gap."""
    borders = _borders(outline, rng)
    looks = _looks(len(borders) - 1, rng)
    programmes = _programmes(len(borders) - 1, rng)
    scenes: list[Scene] = []
    for index, (look, programme) in enumerate(zip(looks, programmes, strict=True)):
        way_in: Transition = "start" if index == 0 else rng.choices(("cut", "fade", "dissolve"), (6, 2, 2))[0]
        length_s = {"fade": rng.choice((0.8, 1.2)), "dissolve": rng.choice((0.6, 1.0))}.get(way_in, 0.0)
        scenes.append(
            Scene(
                *look,
                borders[index],
                borders[index + 1],
                way_in,
                length_s,
                light=rng.choices((1.0, 0.45), (8, 1))[0],
                period=rng.uniform(19, 27),
                phase=rng.uniform(0, 40),
                programme=programme,
            )
        )
    glances = glance_times(outline.duration_s, outline.fps)
    filled = []
    for index, scene in enumerate(scenes):
        after = scenes[index + 1].way_in_s / 2 if index + 1 < len(scenes) else 0.3
        window = (scene.start_s + scene.way_in_s / 2 + _EDGE_S, scene.end_s - after - _EDGE_S)
        filled.append(replace(scene, events=_events(scene, window, glances, outline.fps, rng)))
    return VideoPlan(outline, tuple(filled))


def _borders(outline: Outline, rng: random.Random) -> list[float]:
    mean_s = 8.0 if outline.duration_s < 60 else 14.0 if outline.duration_s < 200 else 20.0
    count = max(3, round(outline.duration_s / mean_s))
    weights = [rng.uniform(0.65, 1.35) for _ in range(count)]
    total, at, borders = sum(weights), 0.0, [0.0]
    for weight in weights:
        at += weight / total * outline.duration_s
        borders.append(round(at * outline.fps) / outline.fps)
    return [*borders[:-1], outline.duration_s]


def _looks(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Looks of the scenes: distinct except for one that returns and one look-alike pair; neighbours differ."""
    every = [(colour, name) for colour in SCENE_COLOURS for name in TEXTURES]
    while True:
        looks = rng.sample(every, count)
        if count >= 6:
            colour, name = looks[1]
            twin = (
                (LOOK_ALIKE_COLOURS[colour], name)
                if colour in LOOK_ALIKE_COLOURS
                else (colour, LOOK_ALIKE_TEXTURES.get(name, "plain"))
            )
            if twin in looks:
                continue
            looks[rng.randrange(3, count)] = twin
            looks[-1] = looks[rng.randrange(count - 3)]
        if all(one[0] != two[0] for one, two in itertools.pairwise(looks)):
            return looks


def _programmes(count: int, rng: random.Random) -> list[Programme]:
    cycle: list[Programme] = [
        "single",
        "count",
        "digit",
        "sequence",
        "count",
        "single",
        "empty",
        "sequence",
        "long",
        "digit",
    ]
    programmes = [cycle[index % len(cycle)] for index in range(count)]
    head = programmes[:-1]
    rng.shuffle(head)
    return [*head, "empty"] if count >= 6 else [*head, programmes[-1]]


def _events(
    scene: Scene, window: tuple[float, float], glances: list[float], fps: int, rng: random.Random
) -> tuple[Event, ...]:
    if scene.programme == "empty":
        return ()
    if scene.programme == "long":
        length_s = min(6.5, window[1] - window[0])
        start_s = rng.uniform(window[0], window[1] - length_s)
        return (_event(scene, rng.choice(SHAPES), None, start_s, start_s + length_s, fps, rng, easy=True),)
    slots = _slots(window, glances, rng)
    most = {"single": 1, "digit": 1, "count": rng.choice((2, 3, 3, 4, 5)), "sequence": 3}[scene.programme]
    slots = sorted(rng.sample(slots, min(most, len(slots))))
    if scene.programme == "digit":
        names = rng.sample(DIGITS, len(slots))
    elif scene.programme == "count" and rng.random() < 0.6:
        names = [rng.choice(SHAPES)] * len(slots)
    else:
        names = rng.sample(SHAPES, len(slots))
    events: list[Event] = []
    for name, (start_s, end_s) in zip(names, slots, strict=True):
        before = events[-1].colour if events else None
        events.append(_event(scene, name, before, start_s, end_s, fps, rng))
    return tuple(events)


def _slots(window: tuple[float, float], glances: list[float], rng: random.Random) -> list[tuple[float, float]]:
    """Disjoint spans of 0.4 to 1.5 s, most of them between two overview frames."""
    marks = [window[0], *(t for t in glances if window[0] < t < window[1]), window[1]]
    slots: list[tuple[float, float]] = []
    for left, right in itertools.pairwise(marks):
        free_from, free_to = left + 0.12, right - 0.12
        for _ in range(max(1, math.floor((right - left) / 2.2))):
            length_s = min(rng.choice((0.4, 0.5, 0.7, 0.9, 1.2, 1.5)), free_to - free_from)
            if length_s < 0.4:
                break
            start_s = rng.uniform(free_from, min(free_to - length_s, free_from + 1.2))
            if rng.random() < 0.06 and right < window[1] - 1:
                start_s = right - length_s / 2
            if slots and start_s < slots[-1][1] + 0.3:
                break
            slots.append((start_s, start_s + length_s))
            free_from = start_s + length_s + 0.6
    return slots


def _event(
    scene: Scene,
    name: str,
    not_colour: str | None,
    start_s: float,
    end_s: float,
    fps: int,
    rng: random.Random,
    *,
    easy: bool = False,
) -> Event:
    colours = [colour for colour in GLYPH_COLOURS if colour != not_colour and stands_out(scene.colour, colour)]
    hard = None if easy else rng.choices((None, "small", "dim", "fast"), (76, 8, 6, 10))[0]
    size = 2 * rng.randint(13, 14) if hard == "small" else 2 * rng.randint(18, 30)
    length_s = end_s - start_s
    speed = rng.uniform(90, 140) if hard == "fast" else rng.choice((0.0, 0.0, 12.0)) if not easy else 0.0
    speed = min(speed, 0.55 * (WIDTH - size) / length_s)
    vx = rng.choice((-1, 1)) * speed
    vy = rng.uniform(-0.25, 0.25) * speed
    far_x, far_y = vx * length_s, vy * length_s
    x = rng.uniform(4 + max(0, -far_x), WIDTH - size - 4 - max(0, far_x))
    y = rng.uniform(4 + max(0, -far_y), HEIGHT - size - 4 - max(0, far_y))
    start_frame, end_frame = round(start_s * fps), round(end_s * fps)
    return Event(
        name,
        rng.choice(colours),
        start_frame / fps,
        end_frame / fps,
        x,
        y,
        size,
        vx,
        vy,
        strength=rng.uniform(0.3, 0.45) if hard == "dim" else 1.0,
    )


def stands_out(scene_colour: str, glyph_colour: str) -> bool:
    """Whether a glyph's hue differs enough from its background's."""
    _, cb, cr = ycbcr(SCENE_COLOURS[scene_colour])
    _, other_cb, other_cr = ycbcr(GLYPH_COLOURS[glyph_colour])
    return math.hypot(cb - other_cb, cr - other_cr) >= 38
