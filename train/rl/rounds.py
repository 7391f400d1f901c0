"""One round of play over all processes: draw questions until enough groups have rewards that vary."""

from __future__ import annotations

from dataclasses import dataclass

from train.rl.rollout_groups import RolloutGroup, RolloutSampler
from train.run.process_group import ProcessInfo, gathered_everywhere


@dataclass(frozen=True, slots=True)
class PlayedRound:
    own: list[RolloutGroup]
    """Groups that this process played."""
    varied: list[int]
    """Positions of all processes' groups whose rewards vary."""
    next_position: int
    """Position at which the next round starts."""
    draws: int
    """How often questions were drawn."""


def play_round(sampler: RolloutSampler, position: int, process: ProcessInfo) -> PlayedRound:
    """Play from `position` until `rl.prompts` groups vary or the redraws are used up."""
    settings = sampler.settings
    own: list[RolloutGroup] = []
    varied: list[int] = []
    draws = 0
    while len(varied) < settings.prompts and draws <= settings.redraws:
        missing = settings.prompts - len(varied)
        new = sampler.play(range(position, position + missing)[process.rank :: process.world_size])
        own += new
        varied += sorted(gathered_everywhere([group.position for group in new if group.advantages], process))
        position, draws = position + missing, draws + 1
    return PlayedRound(own, varied, position, draws)
