"""The section `evaluation`: the held-out questions."""

from __future__ import annotations

from typing import Literal

from videozoomer.settings.base import Amount, Positive, Settings


class EvalSettings(Settings):
    settings: tuple[Literal["zoom", "overview", "blind"], ...] = ("zoom", "overview")
    """Conditions to play in: `zoom`, `overview` (no zoom allowed) and `blind` (no frames)."""
    max_questions: Positive | None = None
    """Maximum questions for each player, drawn by `seed`; null takes all."""
    policy_questions: Positive | None = None
    """The same for a trained policy, which may be slower; null takes max_questions."""
    temperature: Amount = 0.0
    """Sampling temperature; 0 always takes the likeliest token, so that a result can be repeated."""
    max_new_tokens: Positive = 256
    """Maximum tokens of one turn of the local policy."""
    bootstrap: Positive = 2000
    """Resamples of the bootstrap behind each interval."""
    seed: int = 0
    """Seed of the draw of questions and of the resampling."""
    grader: Literal["ours", "paper", "lmms_eval"] = "ours"
    """How multiple choices are graded: `ours`, or for figures to compare with theirs as the paper does (the last letter
    before a full stop) or lmms-eval (the first letter anywhere). Both take words for letters."""

    def _left_out(self) -> frozenset[str]:
        """An evaluation by our own grader is as it was before there was a choice."""
        return super()._left_out() | ({"grader"} if self.grader == "ours" else set())
