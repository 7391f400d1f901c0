"""Batched generation with a key-value cache, the protocol's stop, and no token that a policy must not write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.player import Reply
from train.pixels import FramePixels
from train.policy import Policy
from zoom.parsing import STOP

if TYPE_CHECKING:
    import torch

TAIL = 24
"""Tokens that the closing zoom tag can take at most: what is decoded at each step to find it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    ids: list[int]
    frame_ids: tuple[str, ...]
    temperature: float
    seed: int


def generate(policy: Policy, pixels: FramePixels, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Reply]:
    """Continue each prompt until its turn ends, the zoom call closes, or `max_new_tokens` are written.

    A reply cut off there comes back with finish reason `length`: to the episode it is a fault of the policy's, as it
    would be a fault of training to wait for ever.
    """
    import torch

    with torch.inference_mode():
        return _generate(policy, pixels, prompts, max_new_tokens)


def _generate(policy: Policy, pixels: FramePixels, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Reply]:
    import torch
    from transformers import DynamicCache

    model, chat, device = policy.model, policy.chat, policy.model.device
    longest = max(len(prompt.ids) for prompt in prompts)
    # Padded on the left, so that the last column is the end of every prompt.
    ids = torch.tensor([[chat.pad] * (longest - len(prompt.ids)) + prompt.ids for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt.ids)) + [1] * len(prompt.ids) for prompt in prompts], device=device)
    images = {}
    if frames := [frame for prompt in prompts for frame in prompt.frame_ids]:
        patches, grid = pixels.load(frames)
        images = {"pixel_values": patches.to(device), "image_grid_thw": grid.to(device)}
    positions, _ = model.model.get_rope_index(ids, (ids == chat.image).int(), image_grid_thw=images.get("image_grid_thw"), attention_mask=mask)
    cache = DynamicCache(config=model.config.get_text_config())
    logits = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1, **images
    ).logits[:, -1]
    following = positions.amax(dim=(0, 2)) + 1
    generators = [torch.Generator().manual_seed(prompt.seed) for prompt in prompts]
    written: list[list[int]] = [[] for _ in prompts]
    ended: list[str | None] = [None] * len(prompts)
    for _ in range(max_new_tokens):
        chosen = _choose(logits, prompts, generators, chat.never_sampled)
        for row, token in enumerate(chosen):
            if ended[row]:
                continue
            if token == chat.turn_end:
                ended[row] = "stop"
                continue
            written[row].append(token)
            if STOP in policy.tokenizer.decode(written[row][-TAIL:]):
                ended[row] = "stop"
        if all(ended):
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        logits = model(
            input_ids=torch.tensor(chosen, device=device)[:, None], attention_mask=mask,
            position_ids=following.view(1, -1, 1).expand(3, -1, 1), past_key_values=cache, use_cache=True, logits_to_keep=1,
        ).logits[:, -1]
        following = following + 1
    return [
        Reply(
            policy.tokenizer.decode(tokens), finish_reason=end or "length",
            input_tokens=len(prompt.ids), output_tokens=len(tokens) + (end == "stop"),
        )
        for prompt, tokens, end in zip(prompts, written, ended, strict=True)
    ]


def _choose(logits: torch.Tensor, prompts: Sequence[Prompt], generators: list[torch.Generator], never: list[int]) -> list[int]:
    """One token a row: the likeliest at temperature 0, else drawn by the row's own generator."""
    import torch

    logits = logits.float().cpu()
    logits[:, never] = float("-inf")
    chosen = []
    for row, prompt, generator in zip(logits, prompts, generators, strict=True):
        if prompt.temperature == 0:
            chosen.append(int(row.argmax()))
        else:
            chosen.append(int(torch.multinomial((row / prompt.temperature).softmax(-1), 1, generator=generator)))
    return chosen
