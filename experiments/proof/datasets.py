"""The proof's data sets: every row a conversation of our own episode (or of the warm-up), in our own shards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from experiments.proof.library import Library
from experiments.proof.play import Outcome, an_episode, judged, teach
from experiments.proof.teacher import Teacher
from experiments.proof.warmup import glance_row, look_row, look_times, stretch, talk_row
from videozoomer.protocol import Episode, Message
from videozoomer.protocol.evidence import hits, windows_of
from videozoomer.protocol.messages import to_rows
from videozoomer.settings.model import Recipe

OPENING = "Start from what those frames do show."


def write_warm_up(library: Library, target: Path, rows_of_each: int, *, talks: bool = False) -> None:
    """With `talks`, its second half is mixed in."""
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
    """The warm-up's second half: frames that come later in a conversation are looked at too."""
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


def exemplars(library: Library, questions: Sequence[dict], recipe: Recipe, seed: int) -> list[Outcome]:
    """The teacher's episodes, right or not."""
    outcomes = []
    for question in questions:
        teacher = Teacher(library.jpeg, f"{seed} {question['question_id']}")
        episode = teach(library, an_episode(question, recipe, author="teacher"), question["video_uri"], teacher)
        outcomes.append(judged(question, episode))
    return outcomes


def reflections(library: Library, failed: Sequence[Outcome], seed: int) -> list[Outcome]:
    """The teacher takes up failed episodes that zoomed and can still be repaired; it is not told the truth."""
    outcomes = []
    for outcome in failed:
        if outcome.correct or not outcome.hits:
            continue
        try:
            episode = Episode.reflecting_on(outcome.episode, OPENING)
        except ValueError:
            continue
        teacher = Teacher(library.jpeg, f"{seed} reflection {outcome.question['question_id']}")
        outcomes.append(judged(outcome.question, teach(library, episode, outcome.question["video_uri"], teacher)))
    return outcomes


def kept(outcomes: Sequence[Outcome], *, seen: bool = True) -> list[Outcome]:
    """Right, well formed, and with the disc in a frame that was shown: a lucky guess teaches nothing."""
    return [
        outcome
        for outcome in outcomes
        if outcome.correct and outcome.episode.well_formed and (any(outcome.hits) or not seen)
    ]


def write_trajectories(library: Library, target: Path, kinds: dict[str, Sequence[Outcome]], about: dict) -> None:
    rows = []
    for kind, outcomes in kinds.items():
        for outcome in outcomes:
            question, episode = outcome.question, outcome.episode
            rows.append(_row(f"{question['question_id']}-{kind}", question, kind, episode.transcript, episode.zooms))
    library.write("sft", target, rows, about)


def glances(library: Library, questions: Sequence[dict], recipe: Recipe, seed: int) -> list[Outcome]:
    """The teacher's answers in one turn, by the question's frames alone, right or not."""
    outcomes = []
    for question in questions:
        episode = an_episode(question, recipe, author="teacher", max_zooms=0)
        episode.step(Teacher(library.jpeg, f"{seed} {question['question_id']}").glance(episode))
        outcomes.append(judged(question, episode))
    return outcomes


def shown(outcome: Outcome) -> bool:
    """Whether the disc is among the frames of the overview."""
    return bool(hits(outcome.question["overview_times_s"], windows_of(outcome.question["evidence"])))


def _row(name: str, question: dict, kind: str, messages: Sequence[Message], zooms: int) -> dict:
    return {
        "id": name,
        "question_id": question["question_id"],
        "video_id": question["video_id"],
        "kind": kind,
        "split": "train",
        "messages": to_rows(messages),
        "zooms": zooms,
        "answer": question["answer"],
    }
