"""Computing a group's common beginning once changes neither log-probabilities nor gradients."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import load_policy
from train.policy.collate import Sample, collate
from train.policy.frame_pixels import FramePixels
from train.policy.loss_mask import TurnWeights
from train.rl.shared_prefix import MAX_PADDING, SharedPrefix, chunks_of_similar_length, collate_group, token_logprobs
from videozoomer.protocol.message_rows import from_rows


@pytest.fixture(scope="module")
def policy(any_checkpoint):
    return load_policy(any_checkpoint)


@pytest.fixture(scope="module")
def pixels(policy, shards):
    return FramePixels(policy.image_processor, shards.jpeg)


@pytest.fixture(scope="module")
def rollouts(policy, pixels, shards) -> list[Tokens]:
    """Three trajectories of one video: with one zoom, with two, and truncated before its tool answer."""
    opening, group = None, []
    for row in shards.rows()[:3]:
        messages = from_rows(row["messages"])
        opening = opening or messages[:2]
        # A reflection's failed turn was drawn by the policy as well.
        group.append(policy.chat.encode([*opening, *messages[2:]], pixels.tokens, turn_weights=TurnWeights(failed=1.0)))
    short = policy.chat.encode([*opening, from_rows(shards.rows()[0]["messages"])[2]], pixels.tokens)
    return [*group, short]


def test_equal_to_computing_every_rollout_in_full(policy, pixels, rollouts):
    factors = torch.randn(len(rollouts), generator=torch.Generator().manual_seed(0))[:, None]
    found = []
    for shared in (False, True):
        policy.model.zero_grad()
        if shared:
            batch = collate_group(rollouts, policy, pixels)
            assert len(batch.endings) > 1, "rollouts of similar length share a chunk, others do not"
            mask = batch.mask
            logprobs, entropy = SharedPrefix(policy.model)(
                batch.prefix, batch.endings, batch.targets, policy.chat.never_sampled, 0.9
            )
        else:
            plain = collate([Sample(str(i), tokens) for i, tokens in enumerate(rollouts)], policy, pixels)
            mask = plain.weights
            logprobs, entropy = token_logprobs(
                policy.model(**plain.inputs).logits, plain.targets, policy.chat.never_sampled, 0.9
            )
        ((logprobs * factors + 0.1 * entropy) * mask).sum().backward()
        gradients = {name: p.grad.clone() for name, p in policy.model.named_parameters() if p.grad is not None}
        found.append(((logprobs * mask).detach(), gradients))
    (whole, whole_gradients), (split, split_gradients) = found
    torch.testing.assert_close(split, whole, rtol=0, atol=1e-4)
    assert split_gradients.keys() == whole_gradients.keys()
    for name, gradient in whole_gradients.items():
        torch.testing.assert_close(
            split_gradients[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()) + 1e-7, msg=name
        )


def test_rollouts_with_different_prefixes_are_refused(policy, pixels, shards, rollouts):
    other = policy.chat.encode(from_rows(shards.rows()[4]["messages"]), pixels.tokens)
    with pytest.raises(ValueError, match="start with the same"):
        collate_group([rollouts[0], other], policy, pixels)


def test_entropy_covers_only_tokens_that_can_be_sampled():
    logits = torch.zeros(1, 1, 6)
    logprobs, entropy = token_logprobs(logits, torch.tensor([[1]]), [4, 5], 1.0)
    assert entropy.item() == pytest.approx(torch.tensor(4.0).log().item()) and logprobs.item() == pytest.approx(
        -entropy.item()
    )


@given(st.lists(st.integers(1, 900), min_size=1, max_size=16))
def test_chunks_contain_every_row_once_and_need_little_padding(lengths):
    chunks = chunks_of_similar_length(lengths)
    assert sorted(row for chunk in chunks for row in chunk) == list(range(len(lengths)))
    for chunk in chunks:
        steps = [lengths[later] - lengths[row] for row, later in itertools.pairwise(chunk)]
        assert all(0 <= held * step <= MAX_PADDING for held, step in enumerate(steps, start=1))
