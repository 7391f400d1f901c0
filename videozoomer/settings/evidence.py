"""The section `filters.evidence`: probes that show whether the zoomed frames carry the answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from videozoomer.settings.base import Count, Positive, Settings, Share
from videozoomer.settings.endpoint import Endpoint

Probe = Literal["sufficiency", "shuffled", "elsewhere", "leave_one_out"]
Rate = Annotated[float, Field(gt=0, lt=1)]


class EvidenceSettings(Settings):
    probes: tuple[Probe, ...] = ("sufficiency", "shuffled", "elsewhere", "leave_one_out")
    """Probes of each right trajectory that the other rules keep, in this order; one that fails a probe is not asked the
    next. `sufficiency`: the zoomed frames alone; `shuffled`: the same with the options in other places; `elsewhere`: as
    many frames from elsewhere in the film; `leave_one_out`: all zooms but one."""
    blind: bool = True
    """Ask a question without any frame until it is clear whether it can be answered so; probe_samples are the first."""
    endpoint: Endpoint | None = None
    """Server that answers the probes; null asks the teacher."""
    right_rate: Rate = 0.8
    """Share of right answers of a player who sees the evidence; the zoomed frames must be told from guessing at it."""
    prior_rate: Rate = 0.6
    """Share of right answers without the evidence (blind, elsewhere) from which the zoom did not matter."""
    open_chance: Rate = 0.05
    """Chance to guess an open answer; it is 1/options for a multiple choice and a half for yes or no."""
    false_positive: Rate = 0.05
    """Maximum share of guesses that a probe takes for right."""
    false_negative: Rate = 0.1
    """Share of right players that a probe may take for guessers before the maximum of answers."""
    max_samples: Positive = 16
    """Maximum answers to one probe; asking ends sooner where they decide, and what is open at the maximum counts as
    guessed."""
    pass_level: Share | None = 0.05
    """Level of the binomial test of a question's exemplars against guessing; a question that does not pass, and of
    which no trajectory is sufficient, is dropped. null tests none."""
    max_idle_zooms: Count | None = None
    """Maximum zooms of a trajectory that its answer does without; null keeps any number, since a search may miss."""

    @model_validator(mode="after")
    def _probes_differ(self) -> Self:
        if len(set(self.probes)) != len(self.probes):
            raise ValueError(f"probes must differ, but are {list(self.probes)}")
        return self
