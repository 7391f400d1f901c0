"""A painted film, and playing questions about it with the samples' teacher over HTTP."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from examples.palette import HEIGHT, WIDTH
from examples.teacher import MODEL
from examples.teacher.server import TeacherServer
from examples.world.painter import paint
from examples.world.plan import Event, Outline, Scene, VideoPlan
from videozoomer.protocol import Episode, FrameRef, Protocol, Task, Text, load_prompts

FPS = 8
PROMPTS = load_prompts()
WHAT = "In the scene with blue dots, which shape appears for a moment?"
COLOUR = "What colour is the star that appears briefly in the scene with blue dots?"


@dataclass
class Film:
    """Painted frames without a file: 40 s of four scenes, with one event in the third unless told otherwise."""

    glyph: str = "star"
    colour: str = "yellow"
    event_s: tuple[float, float] = (24.5, 25.75)
    empty: bool = False
    jpegs: dict[str, bytes] = field(default_factory=dict)
    duration_s: float = 40.0

    def __post_init__(self) -> None:
        event = Event(self.glyph, self.colour, *self.event_s, 130, 60, 50, 0, 0, 1.0)
        looks = (("red", "checks"), ("teal", "plain"), ("blue", "dots"), ("green", "waves"))
        scenes = tuple(
            Scene(
                *look,
                index * 10.0,
                index * 10.0 + 10,
                "cut",
                0,
                1.0,
                23,
                3,
                "single",
                (event,) if index == 2 and not self.empty else (),
            )
            for index, look in enumerate(looks)
        )
        self.frames = list(paint(VideoPlan(Outline("x.mp4", "train", self.duration_s, FPS), scenes)))

    def at(self, times_s: Sequence[float]) -> list[FrameRef]:
        refs = []
        for time_s in times_s:
            index = min(int(time_s * FPS + 1e-6), len(self.frames) - 1)
            name = f"{id(self)}-{index}"
            if name not in self.jpegs:
                planes = np.frombuffer(self.frames[index], np.uint8)
                parts = [planes[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)]
                parts += [
                    p.reshape(HEIGHT // 2, WIDTH // 2).repeat(2, 0).repeat(2, 1)
                    for p in np.split(planes[WIDTH * HEIGHT :], 2)
                ]
                scaled = [
                    (parts[0].astype(float) - 16) * 255 / 219,
                    *((p.astype(float) - 128) * 255 / 224 + 128 for p in parts[1:]),
                ]
                out = io.BytesIO()
                Image.fromarray(np.stack(scaled, -1).clip(0, 255).astype(np.uint8), "YCbCr").save(out, "JPEG")
                self.jpegs[name] = out.getvalue()
            refs.append(FrameRef(name, index / FPS))
        return refs

    def episode(
        self, question: str, answer_type: str = "text", options: tuple[str, ...] = (), max_zooms: int = 4
    ) -> Episode:
        task = Task(question, options, answer_type, self.duration_s)
        return Episode(task, self.at([2.0 * i for i in range(20)]), Protocol(), PROMPTS, max_zooms=max_zooms)


def body(episode: Episode, film: Film, **sampling: object) -> dict:
    messages = [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part.text}
                if isinstance(part, Text)
                else {
                    "type": "image_url",
                    "image_url": {
                        "url": "data:image/jpeg;base64," + base64.b64encode(film.jpegs[part.frame_id]).decode()
                    },
                }
                for part in message.parts
            ],
        }
        for message in episode.messages
    ]
    return {"model": MODEL, "messages": messages, "temperature": 0, **sampling}


def call(server: TeacherServer, path: str, data: bytes | None = None) -> tuple[int, dict]:
    """Status and JSON of a request to a path under /v1; a POST where there is data."""
    try:
        with urllib.request.urlopen(urllib.request.Request(server.base_url + path, data), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def complete(server: TeacherServer, request: dict) -> tuple[int, dict]:
    return call(server, "/chat/completions", json.dumps(request).encode())


def ask(server: TeacherServer, request: dict) -> dict:
    status, answer = complete(server, request)
    assert status == 200, answer
    return answer["choices"][0]


def play(server: TeacherServer, episode: Episode, film: Film, **sampling: object) -> Episode:
    while episode.running:
        times_s = episode.step(ask(server, body(episode, film, **sampling))["message"]["content"])
        if times_s:
            episode.show(film.at(times_s))
    return episode
