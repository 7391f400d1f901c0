"""Whether a failed call is retried, how often, and after what wait."""

from __future__ import annotations

import random

MAX_WAIT_S = 60.0
"""Longest wait of our own choice; a server's Retry-After may ask for more."""
_PATIENCE = 4
_PATIENT_KINDS = ("rate_limited", "overloaded")


def allowed_retries(kind: str, retries: int) -> int:
    """How often a call that failed this way is retried. A server that asks to slow down gets four times as many tries
    as `retries`, since the call is not at fault."""
    return retries * (_PATIENCE if kind in _PATIENT_KINDS else 1)


def wait_s(key: str, tries: int, retry_after_s: float | None) -> float:
    """Seconds before the next try: half a second, doubled with each try, and spread by half either way so that calls do
    not return all at once. A server's `retry_after_s` is a minimum."""
    spread = random.Random(f"{key}:{tries}").uniform(0.5, 1.5)
    chosen_s = min(MAX_WAIT_S, 0.5 * 2 ** (tries - 1)) * spread
    return chosen_s if retry_after_s is None else retry_after_s + min(chosen_s, 1.0)
