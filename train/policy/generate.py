"""Batched generation with a key-value cache, stop strings and forbidden special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy
from train.policy.frame_pixels import FramePixels

if TYPE_CHECKING:
    import torch

TAIL = 24
"""Upper bound for the tokens of a stop string; each step decodes this many to search for one."""


@dataclass(frozen=True, slots=True)
class Prompt:
    ids: list[int]
    frame_ids: tuple[str, ...]
    temperature: float
    seed: int
    max_new_tokens: int
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """The reply to one prompt."""

    ids: list[int]
    """Tokens in order, including the one that ends the turn if the policy wrote it."""
    logprobs: list[float]
    """Log-probability of each token under the distribution it was drawn from (at temperature 0: that of 1)."""
    text: str
    """Excludes the token that ends the turn; includes the stop string."""
    finish_reason: str
    """`stop`, or `length` after `max_new_tokens` tokens."""
    stop: str | None
    """The stop string that ended the reply."""
    prompt_tokens: int


def generate(policy: Policy, pixels: FramePixels, prompts: Sequence[Prompt]) -> list[Generation]:
    """Continue each prompt until its turn ends, a stop string appears, or it reaches its limit."""
    import torch

    with torch.inference_mode():
        return _generate(policy, pixels, prompts)


def _generate(policy: Policy, pixels: FramePixels, prompts: Sequence[Prompt]) -> list[Generation]:
    import torch
    from transformers import DynamicCache

    model, chat, device = policy.model, policy.chat, policy.model.device
    longest = max(len(prompt.ids) for prompt in prompts)
    # Padded on the left, so that every prompt ends in the last column.
    ids = torch.tensor([[chat.pad] * (longest - len(prompt.ids)) + prompt.ids for prompt in prompts], device=device)
    mask = torch.tensor(
        [[0] * (longest - len(prompt.ids)) + [1] * len(prompt.ids) for prompt in prompts], device=device
    )
    images = {}
    if frames := [frame for prompt in prompts for frame in prompt.frame_ids]:
        patches, grid = pixels.load(frames)
        images = {"pixel_values": patches.to(device), "image_grid_thw": grid.to(device)}
    positions, _ = model.model.get_rope_index(
        ids, (ids == chat.image).int(), image_grid_thw=images.get("image_grid_thw"), attention_mask=mask
    )
    cache = DynamicCache(config=model.config.get_text_config())
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        cache=cache,
        use_cache=True,
        logits_to_keep=1,
        **images,
    ).logits[:, -1]
    following = positions.amax(dim=(0, 2)) + 1
    rows = [_Reply(prompt, torch.Generator().manual_seed(prompt.seed)) for prompt in prompts]
    while True:
        chosen = choose(
            logits, [row.prompt.temperature for row in rows], [row.generator for row in rows], chat.never_sampled
        )
        for row, (token, logprob) in zip(rows, chosen, strict=True):
            row.take(token, logprob, policy)
        if all(row.finish_reason for row in rows):
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        logits = model(
            input_ids=torch.tensor([[token] for token, _ in chosen], device=device),
            attention_mask=mask,
            position_ids=following.view(1, -1, 1).expand(3, -1, 1),
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        following = following + 1
    return [row.finished(policy) for row in rows]


class _Reply:
    """One reply being written."""

    def __init__(self, prompt: Prompt, generator: torch.Generator) -> None:
        self.prompt, self.generator = prompt, generator
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.finish_reason: str | None = None
        self.stop: str | None = None

    def take(self, token: int, logprob: float, policy: Policy) -> None:
        if self.finish_reason:
            return
        self.ids.append(token)
        self.logprobs.append(logprob)
        if token == policy.chat.turn_end:
            self.finish_reason = "stop"
            return
        tail = policy.tokenizer.decode(self.ids[-TAIL:]) if self.prompt.stop else ""
        self.stop = next((stop for stop in self.prompt.stop if stop in tail), None)
        if self.stop:
            self.finish_reason = "stop"
        elif len(self.ids) >= self.prompt.max_new_tokens:
            self.finish_reason = "length"

    def finished(self, policy: Policy) -> Generation:
        assert self.finish_reason
        text = policy.chat.text_of_turn(self.ids)
        return Generation(self.ids, self.logprobs, text, self.finish_reason, self.stop, len(self.prompt.ids))


def choose(
    logits: torch.Tensor, temperatures: Sequence[float], generators: Sequence[torch.Generator], never: list[int]
) -> list[tuple[int, float]]:
    """One token per row with its log-probability.

    At temperature 0 the most likely one, otherwise drawn with the row's own generator.
    """
    import torch

    scale = torch.tensor([temperature or 1.0 for temperature in temperatures])
    logits = logits.float().cpu() / scale[:, None]
    logits[:, never] = float("-inf")
    logprobs = logits.log_softmax(-1)
    likeliest, chances = logprobs.argmax(-1).tolist(), logprobs.exp()
    tokens = [
        best if temperature == 0 else int(torch.multinomial(chance, 1, generator=generator))
        for best, chance, temperature, generator in zip(likeliest, chances, temperatures, generators, strict=True)
    ]
    return list(zip(tokens, logprobs[range(len(tokens)), tokens].tolist(), strict=True))
