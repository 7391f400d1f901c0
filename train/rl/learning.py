"""Learning from a round: optimiser steps over groups that are spread over one or several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy
from train.policy.episode_tokens import Rollout
from train.rl.grpo_loss import LossParts, policy_loss
from train.rl.rollout_groups import RolloutGroup
from train.rl.shared_prefix import SharedPrefix, collate_group
from train.run.deepspeed_engine import take_step
from train.run.phase_timer import PhaseTimer
from train.run.process_group import ProcessInfo, largest, summed
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
    """The trainer's log-probabilities of the sampled tokens, where another engine sampled them."""


@dataclass
class _StepTotals:
    """Totals over the optimiser steps of a round, of this process."""

    sums: dict[str, float]
    tokens: float = 0.0
    steps: int = 0
    gap: float = 0.0
    """Largest difference in log-probability between sampling and training, on the first, on-policy step."""
    gradient_norm: float | None = None

    def add(self, parts: LossParts) -> None:
        values = (float(parts.loss.detach()), parts.kl, parts.entropy, parts.clipped, parts.correction)
        self.sums = {name: self.sums[name] + value for name, value in zip(SUMS, values, strict=True)}


@dataclass(frozen=True)
class Learner:
    engine: DeepSpeedEngine
    reference: PreTrainedModel | None
    policy: Policy
    pixels: FramePixels | FrameFeatures
    settings: RlSettings
    process: ProcessInfo
    timer: PhaseTimer

    def learn(self, own: Sequence[RolloutGroup], varied: Sequence[int]) -> dict[str, float | None]:
        """One optimiser step per `mini_batch` of the groups at the positions `varied`; the first is exactly on policy.

        `own` are the groups that this process played, at least one. Every process makes the same number of passes, as
        DeepSpeed's reductions require; a process without work left repeats a rollout with weight 0.
        """
        micro_batches = {group.position: list(self._micro_batches(group)) for group in own if group.advantages}
        server_gap = 0.0
        if self.settings.engine == "server":
            # The weights change with every mini-batch, so score all micro-batches before the first.
            micro_batches = {
                position: [self._scored(batch) for batch in batches] for position, batches in micro_batches.items()
            }
            scored = (batch for batches in micro_batches.values() for batch in batches)
            server_gap = max((logprob_gap(batch) for batch in scored), default=0.0)
        filler = MicroBatch([next(rollout for group in own for rollout in group.rollouts)], [0.0])
        totals = _StepTotals(dict.fromkeys(SUMS, 0.0))
        self.engine.train()
        for start in range(0, len(varied), self.settings.mini_batch):
            positions = varied[start : start + self.settings.mini_batch]
            self._optimiser_step([batch for at in positions for batch in micro_batches.get(at, ())], filler, totals)
        sums = dict(zip(SUMS, summed(list(totals.sums.values()), self.process), strict=True))
        means = {name: value / totals.tokens if totals.tokens else None for name, value in sums.items()}
        # With a server, the first mini-batch compares the trainer with itself, so report the server's gap instead.
        gap = largest(server_gap if self.settings.engine == "server" else totals.gap, self.process)
        return means | {
            "optimiser_steps": totals.steps,
            "gradient_norm": totals.gradient_norm,
            "sampling_gap": gap if totals.tokens else None,
        }

    def _optimiser_step(self, due: Sequence[MicroBatch], filler: MicroBatch, totals: _StepTotals) -> None:
        """One step over this process's micro-batches `due`."""
        tokens = summed([sum(len(rollout.logprobs) for batch in due for rollout in batch.rollouts)], self.process)[0]
        passes = int(largest(len(due), self.process))
        for index in range(passes):
            counted = index < len(due)
            self.engine.set_gradient_accumulation_boundary(index == passes - 1)
            parts, gap = self._loss(due[index] if counted else filler)
            # DeepSpeed averages over processes, but every token of the step must count the same.
            with self.timer.phase("backward"):
                self.engine.backward(parts.loss * (self.process.world_size / tokens if counted else 0.0))
            with self.timer.phase("optimiser"):
                totals.gradient_norm = take_step(self.engine)
            if counted:
                totals.gap = max(totals.gap, gap) if totals.steps == 0 else totals.gap
                totals.add(parts)
        totals.tokens, totals.steps = totals.tokens + tokens, totals.steps + 1

    def _micro_batches(self, group: RolloutGroup) -> Iterator[MicroBatch]:
        """Rollouts of similar length together."""
        pairs = zip(group.graded, group.advantages or (), strict=True)
        ordered = sorted(pairs, key=lambda pair: len(pair[0].tokens.ids))
        size = self.settings.forward_at_once
        for start in range(0, len(ordered), size):
            rollouts, advantages = zip(*ordered[start : start + size], strict=True)
            yield MicroBatch(list(rollouts), list(advantages))

    def _scored(self, part: MicroBatch) -> MicroBatch:
        """The same with the trainer's log-probabilities, under its current weights, of what another engine sampled."""
        import torch

        batch = collate_group([rollout.tokens for rollout in part.rollouts], self.policy, self.pixels)
        batch = batch.to(self.process.device)
        with self.timer.phase("forward"), torch.no_grad():
            logprobs, _ = self.engine(
                batch.prefix, batch.endings, batch.targets, self.policy.chat.never_sampled, self.settings.temperature
            )
        before = [row[: len(rollout.logprobs)].tolist() for row, rollout in zip(logprobs, part.rollouts, strict=True)]
        return MicroBatch(part.rollouts, part.advantages, before)

    def _loss(self, part: MicroBatch) -> tuple[LossParts, float]:
        """Loss of a micro-batch, and the largest difference of its log-probabilities from those before the step."""
        import torch

        timer, settings, never = self.timer, self.settings, self.policy.chat.never_sampled
        with timer.phase("collation"):
            batch = collate_group([rollout.tokens for rollout in part.rollouts], self.policy, self.pixels)
            batch = batch.to(self.process.device)
            sampled = _as_tensor([rollout.logprobs for rollout in part.rollouts], batch.mask)
            before = sampled if part.before is None else _as_tensor(part.before, batch.mask)
        with timer.phase("forward"):
            logprobs, entropy = self.engine(batch.prefix, batch.endings, batch.targets, never, settings.temperature)
        reference = None
        if self.reference is not None:
            with timer.phase("reference"), torch.no_grad():
                reference, _ = SharedPrefix(self.reference)(
                    batch.prefix, batch.endings, batch.targets, never, settings.temperature
                )
        advantages = torch.tensor(part.advantages, device=self.process.device, dtype=torch.float32)
        with timer.phase("forward"):
            drawn_elsewhere = None if part.before is None else sampled
            parts = policy_loss(logprobs, entropy, before, drawn_elsewhere, reference, advantages, batch.mask, settings)
        return parts, float(((logprobs.detach() - before).abs() * batch.mask).max())


def logprob_gap(part: MicroBatch) -> float:
    """Largest difference in log-probability between the trainer and the engine that sampled the tokens."""
    pairs = zip(part.before or [], part.rollouts, strict=True)
    return max(
        abs(one - other) for before, rollout in pairs for one, other in zip(before, rollout.logprobs, strict=True)
    )


def _as_tensor(rows: Sequence[Sequence[float]], like: torch.Tensor) -> torch.Tensor:
    import torch

    out = torch.zeros_like(like)
    for index, row in enumerate(rows):
        out[index, : len(row)] = torch.tensor(row)
    return out
