"""Good trajectories in the voices of several teachers, written before any rule had been run on them.

Each is right, looks at the evidence, cites only what it was shown and reasons to its answer. Their ways of speaking
(`good_voices.toml`, `good_tongues.toml`) are those that one meets: terse, long, in lists, in steps, doubting and
correcting itself, hedging, excluding options, naming frames or clock times, and in other languages than English. They
are of our own; no trajectory of others was copied. `benchmarks.false_alarms` counts how many each rule drops.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.good_scenes import Scene, english_scenes, tongues

FILM_S = 600.0
OVERVIEW_S = tuple(round(index * FILM_S / 63, 2) for index in range(64))
"""Times of the overview's frames, which are numbered from 1."""
FIRST, SECOND = (Path(__file__).with_name(f"{name}.toml") for name in ("good_voices", "good_voices_second"))
"""The second set was written after the rules had been run on the first."""


@dataclass(frozen=True, slots=True)
class Look:
    """One zoom and the thought before it."""

    thought: str
    start_s: float
    end_s: float
    fps: float


@dataclass(frozen=True, slots=True)
class Good:
    voice: str
    question: str
    options: tuple[str, ...]
    answer: str
    """As the player gives it and as the question's row has it: a letter, or an open answer."""
    answer_type: str
    evidence: tuple[float, float]
    looks: tuple[Look, ...]
    conclusion: str
    """The last thought."""


def good_trajectories(english: Path = FIRST, seed: int = 11) -> Iterator[Good]:
    """Every scene in every English voice of a file, and with those of the first set the other languages."""
    rng = random.Random(seed)
    voices = tomllib.loads(english.read_text())["voice"]
    for scene in english_scenes():
        for voice in voices:
            last = voice.get("last_of_open") if not scene.others else None
            first, wide = rng.choice(voice["firsts"]), voice.get("wide")
            yield _spoken(voice["name"], scene, first, last or rng.choice(voice["lasts"]), rng, wide)
    for tongue in tongues() if english == FIRST else ():
        for scene in tongue.scenes:
            for first, last in tongue.ways:
                yield _spoken(tongue.name, scene, first, last, rng)


def _spoken(voice: str, scene: Scene, first: str, last: str, rng: random.Random, wide: str | None = None) -> Good:
    """The scene somewhere in a film; the closer look begins half a second after a frame of the overview."""
    frame = rng.randrange(8, 56)
    start_s = round(OVERVIEW_S[frame - 1] + 0.5, 1)
    options = [scene.answer, *scene.others] if scene.others else []
    rng.shuffle(options)
    fields = _fields(scene, options, frame, start_s, rng)
    looks = [Look(wide.format(**fields), start_s - 24, start_s + 8, 0.5)] if wide else []
    looks.append(Look(first.format(**fields), start_s, start_s + 8, 2.0))
    said, evidence = fields["said"], (start_s + 2, start_s + 6)
    conclusion = last.format(**fields)
    return Good(voice, scene.question, tuple(options), said, scene.kind, evidence, tuple(looks), conclusion)


def _fields(scene: Scene, options: list[str], frame: int, start_s: float, rng: random.Random) -> dict[str, Any]:
    """What a voice may talk about. `seen` is a second at which a frame of the closer look shows the evidence."""
    near_s, next_s, seen_s = OVERVIEW_S[frame - 1], OVERVIEW_S[frame], start_s + 3
    letters = {option: letter for letter, option in zip("ABCD", options, strict=False)}
    wrong = rng.choice(scene.others) if scene.others else ""
    return {
        "question": scene.question, "answer": scene.answer, "said": letters.get(scene.answer, scene.answer),
        "subject": scene.subject, "fact": scene.fact, "Fact": _cap(scene.fact), "vague": scene.vague,
        "Vague": _cap(scene.vague), "wrong": wrong, "wrong_letter": letters.get(wrong, ""),
        "exclusions": "; ".join(f"{letters[other]} ({other}) does not fit" for other in scene.others),
        "choices": f"The choices are {', '.join(options)}. " if options else "",
        "near": f"{near_s:.1f}", "near_rounded": f"{near_s:.0f}", "next": f"{next_s:.1f}", "seen": f"{seen_s:.1f}",
        "near_clock": _clock(near_s), "start_clock": _clock(start_s), "end_clock": _clock(start_s + 8),
        "seen_clock": _clock(seen_s), "wide_start": f"{start_s - 24:.0f}", "frame": frame, "next_frame": frame + 1,
        "tag": f"<frame{frame}_time{near_s:.2f}s>",
    }  # fmt: skip


def _cap(text: str) -> str:
    return text[0].upper() + text[1:]


def _clock(time_s: float) -> str:
    return f"{int(time_s) // 60}:{int(time_s) % 60:02d}"
