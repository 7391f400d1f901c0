"""A packed row gives the same as its trajectories alone."""

from dataclasses import replace

import pytest
import torch

from train.policy.checkpoint import Policy, freeze_vision, load_policy
from train.policy.collate import Sample, collate, prepare, weighted_loss
from train.policy.frame_pixels import FramePixels
from train.sft.packing import attend_within_trajectories

pytestmark = pytest.mark.slow


@pytest.fixture
def policy(any_checkpoint) -> Policy:
    return load_policy(any_checkpoint)


def some_samples(policy, shards) -> tuple[FramePixels, list[Sample]]:
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    samples = prepare(shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000).samples
    return pixels, [samples[0], samples[2], samples[5]]


def loss_and_gradients(policy, batch) -> tuple[float, dict[str, torch.Tensor]]:
    policy.model.zero_grad()
    loss = weighted_loss(policy.model(**batch.inputs, use_cache=False).logits, batch)
    loss.backward()
    return loss.item(), {
        name: value.grad.clone() for name, value in policy.model.named_parameters() if value.grad is not None
    }


@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_gradients_equal_those_of_each_trajectory_alone(policy, shards, checkpointing):
    pixels, samples = some_samples(policy, shards)
    freeze_vision(policy.model)
    alone, gradients = 0.0, {}
    for sample in samples:
        loss, found = loss_and_gradients(policy, collate([sample], policy, pixels))
        alone += loss
        gradients = {name: gradients.get(name, 0) + value for name, value in found.items()}
    attend_within_trajectories(policy.model)
    if checkpointing:
        policy.model.train()
        policy.model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    together, packed = loss_and_gradients(policy, collate(samples, policy, pixels, packed=True))
    assert together == pytest.approx(alone, rel=1e-6)
    assert packed.keys() == gradients.keys()
    # The loss is a sum over tokens; per token, as in training, the differences are far below 1e-5.
    weight = sum(sample.weight for sample in samples)
    assert max(float((packed[name] - value).abs().max()) for name, value in gradients.items()) / weight < 1e-6


def test_a_changed_neighbour_has_no_effect(policy, shards):
    pixels, samples = some_samples(policy, shards)
    attend_within_trajectories(policy.model)
    first, second, third = samples
    changed_ids = [
        token + 1 if weight else token for token, weight in zip(first.tokens.ids, first.tokens.weights, strict=True)
    ]
    changed = Sample("changed", replace(first.tokens, ids=changed_ids))
    with torch.no_grad():
        one, other = (
            policy.model(**collate(row, policy, pixels, packed=True).inputs, use_cache=False).logits[0]
            for row in ([first, second, third], [changed, second, third])
        )
    own = sum(weight != 0 for weight in first.tokens.weights)
    assert not torch.equal(one[:own], other[:own])
    assert torch.equal(one[own:], other[own:])


def test_positions_restart_on_all_axes(policy, shards):
    pixels, samples = some_samples(policy, shards)
    row = collate(samples, policy, pixels, packed=True).inputs
    assert row["input_ids"].shape == (1, sum(map(len, samples))) and row["position_ids"].shape == (
        4,
        *row["input_ids"].shape,
    )
    start = 0
    for sample in samples:
        own = collate([sample], policy, pixels).inputs
        piece = slice(start, start + len(sample))
        assert torch.equal(row["position_ids"][1:, 0, piece], own["position_ids"][:, 0])
        assert row["position_ids"][0, 0, piece].tolist() == list(range(len(sample)))
        start += len(sample)


def test_transformers_own_mask_for_packed_rows_gives_the_same_logits(policy, shards):
    """transformers recognises the four axes of positions and masks attention between trajectories."""
    pixels, samples = some_samples(policy, shards)
    batch = collate(samples, policy, pixels, packed=True)
    with torch.no_grad():
        masked = policy.model(**batch.inputs, use_cache=False).logits
        attend_within_trajectories(policy.model)
        torch.testing.assert_close(policy.model(**batch.inputs, use_cache=False).logits, masked, rtol=1e-4, atol=1e-5)
