"""What plays an episode: anything that replies to a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from distill.client.calls import Call, Reply
from distill.items import EpisodeJob
from videozoomer.protocol import Message
from videozoomer.settings.model import Endpoint


@runtime_checkable
class Player(Protocol):
    """Anything that can take a turn. `name` is the model's name in tables and ids."""

    name: str

    async def reply(self, messages: Sequence[Message], *, sample: int, temperature: float) -> Reply:
        """Reply to a conversation.

        Raises:
            CallFailed: this call failed; the episode fails, others continue.
            StepStopped: no further call makes sense; the whole step stops.
        """
        ...


@runtime_checkable
class PlayerPool(Protocol):
    """Several players that share the jobs of one step."""

    @property
    def players(self) -> Sequence[Player]: ...

    def for_job(self, job: EpisodeJob) -> Player:
        """Who plays this job; the same player in every run."""
        ...


@dataclass(frozen=True, slots=True)
class SinglePlayer:
    """A pool of one."""

    player: Player

    @property
    def players(self) -> Sequence[Player]:
        return (self.player,)

    def for_job(self, job: EpisodeJob) -> Player:
        return self.player


@runtime_checkable
class Session(Protocol):
    """A player that is opened before the first episode and closed after the last, on the same event loop."""

    async def start(self) -> None: ...

    async def finish(self) -> None: ...


@runtime_checkable
class AsksAhead(Protocol):
    """A player that can have calls answered before they are played."""

    endpoint: Endpoint

    def ask_ahead(self, calls: Iterable[Call]) -> None: ...


@runtime_checkable
class Warms(Protocol):
    """A player that prepares frames before it sends them."""

    def warm(self, frame_ids: Sequence[str]) -> None:
        """These frames are in the store and will be shown soon. Called from a helper thread; may block."""
        ...
