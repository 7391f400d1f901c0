"""What an episode is worth at its end: the paper's sum, and ours, which pays for evidence and not for calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videozoomer.protocol import Episode
from videozoomer.protocol.evidence import Window, hits, hits_every_window
from videozoomer.settings.model import RlSettings


@dataclass(frozen=True, slots=True)
class Reward:
    correct: float
    format: float
    tool: float
    needless_frames: int
    total: float


def group_shows(episodes: Sequence[Episode], correct: Sequence[bool]) -> bool:
    """Where no evidence is known: the overview suffices when most of the group's answers without a zoom are right."""
    direct = [
        right
        for episode, right in zip(episodes, correct, strict=True)
        if episode.status == "answered" and not episode.zooms
    ]
    return bool(direct) and sum(direct) * 2 > len(direct)


def paper_reward(episode: Episode, correct: bool, settings: RlSettings) -> Reward:
    """0.9 correct + 0.1 format + 0.5 for a right answer after any zoom: in the end the policy always zooms."""
    return _sum(
        settings, correct=correct, well_formed=episode.well_formed, tool=correct and episode.zooms > 0, needless=0
    )


def evidence_reward(
    episode: Episode, correct: bool, evidence: Sequence[Window], overview_suffices: bool, settings: RlSettings
) -> Reward:
    """A zoom counts when it was needed, the answer is right, and a frame that it showed lies in the evidence.

    That a frame lies there, not that the window overlaps: a long window at a low rate overlaps everything and shows
    little. Where no evidence is known, a right answer that the overview does not give counts as shown. Frames of
    zooms that show no evidence cost a little, and all zoomed frames do where the overview suffices.
    """
    looks = episode.looks
    missed = [look for look in looks if hits(look.times_s, evidence) is False]
    needed = not overview_suffices
    return _sum(
        settings,
        correct=correct,
        well_formed=episode.well_formed,
        tool=correct and needed and len(missed) < len(looks),
        needless=sum(len(look.times_s) for look in (missed if needed else looks)),
    )


def group_rewards(
    episodes: Sequence[Episode], correct: Sequence[bool], evidence: Sequence[Window], settings: RlSettings
) -> list[Reward]:
    """Rewards of all episodes of one question."""
    if settings.reward == "paper":
        return [paper_reward(episode, right, settings) for episode, right in zip(episodes, correct, strict=True)]
    rewards = []
    for episode, right in zip(episodes, correct, strict=True):
        shown = hits_every_window([frame.time_s for frame in episode.overview], evidence)
        suffices = group_shows(episodes, correct) if shown is None else shown
        rewards.append(evidence_reward(episode, right, evidence, suffices, settings))
    return rewards


def _sum(settings: RlSettings, *, correct: bool, well_formed: bool, tool: bool, needless: int) -> Reward:
    right, form, used = (
        settings.correct_weight * correct,
        settings.format_weight * well_formed,
        settings.tool_weight * tool,
    )
    return Reward(right, form, used, needless, right + form + used - settings.needless_frame_cost * needless)
