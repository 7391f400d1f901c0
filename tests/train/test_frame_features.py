"""Cached features of a frozen tower equal what the tower computes, and it computes them once."""

import pytest
import torch

from train.policy.checkpoint import freeze_vision, load_policy
from train.policy.collate import collate, prepare, weighted_loss
from train.policy.frame_features import FrameFeatures
from train.policy.frame_pixels import FramePixels

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def policy(any_checkpoint):
    policy = load_policy(any_checkpoint)
    freeze_vision(policy.model)
    return policy


@pytest.fixture(scope="module")
def pixels(policy, shards):
    return FramePixels(policy.image_processor, shards.jpeg)


@pytest.fixture(scope="module")
def samples(policy, pixels, shards):
    return prepare(shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000).samples


def loss_and_gradient(policy, batch) -> tuple[float, torch.Tensor]:
    policy.model.zero_grad()
    loss = weighted_loss(policy.model(**batch.inputs, use_cache=False).logits, batch)
    loss.backward()
    return loss.item(), policy.model.model.language_model.layers[0].mlp.up_proj.weight.grad.clone()


@pytest.mark.parametrize("packed", [False, True])
def test_features_give_the_same_loss_as_pixels(any_checkpoint, policy, pixels, samples, packed):
    if packed:
        from train.sft.packing import attend_within_trajectories

        policy = load_policy(any_checkpoint)
        attend_within_trajectories(policy.model)
    features = FrameFeatures(policy.model.model.visual, pixels, memory_bytes=2**20)
    expected, gradient = loss_and_gradient(policy, collate(samples[:4], policy, pixels, packed=packed))
    for _ in range(2):
        loss, own = loss_and_gradient(policy, collate(samples[:4], policy, features, packed=packed))
        assert loss == pytest.approx(expected, rel=1e-6)
        torch.testing.assert_close(own, gradient, rtol=1e-4, atol=1e-5)


def test_each_frame_is_computed_once(policy, pixels, samples):
    features = FrameFeatures(policy.model.model.visual, pixels, memory_bytes=2**20)
    frames = {frame for sample in samples for frame in sample.tokens.frame_ids}
    for _ in range(2):
        for sample in samples:
            collate([sample], policy, features)
    assert features.computed == len(frames) < features.shown / 2


def test_a_small_cache_stays_within_its_limit_and_stays_right(policy, pixels, samples):
    whole, cramped = (FrameFeatures(policy.model.model.visual, pixels, memory_bytes=size) for size in (2**20, 4000))
    for sample in samples:
        expected, got = (
            kept.inputs(sample.tokens.frame_ids)[0]["mm_encoder_outputs"]["image"].pooler_output[0]
            for kept in (whole, cramped)
        )
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    assert cramped.cached_bytes <= 4000 < whole.cached_bytes and cramped.computed > whole.computed


def test_a_folder_serves_the_next_run_but_no_other_tower(policy, pixels, samples, tmp_path, any_checkpoint):
    frames = samples[0].tokens.frame_ids
    tower = policy.model.model.visual

    def asked(tower) -> FrameFeatures:
        features = FrameFeatures(tower, pixels, memory_bytes=0, folder=tmp_path)
        features.inputs(frames)
        return features

    assert asked(tower).computed == len(set(frames))
    again = asked(tower)
    assert again.computed == 0
    with_pixels = collate(samples[:1], policy, pixels), collate(samples[:1], policy, again)
    one, other = (loss_and_gradient(policy, batch)[0] for batch in with_pixels)
    assert one == pytest.approx(other, rel=1e-6)
    changed = load_policy(any_checkpoint).model.model.visual
    with torch.no_grad():
        next(changed.parameters()).add_(0.1)
    assert asked(changed).computed == len(set(frames))
