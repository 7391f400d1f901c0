"""What plays an episode: anything that answers a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from distill.errors import BudgetSpent, CallFailed, EndpointDown, StepStopped
from videozoomer.protocol import Message

if TYPE_CHECKING:
    from distill.client.batches import BatchCall
    from videozoomer.settings.model import Endpoint

__all__ = [
    "AsksAhead",
    "BudgetSpent",
    "CallFailed",
    "EndpointDown",
    "Player",
    "Reply",
    "Session",
    "StepStopped",
    "Warms",
]


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    finish_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    call_key: str | None = None
    """Ledger key of the call; null for a player without a ledger."""
    replayed: bool = False
    """Whether it came from the ledger and nothing was paid."""


class Player(Protocol):
    """Anything that can take a turn. `name` is the model's, as tables and ids hold it."""

    name: str

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """Answer a conversation.

        Raises:
            CallFailed: this call could not be had; the episode fails, others go on.
            StepStopped: no further call makes sense; the whole step stops.
        """
        ...


@runtime_checkable
class Session(Protocol):
    """A player that must be opened before the first episode and closed after the last, on the same event loop."""

    async def start(self) -> None: ...

    async def finish(self) -> None: ...


@runtime_checkable
class AsksAhead(Protocol):
    """A player that can have calls answered before they are played."""

    endpoint: Endpoint

    def ask_ahead(self, calls: Iterable[BatchCall]) -> None: ...


@runtime_checkable
class Warms(Protocol):
    """A player that wants frames ready before they are sent."""

    def warm(self, frame_ids: Sequence[str]) -> None:
        """These frames are in the store and will be shown soon. Called from a helper thread; may block."""
        ...
