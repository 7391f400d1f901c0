"""What a call costs at the recipe's prices, and the most it can cost before it is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from videozoomer.settings.model import Endpoint, Prices

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one call can use."""

    input_tokens: int
    output_tokens: int
    cost_usd: float

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def cost_usd(prices: Prices, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
    fresh = max(0, input_tokens - cached_tokens)
    return (
        fresh * prices.input_per_million
        + cached_tokens * prices.cached_input_per_million
        + output_tokens * prices.output_per_million
    ) / _MILLION


def upper_bound(endpoint: Endpoint, text_bytes: int, image_tokens: int) -> Bound:
    """No tokenizer makes more tokens than there are bytes, so each byte of text, JSON included, counts as a token."""
    input_tokens = text_bytes + image_tokens
    prices = endpoint.prices
    dearest = max(prices.input_per_million, prices.cached_input_per_million)
    cost = (input_tokens * dearest + endpoint.max_tokens * prices.output_per_million) / _MILLION
    return Bound(input_tokens, endpoint.max_tokens, cost)


def frame_tokens(prices: Prices, width: int, height: int) -> int:
    """Tokens that a provider counts for one frame, by its published rule."""
    if prices.image_rule == "qwen":
        # One token for each 28 x 28 pixels, each side rounded up, and a start and an end mark.
        return math.ceil(width / 28) * math.ceil(height / 28) + 2
    if prices.image_rule == "gemini":
        # 258 for a picture that fits into 384 x 384, otherwise for each tile of 768 x 768.
        tiles = 1 if max(width, height) <= 384 else math.ceil(width / 768) * math.ceil(height / 768)
        return 258 * tiles
    if prices.image_rule == "openai":
        # 85, and 170 for each tile of 512 x 512, after scaling down into 2048 x 2048 and to a shorter side of 768.
        scale = min(1.0, 2048 / max(width, height))
        scale = min(scale, 768 / min(width, height))
        return 85 + 170 * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
    return prices.image_tokens
