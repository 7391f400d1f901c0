"""The section `distill`: exemplars and reflections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from videozoomer.settings.base import OPERATIONAL, Amount, Count, Positive, Settings, Share
from videozoomer.settings.endpoint import AdditionalTeacher


class DistillSettings(Settings):
    samples: Positive = 4
    """Exemplars played for each question; several show how hard it is."""
    max_samples: Positive | None = None
    """Exemplars up to which a question is played on where `samples` leave open whether its right answers are luck (by
    filters.evidence.pass_level); null plays no more than `samples`."""
    temperatures: tuple[Annotated[float, Field(ge=0, le=2)], ...] = ()
    """Temperatures of a question's first, second, ... exemplar, the last one repeating; empty takes the teacher's."""
    more_teachers: tuple[AdditionalTeacher, ...] = ()
    """Additional teachers; the exemplars of a question are divided among all by their shares."""
    enough_correct: Positive | None = None
    """Correct exemplars after which a question is not played again, to save calls; null plays all samples."""
    reflections: Count = 1
    """Reflections played for each failed rollout that zoomed; 0 plays none."""
    reflect_per_question: Positive = 2
    """Maximum failed rollouts of one question to reflect on."""
    zoom_calls: Literal["as_meant", "to_the_letter"] = "as_meant"
    """`as_meant` plays a teacher's zoom call that is not to the letter (numbers as text, minutes and seconds, a code
    fence, a tool call) where its meaning is beyond doubt, and trains on it in the protocol's form; `to_the_letter`
    makes it a fault. Students, RL and evaluations are always held to the letter."""
    budget_usd: Annotated[Amount | None, OPERATIONAL] = None
    """US dollars that this run may spend, over all its processes; a call that could exceed it is not made. null sets no
    limit."""
    failed_share: Annotated[Share, OPERATIONAL] = 0.2
    """Share of a batch's episodes that may fail; above it the batch fails, because then the server is at fault."""

    def _left_out(self) -> frozenset[str]:
        """Settings without what came later are as they were before there was any."""
        as_before = {
            name
            for name in ("zoom_calls", "max_samples")
            if getattr(self, name) == type(self).model_fields[name].default
        }
        return super()._left_out() | as_before
