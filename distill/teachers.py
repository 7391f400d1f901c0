"""Several teachers in one run: each sample of each question is dealt to one of them, by their shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from distill.items import EpisodeJob
from distill.player import Player


class Teachers:
    """Give this to `play_all` in the place of a player. The same job goes to the same teacher in every run."""

    def __init__(self, players: Sequence[tuple[Player, float]]) -> None:
        """Players with their shares, which need not sum to one.

        Raises:
            ValueError: there is none, or a share is not above 0.
        """
        if not players or any(share <= 0 for _, share in players):
            raise ValueError("teachers need at least one player, each with a share above 0")
        self.players = tuple(player for player, _ in players)
        self._shares = tuple(share for _, share in players)

    def __call__(self, job: EpisodeJob) -> Player:
        named = f"{job.item.question_id}:{job.kind}:{job.sample}"
        drawn = int(hashlib.sha256(named.encode()).hexdigest()[:15], 16) / 16**15 * sum(self._shares)
        for player, share in zip(self.players, self._shares, strict=True):
            if drawn < share:
                return player
            drawn -= share
        return self.players[-1]
