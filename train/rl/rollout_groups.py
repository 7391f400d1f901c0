"""One round of play: questions are drawn, every one is played by a group, graded and rewarded."""

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


class RoundFrames:
    """JPEGs of a round's frames: the overview's from the data set, a zoom's as the reader gives them."""

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
    """One question played by a group. Rollouts that failed, or whose answer cannot be judged, are not in `learnt`."""

    position: int
    """Where the question stands in the endless order of the seed."""
    question: PlayableQuestion
    overview_budget: int
    rollouts: list[Rollout]
    verdicts: list[str]
    """`correct`, `wrong`, `unknown` or `failed` of each rollout."""
    rewards: list[Reward | None]
    advantages: list[float] | None
    """Of the judged rollouts, in order; null where they do not vary."""

    @property
    def learnt(self) -> list[Rollout]:
        return [rollout for rollout, reward in zip(self.rollouts, self.rewards, strict=True) if reward is not None]


@dataclass(frozen=True)
class RolloutSampler:
    """All that play needs but the policy's present weights."""

    policy: Policy
    pixels: FramePixels | FrameFeatures
    album: RoundFrames
    questions: list[PlayableQuestion]
    settings: RlSettings
    protocol: Protocol
    prompts: Prompts
    remote: ServerEngine | None = None
    """Who plays, where it is not the policy of this process."""

    def play(self, places: Sequence[int]) -> list[RolloutGroup]:
        """Play the questions that stand at these places in the endless order of the seed."""
        size = max(1, self.settings.episodes_at_once // self.settings.group)
        return [one for start in range(0, len(places), size) for one in self._play_some(places[start : start + size])]

    def _play_some(self, places: Sequence[int]) -> Iterator[RolloutGroup]:
        settings = self.settings
        drawn = [self._question(place) for place in places]
        budgets = [
            int(np.random.default_rng([settings.seed, place, 1]).choice(settings.overview_budgets)) for place in places
        ]
        groups = [
            [self._episode(question, budget) for _ in range(settings.group)]
            for question, budget in zip(drawn, budgets, strict=True)
        ]
        seeds = [
            np.random.default_rng([settings.seed, place, 2]).integers(2**48, size=settings.group).tolist()
            for place in places
        ]
        limits = RolloutLimits(settings.temperature, settings.max_new_tokens, settings.max_tokens)
        what = groups, [question.video_uri for question in drawn], seeds, self.album.frames_for, limits
        played = self.remote.play_groups(*what) if self.remote else play_groups(self.policy, self.pixels, *what)
        for place, question, budget, rollouts in zip(places, drawn, budgets, played, strict=True):
            yield self._judged(place, question, budget, rollouts)

    def _question(self, place: int) -> PlayableQuestion:
        epoch, index = divmod(place, len(self.questions))
        order = np.random.default_rng([self.settings.seed, epoch, 0]).permutation(len(self.questions))
        return self.questions[int(order[index])]

    def _episode(self, question: PlayableQuestion, budget: int) -> Episode:
        protocol = dataclasses.replace(self.protocol, overview_frames=min(budget, self.protocol.overview_frames))
        return Episode(
            question.item.task, thinned(question.item.overview, protocol.overview_frames), protocol, self.prompts
        )

    def _judged(self, place: int, question: PlayableQuestion, budget: int, rollouts: list[Rollout]) -> RolloutGroup:
        verdicts = [
            "failed" if rollout.failure else grade(question, rollout.episode.answer).verdict for rollout in rollouts
        ]
        judged = [index for index, verdict in enumerate(verdicts) if verdict in ("correct", "wrong")]
        worth = group_rewards(
            [rollouts[index].episode for index in judged],
            [verdicts[index] == "correct" for index in judged],
            question.evidence,
            self.settings,
        )
        rewards: list[Reward | None] = [None] * len(rollouts)
        for index, reward in zip(judged, worth, strict=True):
            rewards[index] = reward
        advantages = (
            group_advantages([reward.total for reward in worth], self.settings.min_deviation)
            if len(worth) > 1
            else None
        )
        return RolloutGroup(place, question, budget, rollouts, verdicts, rewards, advantages)

    def rows(self, played: RolloutGroup, player: str) -> list[dict]:
        """The group as rows of table `trajectories`."""
        item = played.question.item
        rows = []
        for sample, rollout in enumerate(played.rollouts):
            job = EpisodeJob(item, "rollout", sample, self.settings.temperature)
            own = int(sum(rollout.tokens.weights))
            spent = Spent(input_tokens=len(rollout.tokens.ids) - own, output_tokens=own)
            rows.append(
                to_row(
                    job,
                    rollout.episode,
                    player,
                    spent,
                    "video_read" if rollout.failure else None,
                    self.protocol,
                    self.prompts,
                )
            )
        return rows


def thinned(frames: Sequence[FrameRef], most: int) -> tuple[FrameRef, ...]:
    """At most so many frames, evenly spread from the first to the last; one frame is the middle one."""
    if len(frames) <= most:
        return tuple(frames)
    if most == 1:
        return (frames[len(frames) // 2],)
    return tuple(frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most))
