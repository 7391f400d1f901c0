"""Play the proof's episodes with its teacher or a checkpoint, and grade them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.proof.library import Library
from experiments.proof.teacher import PixelTeacher
from filters.grading import grade
from videozoomer.protocol import Episode, load_prompts
from videozoomer.protocol.evidence import hits
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import Recipe

AT_ONCE = 100
MAX_NEW_TOKENS = 100
"""Limit of one turn; the teacher's longest has about 75."""


@dataclass(frozen=True, slots=True)
class PlayedQuestion:
    question: PlayableQuestion
    episode: Episode
    correct: bool
    hits: tuple[bool, ...]
    """Per zoom that returned frames: whether one of them is inside an evidence window."""

    @property
    def recovered(self) -> bool | None:
        """Whether the answer is right after a first zoom that missed; None where the first zoom hit."""
        return None if not self.hits or self.hits[0] else self.correct


def graded(question: PlayableQuestion, episode: Episode) -> PlayedQuestion:
    """Grade an episode by the rule-based grader; an unfinished or hedged one counts as wrong."""
    hit = tuple(bool(hits(look.times_s, question.evidence)) for look in episode.looks)
    return PlayedQuestion(question, episode, grade(question, episode.answer).verdict == "correct", hit)


def teach(library: Library, episode: Episode, uri: str, teacher: PixelTeacher) -> Episode:
    """Let the teacher play an episode to its end."""
    while episode.running:
        if times_s := episode.step(teacher.reply(episode)):
            episode.show(library.frames_for(uri, times_s))
    return episode


def an_episode(question: PlayableQuestion, recipe: Recipe, *, author: str, max_zooms: int | None = None) -> Episode:
    settings = recipe.protocol
    protocol = settings.to_protocol()
    # A question may come with more frames than the recipe's, for the experiment that shows them all at once.
    protocol = dataclasses.replace(protocol, overview_frames=max(len(question.overview), protocol.overview_frames))
    return Episode(
        question.item.task,
        question.overview,
        protocol,
        load_prompts(settings.prompts),
        author=author,
        max_zooms=max_zooms,
    )


def play(
    checkpoint: Path,
    library: Library,
    questions: Sequence[PlayableQuestion],
    recipe: Recipe,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    max_zooms: int | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[PlayedQuestion]:
    """Let the checkpoint play each question once."""
    from train.policy.frame_pixels import FramePixels
    from train.rl.local_engine import RolloutLimits, play_groups
    from train.serving.player import load_for_playing

    policy = load_for_playing(checkpoint)
    pixels = FramePixels(policy.image_processor, library.jpeg)
    limits = RolloutLimits(temperature, max_new_tokens, recipe.rl.max_tokens)
    outcomes = []
    for start in range(0, len(questions), AT_ONCE):
        part = questions[start : start + AT_ONCE]
        episodes = [[an_episode(question, recipe, author="student", max_zooms=max_zooms)] for question in part]
        seeds = [[seed * 1_000_003 + start + index] for index in range(len(part))]
        played = play_groups(
            policy, pixels, episodes, [question.video_uri for question in part], seeds, library.frames_for, limits
        )
        outcomes += [graded(question, rollout.episode) for question, (rollout,) in zip(part, played, strict=True)]
    return outcomes
