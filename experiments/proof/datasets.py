"""The proof's data sets: each row is an episode's conversation or a warm-up conversation, written as shards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from experiments.proof.library import Library
from experiments.proof.play import PlayedQuestion, an_episode, graded, teach
from experiments.proof.teacher import PixelTeacher
from experiments.proof.warmup import glance_row, look_row, look_times, stretch, talk_row
from videozoomer.protocol import Episode, Message
from videozoomer.protocol.evidence import hits
from videozoomer.protocol.message_rows import to_rows
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import Recipe

OPENING = "Start from what those frames do show."


def write_warm_up(library: Library, target: Path, rows_of_each: int, *, talks: bool = False) -> None:
    """Write the warm-up rows; `talks` mixes in the second half."""
    rows = _talks(library, rows_of_each) if talks else []
    for film in library.films:
        rng = random.Random(f"warm-up {film.path.stem}")
        for number in range(rows_of_each):
            glance = glance_row(film, library.overview(film), rng)
            look = look_row(film, library.frames_for(str(film.path), look_times(film, rng)))
            for kind, messages in (("glance", glance), ("look", look)):
                rows.append(library.conversation(f"{film.path.stem}-{kind}-{number}", film, "warm-up", messages))
    library.write("sft", target, rows, {"stage": "warm-up: naming frames and giving times, on films of its own"})


def write_talks(library: Library, target: Path, rows_of_each: int) -> None:
    """Write the warm-up's second half: conversations whose later turns show frames too."""
    library.write(
        "sft", target, _talks(library, rows_of_each), {"stage": "warm-up, second half: conversations that go on"}
    )


def _talks(library: Library, rows_of_each: int, looks: int = 3) -> list[dict]:
    rows = []
    for film in library.films:
        rng = random.Random(f"talk {film.path.stem}")
        for number in range(rows_of_each):
            shown = [library.frames_for(str(film.path), stretch(film, rng)) for _ in range(looks)]
            talk = talk_row(film, library.overview(film), shown, rng)
            rows.append(library.conversation(f"{film.path.stem}-talk-{number}", film, "warm-up", talk))
    return rows


def exemplars(
    library: Library, questions: Sequence[PlayableQuestion], recipe: Recipe, seed: int
) -> list[PlayedQuestion]:
    """Play the teacher's episodes; return all of them, right or wrong."""
    outcomes = []
    for question in questions:
        teacher = PixelTeacher(library.jpeg, f"{seed} {question.question_id}")
        episode = teach(library, an_episode(question, recipe, author="teacher"), question.video_uri, teacher)
        outcomes.append(graded(question, episode))
    return outcomes


def reflections(library: Library, failed: Sequence[PlayedQuestion], seed: int) -> list[PlayedQuestion]:
    """Let the teacher repair failed episodes that zoomed. It never sees the answer."""
    outcomes = []
    for outcome in failed:
        if outcome.correct or not outcome.hits:
            continue
        try:
            episode = Episode.reflecting_on(outcome.episode, OPENING)
        except ValueError:
            continue
        teacher = PixelTeacher(library.jpeg, f"{seed} reflection {outcome.question.question_id}")
        outcomes.append(graded(outcome.question, teach(library, episode, outcome.question.video_uri, teacher)))
    return outcomes


def kept(outcomes: Sequence[PlayedQuestion], *, seen: bool = True) -> list[PlayedQuestion]:
    """Keep correct, well-formed outcomes whose zooms showed the disc: a lucky guess teaches nothing."""
    return [
        outcome
        for outcome in outcomes
        if outcome.correct and outcome.episode.well_formed and (any(outcome.hits) or not seen)
    ]


def write_trajectories(library: Library, target: Path, kinds: dict[str, Sequence[PlayedQuestion]], about: dict) -> None:
    rows = []
    for kind, outcomes in kinds.items():
        for outcome in outcomes:
            question, episode = outcome.question, outcome.episode
            rows.append(_row(f"{question.question_id}-{kind}", question, kind, episode.transcript, episode.zooms))
    library.write("sft", target, rows, about)


def glances(library: Library, questions: Sequence[PlayableQuestion], recipe: Recipe, seed: int) -> list[PlayedQuestion]:
    """Play the teacher in one turn on the overview alone; return all outcomes, right or wrong."""
    outcomes = []
    for question in questions:
        episode = an_episode(question, recipe, author="teacher", max_zooms=0)
        episode.step(PixelTeacher(library.jpeg, f"{seed} {question.question_id}").glance(episode))
        outcomes.append(graded(question, episode))
    return outcomes


def shown(outcome: PlayedQuestion) -> bool:
    """Whether an overview frame shows the disc."""
    return bool(hits((frame.time_s for frame in outcome.question.overview), outcome.question.evidence))


def _row(name: str, question: PlayableQuestion, kind: str, messages: Sequence[Message], zooms: int) -> dict:
    return {
        "id": name,
        "question_id": question.question_id,
        "video_id": question.video_id,
        "kind": kind,
        "split": "train",
        "messages": to_rows(messages),
        "zooms": zooms,
        "answer": question.answer,
    }
