"""The loss, compared with values computed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.rl.grpo_loss import group_advantages, policy_loss
from videozoomer.settings.model import RlSettings

SETTINGS = RlSettings(clip_low=0.2, clip_high=0.27, kl=0.0, entropy=0.0)


def loss_of(ratio: float, advantage: float, sampled: torch.Tensor | None = None, **more) -> float:
    settings = SETTINGS.model_copy(update=more)
    logprob = torch.tensor([[math.log(0.5 * ratio)]])
    parts = policy_loss(
        logprob,
        torch.tensor([[0.7]]),
        torch.tensor([[math.log(0.5)]]),
        sampled,
        torch.tensor([[math.log(0.4)]]),
        torch.tensor([advantage]),
        torch.ones(1, 1),
        settings,
    )
    return float(parts.loss)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [
        (1.0, 2.0, -2.0),
        (1.2, 2.0, -2.4),
        (1.5, 2.0, -2.54),
        (0.5, 2.0, -1.0),
        (1.5, -2.0, 3.0),
        (0.9, -2.0, 1.8),
        (0.5, -2.0, 1.6),
    ],
)
def test_the_clip_is_asymmetric_and_applies_only_to_gains(ratio, advantage, loss):
    assert loss_of(ratio, advantage) == pytest.approx(loss, abs=1e-5)


def test_k3_and_entropy():
    away = math.log(0.4) - math.log(0.5)
    assert loss_of(1.0, 0.0, kl=0.1) == pytest.approx(0.1 * (math.exp(away) - away - 1), abs=1e-6)
    assert loss_of(1.0, 0.0, entropy=0.1) == pytest.approx(-0.07, abs=1e-6)


@pytest.mark.parametrize(("drawn_with", "weight"), [(0.5, 1.0), (0.4, 1.25), (1.0, 0.5), (0.05, 2.0)])
def test_tokens_of_another_engine_are_weighted_by_the_trainer_s_probability_ratio(drawn_with, weight):
    """The trainer's probability before the step is 0.5; the cap is 2."""
    sampled = torch.tensor([[math.log(drawn_with)]])
    assert loss_of(1.2, 2.0, sampled) == pytest.approx(-2.4 * weight, abs=1e-5)
    assert loss_of(0.9, -2.0, sampled) == pytest.approx(1.8 * weight, abs=1e-5)


def test_all_own_tokens_count_the_same_and_others_do_not_count():
    logprobs = torch.log(torch.tensor([[0.5, 0.25, 0.1], [0.5, 0.9, 0.3]])).requires_grad_()
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    sampled = torch.where(mask > 0, logprobs.detach(), torch.tensor(-1e4))
    parts = policy_loss(logprobs, torch.zeros(2, 3), sampled, None, None, torch.tensor([1.0, -1.0]), mask, SETTINGS)
    assert float(parts.loss.detach()) == pytest.approx(-3 + 1) and parts.tokens == 4 and parts.clipped == 0
    parts.loss.backward()
    assert logprobs.grad.tolist() == [[-1, -1, -1], [1, 0, 0]]


def test_a_group_that_does_not_vary_is_dropped():
    assert group_advantages([0.5] * 4, 1e-4) is None
    assert group_advantages([0.0, 1.0, 1.0, 0.0], 1e-4) == pytest.approx([-1, 1, 1, -1], abs=1e-4)


@given(st.lists(st.integers(0, 20).map(lambda tenths: tenths / 10), min_size=2, max_size=16))
def test_advantages_have_zero_mean_and_keep_the_order(rewards):
    advantages = group_advantages(rewards, 1e-4)
    if advantages is not None:
        assert abs(sum(advantages)) < 1e-6
        assert sorted(range(len(rewards)), key=rewards.__getitem__) == sorted(
            range(len(rewards)), key=advantages.__getitem__
        )
