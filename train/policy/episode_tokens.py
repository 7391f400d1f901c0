"""One episode being played by a policy, as its tokens: the same whether the policy writes here or on a server."""

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
    """Of one turn."""
    max_tokens: int
    """Of a whole episode; one that would grow longer ends without an answer."""


@dataclass(frozen=True, slots=True)
class Rollout:
    episode: Episode
    tokens: Tokens
    """The whole conversation; weight 1 on tokens that the policy drew."""
    logprobs: list[float]
    """Of the tokens with weight 1, in order, as they were drawn."""
    cut: bool
    """Whether it was ended because it would have grown past the limit."""
    failure: str | None
    """Why it could not be played to its end, such as a frame that cannot be read; not the policy's doing."""


@dataclass
class EpisodeTokens:
    episode: Episode
    video_uri: str
    seed: int
    ids: list[int]
    weights: list[float]
    frame_ids: list[str]
    logprobs: list[float] = field(default_factory=list)
    turn: list[int] = field(default_factory=list)
    """Tokens of the turn that is being written, or that was written last."""
    cut: bool = False
    failure: str | None = None

    @classmethod
    def at(cls, episode: Episode, video_uri: str, seed: int, prompt: Tokens) -> EpisodeTokens:
        return cls(episode, video_uri, seed, list(prompt.ids), [0.0] * len(prompt.ids), list(prompt.frame_ids))

    def finish_turn(self, policy: Policy) -> tuple[float, ...]:
        """Step the episode with what was written; the times of the frames that it asks for."""
        self.ids += self.turn
        self.weights += [1.0] * len(self.turn)
        said = self.turn[:-1] if self.turn[-1] == policy.chat.turn_end else self.turn
        return tuple(self.episode.step(policy.tokenizer.decode(said)) or ())

    def show(self, frames: Sequence[FrameRef] | FrameError) -> None:
        if isinstance(frames, FrameError):
            self.failure = str(frames)
        else:
            self.episode.show(list(frames))

    def take_answer(
        self, policy: Policy, pixels: FramePixels | FrameFeatures, limits: RolloutLimits
    ) -> tuple[list[int], tuple[str, ...]] | None:
        """Tokens (with the last one of the turn, which no model has seen) and frames that come before the next turn;
        null where there is none."""
        if not self.episode.running or self.failure:
            return None
        chat = policy.chat
        answer = chat.encode([self.episode.transcript[-1]], pixels.tokens, prompt=True)
        # The turn is closed here where the policy did not close it itself; that token is not its own.
        closing = [*([] if self.turn[-1] == chat.turn_end else [chat.turn_end]), *chat.newline]
        if len(self.ids) + len(closing) + len(answer.ids) + limits.max_new_tokens > limits.max_tokens:
            self.cut, self.episode.status = True, "exhausted"
            return None
        told = [*closing, *answer.ids]
        self.ids += told
        self.weights += [0.0] * len(told)
        self.frame_ids += answer.frame_ids
        return [self.turn[-1], *told], answer.frame_ids

    def rollout(self) -> Rollout:
        return Rollout(
            self.episode, Tokens(self.ids, self.weights, tuple(self.frame_ids)), self.logprobs, self.cut, self.failure
        )
