"""An episode as tokens while a policy plays it, whether the policy runs in this process or on a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import Policy
from videozoomer.protocol import Episode, FrameRef
from videozoomer.video.types import FrameError

if TYPE_CHECKING:
    from train.policy.frame_features import FrameFeatures
    from train.policy.frame_pixels import FramePixels


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    temperature: float
    max_new_tokens: int
    """Per turn."""
    max_tokens: int
    """Per episode; an episode that would exceed it ends without an answer."""


@dataclass(frozen=True, slots=True)
class Rollout:
    episode: Episode
    tokens: Tokens
    """The whole conversation; weight 1 on tokens that the policy sampled."""
    logprobs: list[float]
    """Of the tokens with weight 1, in order, at the time of sampling."""
    truncated: bool
    """Whether it ended because it would have exceeded `max_tokens`."""
    failure: str | None
    """Why it could not be played to its end, such as an unreadable frame; not the policy's fault."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the model reads before the policy's next turn."""

    ids: list[int]
    """Starts with the last token of the previous turn, which no model has read yet."""
    frame_ids: tuple[str, ...]


@dataclass
class EpisodeTokens:
    """One running episode. `ids` and `weights` cover the whole conversation so far, prompt included."""

    episode: Episode
    video_uri: str
    seed: int
    ids: list[int]
    weights: list[float]
    frame_ids: list[str]
    logprobs: list[float] = field(default_factory=list)
    turn: list[int] = field(default_factory=list)
    """Tokens of the current or most recent turn."""
    truncated: bool = False
    failure: str | None = None

    @classmethod
    def begin(cls, episode: Episode, video_uri: str, seed: int, prompt: Tokens) -> EpisodeTokens:
        return cls(episode, video_uri, seed, list(prompt.ids), [0.0] * len(prompt.ids), list(prompt.frame_ids))

    def finish_turn(self, policy: Policy) -> tuple[float, ...]:
        """Step the episode with the turn; returns the times in seconds of the frames that it requests."""
        self.ids += self.turn
        self.weights += [1.0] * len(self.turn)
        return tuple(self.episode.step(policy.chat.text_of_turn(self.turn)) or ())

    def show(self, frames: Sequence[FrameRef] | FrameError) -> None:
        """Answer the request with its frames, or record why they cannot be read."""
        if isinstance(frames, FrameError):
            self.failure = str(frames)
        else:
            self.episode.show(list(frames))

    def append_tool_answer(
        self, policy: Policy, pixels: FramePixels | FrameFeatures, limits: RolloutLimits
    ) -> ToolAnswer | None:
        """Append the answer to the last turn; None where the episode has ended or would grow too long."""
        if not self.episode.running or self.failure:
            return None
        chat = policy.chat
        answer = chat.encode([self.episode.transcript[-1]], pixels.tokens, prompt=True)
        # Closes the turn where the policy did not; that token is not the policy's own.
        closing = [*([] if self.turn[-1] == chat.turn_end else [chat.turn_end]), *chat.newline]
        if len(self.ids) + len(closing) + len(answer.ids) + limits.max_new_tokens > limits.max_tokens:
            self.truncated, self.episode.status = True, "exhausted"
            return None
        appended = [*closing, *answer.ids]
        self.ids += appended
        self.weights += [0.0] * len(appended)
        self.frame_ids += answer.frame_ids
        return ToolAnswer([self.turn[-1], *appended], answer.frame_ids)

    def rollout(self) -> Rollout:
        tokens = Tokens(self.ids, self.weights, tuple(self.frame_ids))
        return Rollout(self.episode, tokens, self.logprobs, self.truncated, self.failure)
