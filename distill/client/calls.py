"""One call: what is sent, what an attempt at it gave, and what the player gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videozoomer.protocol import Message


@dataclass(frozen=True, slots=True)
class Call:
    messages: Sequence[Message]
    sample: int
    temperature: float


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one attempt. `kind` is `ok`, one of the kinds in `distill.client.errors`, or `stopped` when the
    whole step must stop."""

    kind: str
    final: bool
    text: str | None = None
    finish_reason: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    error: str | None = None
    retry_after_s: float | None = None
    refused_parameter: str | None = None
    """Set when the call can be sent again at once without this parameter."""
    uncounted: bool = False
    """Whether the server replied without a token count."""
    maybe_billed: bool = False
    """Whether the provider may have done the work although no reply arrived."""
    cost_usd: float | None = None
    """What the server itself says that the call cost, in dollars."""
    raw: str | None = None
    """JSON of `content` and `reasoning` as they came, where `text` was put together from them."""
    served_model: str | None = None
    """The model that the reply names; a gateway may have chosen another than the one asked for."""
    fingerprint: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a player gets for a call."""

    text: str
    finish_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    call_key: str | None = None
    """Ledger key of the call; null for a player without a ledger."""
    replayed: bool = False
    """Whether it came from the ledger, so that nothing was paid."""
    served_model: str | None = None
    """The model that the reply names."""
