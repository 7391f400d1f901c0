"""Rollout groups: draw questions, play each by a group of episodes, grade and reward them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distill.items import EpisodeJob
from distill.records import Spent, to_row
from filters.grading import grade
from train.policy.checkpoint import Policy
from train.policy.episode_tokens import Rollout, RolloutLimits
from train.policy.frame_pixels import FramePixels
from train.rl.grpo_loss import group_advantages
from train.rl.local_engine import play_groups
from train.rl.rewards import Reward, group_rewards
from train.rl.server_engine import ServerEngine
from videozoomer.protocol import Episode, FrameRef, Prompts, Protocol
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings.model import RlSettings
from videozoomer.shards.read import ShardSet
from videozoomer.video.types import Frame

if TYPE_CHECKING:
    from train.policy.frame_features import FrameFeatures
    from videozoomer.lake.rows import TrajectoryRow


class RoundFrames:
    """JPEGs of a round: overview frames from the data set, zoomed frames from the reader."""

    def __init__(self, shards: ShardSet, frames_at: Callable[[str, Sequence[float]], list[Frame]]) -> None:
        self._shards, self._frames_at = shards, frames_at
        self._zoomed: dict[str, bytes] = {}

    def jpeg(self, frame_id: str) -> bytes:
        return self._zoomed.get(frame_id) or self._shards.jpeg(frame_id)

    def frames_for(self, uri: str, times_s: Sequence[float]) -> list[FrameRef]:
        frames = self._frames_at(uri, times_s)
        self._zoomed |= {frame.frame_id: frame.jpeg for frame in frames}
        return [FrameRef(frame.frame_id, frame.time_s) for frame in frames]

    def clear(self) -> None:
        self._zoomed.clear()


@dataclass(frozen=True, slots=True)
class RolloutGroup:
    """One question played by a group of episodes."""

    position: int
    """Index of the question in the seed's endless order."""
    question: PlayableQuestion
    overview_budget: int
    rollouts: list[Rollout]
    verdicts: list[str]
    """`correct`, `wrong`, `unknown` or `failed` for each rollout."""
    rewards: list[Reward | None]
    """None for rollouts that failed or whose answer cannot be graded."""
    advantages: list[float] | None
    """Of the graded rollouts, in order; None where their rewards do not vary."""

    @property
    def graded(self) -> list[Rollout]:
        return [rollout for rollout, reward in zip(self.rollouts, self.rewards, strict=True) if reward is not None]


@dataclass(frozen=True)
class RolloutSampler:
    """Everything that play needs except the policy's current weights."""

    policy: Policy
    pixels: FramePixels | FrameFeatures
    frames: RoundFrames
    questions: Sequence[PlayableQuestion]
    settings: RlSettings
    protocol: Protocol
    prompts: Prompts
    server: ServerEngine | None = None
    """Plays instead of this process's policy."""

    def play(self, positions: Sequence[int]) -> list[RolloutGroup]:
        """Play the questions at these positions of the seed's endless order."""
        size = max(1, self.settings.episodes_at_once // self.settings.group)
        starts = range(0, len(positions), size)
        return [group for start in starts for group in self._play_some(positions[start : start + size])]

    def _play_some(self, positions: Sequence[int]) -> Iterator[RolloutGroup]:
        settings = self.settings
        questions = [self._question(position) for position in positions]
        budgets = [
            int(np.random.default_rng([settings.seed, position, 1]).choice(settings.overview_budgets))
            for position in positions
        ]
        groups = [
            [self._episode(question, budget) for _ in range(settings.group)]
            for question, budget in zip(questions, budgets, strict=True)
        ]
        seeds = [
            np.random.default_rng([settings.seed, position, 2]).integers(2**48, size=settings.group).tolist()
            for position in positions
        ]
        limits = RolloutLimits(settings.temperature, settings.max_new_tokens, settings.max_tokens)
        uris = [question.video_uri for question in questions]
        if self.server:
            played = self.server.play_groups(groups, uris, seeds, self.frames.frames_for, limits)
        else:
            played = play_groups(self.policy, self.pixels, groups, uris, seeds, self.frames.frames_for, limits)
        for position, question, budget, rollouts in zip(positions, questions, budgets, played, strict=True):
            yield self._rewarded(position, question, budget, rollouts)

    def _question(self, position: int) -> PlayableQuestion:
        epoch, index = divmod(position, len(self.questions))
        order = np.random.default_rng([self.settings.seed, epoch, 0]).permutation(len(self.questions))
        return self.questions[int(order[index])]

    def _episode(self, question: PlayableQuestion, budget: int) -> Episode:
        protocol = dataclasses.replace(self.protocol, overview_frames=min(budget, self.protocol.overview_frames))
        item = question.item
        return Episode(item.task, thinned(item.overview, protocol.overview_frames), protocol, self.prompts)

    def _rewarded(
        self, position: int, question: PlayableQuestion, budget: int, rollouts: list[Rollout]
    ) -> RolloutGroup:
        verdicts = [
            "failed" if rollout.failure else grade(question, rollout.episode.answer).verdict for rollout in rollouts
        ]
        graded = [index for index, verdict in enumerate(verdicts) if verdict in ("correct", "wrong")]
        found = group_rewards(
            [rollouts[index].episode for index in graded],
            [verdicts[index] == "correct" for index in graded],
            question.evidence,
            self.settings,
            evidence_found=question.evidence_found,
        )
        rewards: list[Reward | None] = [None] * len(rollouts)
        for index, reward in zip(graded, found, strict=True):
            rewards[index] = reward
        totals = [reward.total for reward in found]
        advantages = group_advantages(totals, self.settings.min_deviation) if len(totals) > 1 else None
        return RolloutGroup(position, question, budget, rollouts, verdicts, rewards, advantages)

    def rows(self, group: RolloutGroup, player: str) -> list[TrajectoryRow]:
        """The group as rows of table `trajectories`."""
        item = group.question.item
        rows = []
        for sample, rollout in enumerate(group.rollouts):
            job = EpisodeJob(item, "rollout", sample, self.settings.temperature)
            own = int(sum(rollout.tokens.weights))
            spent = Spent(input_tokens=len(rollout.tokens.ids) - own, output_tokens=own)
            failure = "video_read" if rollout.failure else None
            rows.append(to_row(job, rollout.episode, player, spent, failure, self.protocol, self.prompts))
        return rows


def thinned(frames: Sequence[FrameRef], limit: int) -> tuple[FrameRef, ...]:
    """At most `limit` frames, evenly spaced from the first to the last; a limit of one takes the middle frame."""
    if len(frames) <= limit:
        return tuple(frames)
    if limit == 1:
        return (frames[len(frames) // 2],)
    return tuple(frames[round(index * (len(frames) - 1) / (limit - 1))] for index in range(limit))
