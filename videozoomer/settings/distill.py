"""The section `distill`: exemplars and reflections."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from videozoomer.settings.base import OPERATIONAL, Amount, Count, Positive, Settings, Share
from videozoomer.settings.endpoint import AdditionalTeacher


class DistillSettings(Settings):
    samples: Positive = 4
    """Exemplars played for each question; several show how hard it is."""
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
    budget_usd: Annotated[Amount | None, OPERATIONAL] = None
    """US dollars that this run may spend, over all its processes; a call that could exceed it is not made. null sets no
    limit."""
    failed_share: Annotated[Share, OPERATIONAL] = 0.2
    """Share of a batch's episodes that may fail; above it the batch fails, because then the server is at fault."""
