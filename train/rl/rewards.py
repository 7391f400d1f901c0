"""Rewards at the end of an episode: the paper's sum, and ours, which pays for evidence instead of tool calls."""

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


def solved_without_zoom(episodes: Sequence[Episode], correct: Sequence[bool]) -> bool:
    """Where no evidence is known: whether most of the group's answers without a zoom are right.

    Then the overview suffices. Half is not most, and a group without such answers shows nothing.
    """
    direct = [
        right
        for episode, right in zip(episodes, correct, strict=True)
        if episode.status == "answered" and not episode.zooms
    ]
    return bool(direct) and sum(direct) * 2 > len(direct)


def paper_reward(episode: Episode, correct: bool, settings: RlSettings) -> Reward:
    """0.9 correct + 0.1 format + 0.5 for a right answer after any zoom, which teaches a policy to always zoom."""
    return _weighted_sum(
        settings, correct=correct, well_formed=episode.well_formed, tool=correct and episode.zooms > 0, needless=0
    )


def evidence_reward(
    episode: Episode, correct: bool, evidence: Sequence[Window], overview_suffices: bool, settings: RlSettings
) -> Reward:
    """The tool part is paid when a zoom was needed, showed a frame inside the evidence, and the answer is right.

    A frame inside the window counts, not the overlap of the segment: a long segment at a low rate overlaps everything
    and shows little. Where no evidence is known, any zoom counts as showing it. Frames of zooms that miss the evidence
    cost a little, as do all zoomed frames where the overview suffices.
    """
    looks = episode.looks
    missed = [look for look in looks if hits(look.times_s, evidence) is False]
    needed = not overview_suffices
    return _weighted_sum(
        settings,
        correct=correct,
        well_formed=episode.well_formed,
        tool=correct and needed and len(missed) < len(looks),
        needless=sum(len(look.times_s) for look in (missed if needed else looks)),
    )


def group_rewards(
    episodes: Sequence[Episode],
    correct: Sequence[bool],
    evidence: Sequence[Window],
    settings: RlSettings,
    *,
    evidence_found: bool = False,
) -> list[Reward]:
    """Rewards of all episodes of one question.

    `evidence_found`: the windows are zooms that sufficed. A frame of the overview inside one, at a far lower rate, does
    not mean that the overview suffices; the group's own answers without a zoom tell that.
    """
    if settings.reward == "paper":
        return [paper_reward(episode, right, settings) for episode, right in zip(episodes, correct, strict=True)]
    rewards = []
    for episode, right in zip(episodes, correct, strict=True):
        shown = hits_every_window([frame.time_s for frame in episode.overview], evidence)
        suffices = solved_without_zoom(episodes, correct) if shown is None or evidence_found else shown
        rewards.append(evidence_reward(episode, right, evidence, suffices, settings))
    return rewards


def _weighted_sum(settings: RlSettings, *, correct: bool, well_formed: bool, tool: bool, needless: int) -> Reward:
    correct_part = settings.correct_weight * correct
    format_part = settings.format_weight * well_formed
    tool_part = settings.tool_weight * tool
    total = correct_part + format_part + tool_part - settings.needless_frame_cost * needless
    return Reward(correct_part, format_part, tool_part, needless, total)
