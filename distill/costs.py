"""What a call costs at the recipe's prices, and what it can cost at most, before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.model import Endpoint, Prices
from zoom import Message

_MILLION = 1_000_000
_FIXED_TOKENS = 16
"""Tokens of a message's frame (role and separators), as an upper bound over known chat templates."""


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


def upper_bound(endpoint: Endpoint, messages: Sequence[Message]) -> Bound:
    """No tokenizer makes more tokens than there are bytes, so a byte counts as a token; a frame as the recipe says."""
    text = sum(len(message.text.encode()) + _FIXED_TOKENS for message in messages)
    images = sum(len(message.frame_ids) for message in messages)
    input_tokens = text + images * endpoint.prices.image_tokens
    return Bound(
        input_tokens, endpoint.max_tokens, cost_usd(endpoint.prices, input_tokens, 0, endpoint.max_tokens)
    )
