"""Batched vision attention equals transformers' own loop."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from train.policy.vision_attention import batch_vision_attention


@pytest.mark.parametrize("grids", [[(4, 6)] * 5, [(4, 6), (2, 2), (12, 20), (4, 6)]], ids=["equal", "mixed"])
def test_equal_to_the_original_with_gradients(any_checkpoint, grids):
    slow, fast = (
        AutoModelForImageTextToText.from_pretrained(any_checkpoint, dtype=torch.float32).model.visual for _ in range(2)
    )
    assert batch_vision_attention(fast) == 2
    patch = slow.config.patch_size
    grid = torch.tensor([(1, *pair) for pair in grids])
    pixels = torch.randn(int(grid.prod(-1).sum()), 3 * 2 * patch**2, generator=torch.Generator().manual_seed(0))
    outputs = [tower(pixels, grid_thw=grid).pooler_output for tower in (slow, fast)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-6)
    for output in outputs:
        output.square().mean().backward()
    for one, other in zip(slow.parameters(), fast.parameters(), strict=True):
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-8)
