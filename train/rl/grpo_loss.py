"""Group-relative policy optimisation: advantages within a group, and the loss over the policy's own tokens.

Formulas: GRPO (arXiv 2402.03300) with DAPO's asymmetric clip and token-level sum (arXiv 2503.14476), and the k3
estimate of the KL divergence (J. Schulman, "Approximating KL divergence", 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videozoomer.settings.model import RlSettings

if TYPE_CHECKING:
    import torch

_EPSILON = 1e-6


def group_advantages(rewards: Sequence[float], min_deviation: float) -> list[float] | None:
    """How much better each episode of a group did than the group, in standard deviations; null where all did alike."""
    mean = sum(rewards) / len(rewards)
    deviation = (sum((reward - mean) ** 2 for reward in rewards) / len(rewards)) ** 0.5
    if deviation < min_deviation or deviation == 0:
        return None
    return [(reward - mean) / (deviation + _EPSILON) for reward in rewards]


@dataclass(frozen=True, slots=True)
class LossParts:
    """Sums over tokens; divide by the tokens of the whole step."""

    loss: torch.Tensor
    clipped: float
    """Tokens whose ratio was past the clip on the side where it counts."""
    kl: float
    entropy: float
    correction: float
    """Of the factors by which tokens are weighed for having been drawn by another engine."""
    tokens: float


def policy_loss(
    logprobs: torch.Tensor,
    entropy: torch.Tensor,
    before: torch.Tensor,
    sampled: torch.Tensor | None,
    reference: torch.Tensor | None,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    settings: RlSettings,
) -> LossParts:
    """All tensors but `advantages` (episodes,) are (episodes, tokens); `mask` is 1 on tokens that the policy wrote.

    `before` are the log-probabilities by the trainer's weights of when the episodes were played, `reference` those of
    the policy that training began with. `sampled` are those of the engine that drew the tokens, where it is another
    one: its numbers differ a little even with the same weights, and more with older ones. Each token's objective is then
    weighed by how much likelier the trainer found it, up to a cap (truncated importance sampling: F. Yao and others,
    "Your Efficient RL Framework Secretly Brings You Off-Policy RL Training", 2025). Every token counts the same, however
    long its episode.
    """
    import torch

    gain = advantages[:, None]
    # Where the mask is 0 nothing was drawn; zero there keeps the exponential finite.
    ratio = ((logprobs - before) * mask).exp()
    bounded = ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    weight = (
        torch.ones_like(ratio)
        if sampled is None
        else ((before - sampled) * mask).exp().clamp(max=settings.importance_cap)
    )
    loss = -weight * torch.minimum(ratio * gain, bounded * gain) - settings.entropy * entropy
    distance = torch.zeros_like(logprobs)
    if reference is not None:
        away = (reference - logprobs) * mask
        distance = away.exp() - away - 1
        loss = loss + settings.kl * distance

    def over(values: torch.Tensor) -> float:
        return float((values * mask).sum().detach())

    return LossParts(
        (loss * mask).sum(),
        over(ratio * gain > bounded * gain),
        over(distance),
        over(entropy),
        over(weight),
        float(mask.sum()),
    )
