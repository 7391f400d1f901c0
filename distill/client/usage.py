"""What a reply says about tokens and money, read with care: one odd number must not cost anything else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 100_000_000
"""More tokens than any model's context: a larger count is a mistake of the server's."""
MOST_USD = 10_000.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one reply; None where the server sent none that can be true."""

    input_tokens: int | None
    cached_tokens: int
    output_tokens: int | None
    cost_usd: float | None
    """What the server itself says that the call cost."""


def read_usage(usage: Any, headers: Mapping[str, str] | None = None) -> Usage:
    """Read the `usage` of a reply and the headers of a gateway.

    Thoughts that count in `total_tokens` alone (Gemini, xAI) are output: they are billed as such.
    """
    found = usage if isinstance(usage, Mapping) else {}
    given = _count(found.get("prompt_tokens"), found.get("input_tokens"))
    made = _count(found.get("completion_tokens"), found.get("output_tokens"))
    total = _count(found.get("total_tokens"))
    if given is not None and made is not None and total is not None:
        made = max(made, total - given)
    cached = _cached(found)
    return Usage(given, min(cached, given or 0), made, _cost(found, headers or {}))


def _cached(usage: Mapping[str, Any]) -> int:
    """Input tokens that the provider had cached; every provider names them its own way."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    named = (
        details.get("cached_tokens") if isinstance(details, Mapping) else None,
        usage.get("prompt_cache_hit_tokens"),  # DeepSeek
        usage.get("cache_read_input_tokens"),  # Anthropic, and LiteLLM in front of it
        usage.get("cached_tokens"),  # Moonshot
    )
    return _count(*named) or 0


def _cost(usage: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """OpenRouter's `usage.cost` and LiteLLM's header, in dollars. 0 may mean an unknown price and is no answer."""
    for value in (usage.get("cost"), headers.get("x-litellm-response-cost")):
        try:
            cost = float(value)  # type: ignore[arg-type]  # None and other kinds raise TypeError.
        except (TypeError, ValueError):
            continue
        if math.isfinite(cost) and 0 < cost <= MOST_USD:
            return cost
    return None


def _count(*values: Any) -> int | None:
    """The first of the values that can be a number of tokens."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value) and 0 <= value <= MOST_TOKENS and value == int(value):
            return int(value)
    return None
