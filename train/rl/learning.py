"""What a round teaches: optimiser steps over groups that lie on one or several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy
from train.policy.episode_tokens import Rollout
from train.rl.grpo_loss import LossParts, policy_loss
from train.rl.rollout_groups import RolloutGroup
from train.rl.shared_prefix import SharedPrefix, collate_group
from train.run.deepspeed_engine import ProcessInfo, summed, take_step
from train.run.phase_timer import PhaseTimer
from videozoomer.settings.model import RlSettings

if TYPE_CHECKING:
    import torch
    from deepspeed import DeepSpeedEngine
    from transformers import PreTrainedModel

    from train.policy.frame_features import FrameFeatures
    from train.policy.frame_pixels import FramePixels

SUMS = ("loss", "kl", "entropy", "clip_share", "importance")


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some rollouts of a group, which go through the model together."""

    rollouts: list[Rollout]
    advantages: list[float]
    before: list[list[float]] | None = None
    """Log-probabilities of the drawn tokens by the trainer, where another engine drew them."""


@dataclass(frozen=True)
class Learner:
    engine: DeepSpeedEngine
    reference: PreTrainedModel | None
    policy: Policy
    pixels: FramePixels | FrameFeatures
    settings: RlSettings
    process: ProcessInfo
    clock: PhaseTimer

    def learn(self, own: Sequence[RolloutGroup], varied: Sequence[int]) -> dict[str, float | None]:
        """One optimiser step for every `mini_batch` of the groups at the places `varied`; the first is exactly on policy.

        `own` are the groups that this process played, at least one of them. Every process makes the same number of
        passes, as DeepSpeed's reductions demand: one that has no more to do repeats a group with weight 0.
        """
        sums, total, steps, gap, drawn_gap = dict.fromkeys(SUMS, 0.0), 0.0, 0, 0.0, 0.0
        norm: float | None = None
        parts = {group.position: list(self._parts(group)) for group in own if group.advantages}
        if self.settings.engine == "server":
            # The weights move from one mini-batch to the next, so all are asked before the first.
            parts = {position: [self._asked(part) for part in group] for position, group in parts.items()}
            drawn_gap = max((apart(part) for group in parts.values() for part in group), default=0.0)
        idle = MicroBatch([next(rollout for group in own for rollout in group.rollouts)], [0.0])
        self.engine.train()
        for start in range(0, len(varied), self.settings.mini_batch):
            places = varied[start : start + self.settings.mini_batch]
            due = [part for position in places for part in parts.get(position, ())]
            tokens = summed([sum(len(rollout.logprobs) for part in due for rollout in part.rollouts)], self.process)[0]
            most = int(largest(len(due), self.process))
            for turn in range(most):
                counted = turn < len(due)
                self.engine.set_gradient_accumulation_boundary(turn == most - 1)
                found, furthest = self._loss(due[turn] if counted else idle)
                # DeepSpeed takes the mean over processes; every token of the step is to count the same.
                with self.clock.phase("backward"):
                    self.engine.backward(found.loss * (self.process.world_size / tokens if counted else 0.0))
                with self.clock.phase("optimiser"):
                    norm = take_step(self.engine)
                if counted:
                    gap = max(gap, furthest) if start == 0 else gap
                    values = (float(found.loss.detach()), found.kl, found.entropy, found.clipped, found.correction)
                    sums = {name: sums[name] + value for name, value in zip(SUMS, values, strict=True)}
            total, steps = total + tokens, steps + 1
        sums = dict(zip(SUMS, summed(list(sums.values()), self.process), strict=True))
        means = {name: value / total if total else None for name, value in sums.items()}
        # With the server, the log-probabilities of the first mini-batch are the trainer's own twice: the gap is the server's.
        gap = largest(drawn_gap if self.settings.engine == "server" else gap, self.process)
        return means | {
            "optimiser_steps": steps,
            "gradient_norm": norm,
            "sampling_gap": gap if total else None,
        }

    def _parts(self, group: RolloutGroup) -> Iterator[MicroBatch]:
        """Rollouts of like length together."""
        ordered = sorted(zip(group.learnt, group.advantages, strict=True), key=lambda pair: len(pair[0].tokens.ids))
        size = self.settings.forward_at_once
        for start in range(0, len(ordered), size):
            rollouts, advantages = zip(*ordered[start : start + size], strict=True)
            yield MicroBatch(list(rollouts), list(advantages))

    def _asked(self, part: MicroBatch) -> MicroBatch:
        """The same with what the trainer's present weights make of the tokens that another engine drew."""
        import torch

        batch = collate_group([rollout.tokens for rollout in part.rollouts], self.policy, self.pixels).to(
            self.process.device
        )
        with self.clock.phase("forward"), torch.no_grad():
            logprobs, _ = self.engine(
                batch.prefix, batch.endings, batch.targets, self.policy.chat.never_sampled, self.settings.temperature
            )
        before = [row[: len(rollout.logprobs)].tolist() for row, rollout in zip(logprobs, part.rollouts, strict=True)]
        return MicroBatch(part.rollouts, part.advantages, before)

    def _loss(self, part: MicroBatch) -> tuple[LossParts, float]:
        """The loss of a part, and how far its log-probabilities are from those before the step."""
        import torch

        clock, settings, never = self.clock, self.settings, self.policy.chat.never_sampled
        with clock.phase("collation"):
            batch = collate_group([rollout.tokens for rollout in part.rollouts], self.policy, self.pixels).to(
                self.process.device
            )
            sampled = _as_tensor([rollout.logprobs for rollout in part.rollouts], batch.mask)
            before = sampled if part.before is None else _as_tensor(part.before, batch.mask)
        with clock.phase("forward"):
            logprobs, entropy = self.engine(batch.prefix, batch.endings, batch.targets, never, settings.temperature)
        anchored = None
        if self.reference is not None:
            with clock.phase("reference"), torch.no_grad():
                anchored, _ = SharedPrefix(self.reference)(
                    batch.prefix, batch.endings, batch.targets, never, settings.temperature
                )
        gain = torch.tensor(part.advantages, device=self.process.device, dtype=torch.float32)
        with clock.phase("forward"):
            other = None if part.before is None else sampled
            found = policy_loss(logprobs, entropy, before, other, anchored, gain, batch.mask, settings)
        return found, float(((logprobs.detach() - before).abs() * batch.mask).max())


def apart(part: MicroBatch) -> float:
    """The furthest that the trainer and the engine that drew the tokens are apart, in log-probability."""
    pairs = zip(part.before or [], part.rollouts, strict=True)
    return max(
        abs(one - other) for before, rollout in pairs for one, other in zip(before, rollout.logprobs, strict=True)
    )


def largest(value: float, process: ProcessInfo) -> float:
    """Over all processes."""
    import torch
    import torch.distributed as dist

    found = torch.tensor([float(value)], dtype=torch.float64, device=process.device)
    if process.world_size > 1:
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return found.item()


def _as_tensor(rows: Sequence[Sequence[float]], like: torch.Tensor) -> torch.Tensor:
    import torch

    out = torch.zeros_like(like)
    for index, row in enumerate(rows):
        out[index, : len(row)] = torch.tensor(row)
    return out
