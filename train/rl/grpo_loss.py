"""Group-relative policy optimisation: advantages within a group, and the loss over the policy's own tokens.

Formulas: GRPO (arXiv 2402.03300) with DAPO's asymmetric clip and token-level sum (arXiv 2503.14476), and the k3
estimator of the KL divergence (J. Schulman, "Approximating KL divergence", 2020).
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
    """Each episode's reward against its group's mean, in standard deviations; None where the rewards do not vary."""
    mean = sum(rewards) / len(rewards)
    deviation = (sum((reward - mean) ** 2 for reward in rewards) / len(rewards)) ** 0.5
    if deviation < min_deviation or deviation == 0:
        return None
    return [(reward - mean) / (deviation + _EPSILON) for reward in rewards]


@dataclass(frozen=True, slots=True)
class LossParts:
    """Sums over tokens; divide by the number of tokens of the whole step."""

    loss: torch.Tensor
    clipped: float
    """Tokens whose ratio exceeded the clip range on the side where clipping applies."""
    kl: float
    entropy: float
    correction: float
    """Importance weights of tokens that another engine sampled."""
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
    """`advantages` is (episodes,), all other tensors are (episodes, tokens); `mask` is 1 on the policy's own tokens.

    `before` are log-probabilities under the trainer's weights at the time of play, `reference` those of the policy
    that training started from. `sampled` are those of the engine that sampled the tokens, if it is not the trainer:
    its numbers differ slightly even with the same weights, and more with older ones. Then each token's objective is
    weighted by the ratio of the trainer's probability to the engine's, up to a cap (truncated importance sampling: F.
    Yao et al., "Your Efficient RL Framework Secretly Brings You Off-Policy RL Training", 2025). All tokens count the
    same, independent of the length of their episode.
    """
    import torch

    advantage = advantages[:, None]
    # Nothing was sampled where the mask is 0; zero there keeps the exponential finite.
    ratio = ((logprobs - before) * mask).exp()
    bounded = ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    weight = (
        torch.ones_like(ratio)
        if sampled is None
        else ((before - sampled) * mask).exp().clamp(max=settings.importance_cap)
    )
    loss = -weight * torch.minimum(ratio * advantage, bounded * advantage) - settings.entropy * entropy
    distance = torch.zeros_like(logprobs)
    if reference is not None:
        away = (reference - logprobs) * mask
        distance = away.exp() - away - 1
        loss = loss + settings.kl * distance

    def total(values: torch.Tensor) -> float:
        return float((values * mask).sum().detach())

    return LossParts(
        (loss * mask).sum(),
        total(ratio * advantage > bounded * advantage),
        total(distance),
        total(entropy),
        total(weight),
        float(mask.sum()),
    )
