"""Batches: positions, padding, the loss, and rows that are left out."""

import pytest
import torch

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import load_policy
from train.policy.collate import DataError, Sample, collate, prepare, weighted_loss
from train.policy.frame_pixels import FramePixels
from train.policy.loss_mask import TurnWeights


@pytest.fixture(scope="module")
def policy(any_checkpoint):
    return load_policy(any_checkpoint)


@pytest.fixture(scope="module")
def pixels(policy, shards) -> FramePixels:
    return FramePixels(policy.image_processor, shards.jpeg)


@pytest.fixture(scope="module")
def samples(policy, pixels, shards) -> list[Sample]:
    return prepare(
        shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000, turn_weights=TurnWeights(failed=0.5)
    ).samples


def test_loss_equals_that_of_each_trajectory_alone(policy, pixels, samples):
    """Padding, tool frames and logits for only some tokens do not change it."""
    chosen = [samples[0], samples[2], samples[5]]
    with torch.no_grad():
        batch = collate(chosen, policy, pixels)
        together = float(weighted_loss(policy.model(**batch.inputs).logits, batch))
        alone = 0.0
        for sample in chosen:
            inputs = collate([sample], policy, pixels).inputs | {"logits_to_keep": 0}
            losses = torch.nn.functional.cross_entropy(
                policy.model(**inputs).logits[0, :-1], inputs["input_ids"][0, 1:], reduction="none"
            )
            alone += float((losses * torch.tensor(sample.tokens.weights[1:])).sum())
    assert together == pytest.approx(alone, rel=1e-4)


def test_frames_have_three_axis_positions(policy, pixels, samples):
    seen = []
    hook = policy.model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["position_ids"]), with_kwargs=True
    )
    inputs = collate(samples[:1], policy, pixels).inputs
    with torch.no_grad():
        policy.model(**inputs)
    hook.remove()
    time, row, column = seen[0][-3:, 0]
    images = inputs["input_ids"][0] == policy.chat.image
    # A frame of 84 x 56 pixels has more columns than rows, all at one time.
    assert (column[images] - row[images]).max() > 0 and (time[~images] == column[~images]).all()
    first = images.nonzero()[0, 0]
    assert time[first] == first
    assert int(column.max()) + 1 < len(images), "a frame takes fewer positions than tokens"


def test_a_long_trajectory_is_left_out_and_never_truncated(policy, pixels, shards, samples):
    lengths = sorted(len(sample) for sample in samples)
    limit = lengths[len(lengths) // 2]
    prepared = prepare(shards.rows(), policy.chat, pixels, shards.size, max_tokens=limit)
    assert len(prepared.too_long) == sum(length > limit for length in lengths) > 0
    assert sorted(len(sample) for sample in prepared.samples) == [length for length in lengths if length <= limit]


def test_a_frame_that_differs_from_its_recorded_size_is_an_error(policy, pixels, samples):
    ids = [token for token in samples[0].tokens.ids]
    ids.remove(policy.chat.image)
    wrong = Sample("t00", Tokens(ids, samples[0].tokens.weights[:-1], samples[0].tokens.frame_ids))
    with pytest.raises(DataError, match="t00"):
        collate([wrong], policy, pixels)


def test_a_small_cache_gives_the_same_pixels(policy, shards, samples):
    frames = samples[0].tokens.frame_ids
    roomy = FramePixels(policy.image_processor, shards.jpeg)
    cramped = FramePixels(policy.image_processor, shards.jpeg, cache_bytes=50_000)
    for _ in range(2):
        expected, got = roomy.load(frames), cramped.load(frames)
        assert torch.equal(expected[0], got[0]) and torch.equal(expected[1], got[1])
    assert cramped.cached_bytes <= 50_000


def test_each_kind_of_row_has_its_own_weight(policy, pixels, shards):
    plain, doubled = (
        {
            sample.row_id: sample.weight
            for sample in prepare(
                shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000, kind_weights=kinds
            ).samples
        }
        for kinds in (None, {"reflection": 2.0})
    )
    kinds = {row["id"]: row["kind"] for row in shards.rows()}
    assert doubled == {name: weight * (2 if kinds[name] == "reflection" else 1) for name, weight in plain.items()}
    without = prepare(
        shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000, kind_weights={"reflection": 0.0}
    )
    assert sorted(without.untrained) == sorted(name for name, kind in kinds.items() if kind == "reflection")
