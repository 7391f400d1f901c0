"""Counted operations equal those that torch counts."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from train.policy.checkpoint import freeze_vision, load_policy, with_lora
from train.policy.collate import collate, prepare, weighted_loss
from train.policy.frame_pixels import FramePixels
from train.run.flops import LanguageFlops, TowerFlops
from train.run.phase_timer import PhaseTimer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("trained", ["language", "everything", "adapters"])
def test_operations_equal_torch_s_count(any_checkpoint, shards, trained):
    policy = load_policy(any_checkpoint)
    model = policy.model
    if trained == "language":
        freeze_vision(model)
    elif trained == "adapters":
        model = with_lora(model, 4)
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    sample = prepare(shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000).samples[0]
    batch = collate([sample], policy, pixels)
    # With this kernel torch counts full squares, of which causal attention needs half.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        weighted_loss(model(**batch.inputs, use_cache=False).logits, batch).backward()
    language = LanguageFlops.of(model)
    unneeded = language.pair * (len(sample) ** 2 - len(sample) * (len(sample) + 1) / 2)
    ours = (
        language.of_samples([sample])
        + unneeded
        + TowerFlops.of(model).of_grids(batch.inputs["image_grid_thw"].tolist())
    )
    # The tolerance: with adapters, the first layer's input needs no gradient; windows at a frame's edge are smaller.
    assert ours == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_only_calls_of_the_tower_are_counted(any_checkpoint, shards):
    policy = load_policy(any_checkpoint)
    timer, cost = PhaseTimer(torch.device("cpu")), TowerFlops.of(policy.model)
    timer.watch(policy.model.model.visual, cost)
    with timer.phase("forward"):
        pass
    assert timer.take()[1] == 0
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    sample = prepare(shards.rows(), policy.chat, pixels, shards.size, max_tokens=10_000).samples[0]
    batch = collate([sample], policy, pixels)
    with timer.phase("forward"), torch.no_grad():
        policy.model(**batch.inputs)
    seconds, flops = timer.take()
    assert flops == cost.of_grids(batch.inputs["image_grid_thw"].tolist())
    assert seconds["vision"] > 0 and seconds["forward"] > 0 and seconds["backward"] == 0
