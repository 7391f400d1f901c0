"""Several teachers in one run: each sample of each question goes to one of them, by their shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from distill.items import EpisodeJob
from distill.player import Player


class TeacherPool:
    """A `PlayerPool`: the same job goes to the same teacher in every run."""

    def __init__(self, teachers: Sequence[tuple[Player, float]]) -> None:
        """Players with their shares, which need not sum to one.

        Raises:
            ValueError: there is none, or a share is not above 0.
        """
        if not teachers or any(share <= 0 for _, share in teachers):
            raise ValueError("give at least one teacher, each with a share above 0")
        self.players: tuple[Player, ...] = tuple(player for player, _ in teachers)
        self._shares = tuple(share for _, share in teachers)

    def for_job(self, job: EpisodeJob) -> Player:
        name = f"{job.item.question_id}:{job.kind}:{job.sample}"
        drawn = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16) / 16**15 * sum(self._shares)
        for player, share in zip(self.players, self._shares, strict=True):
            if drawn < share:
                return player
            drawn -= share
        return self.players[-1]
