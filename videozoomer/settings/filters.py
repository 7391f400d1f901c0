"""The section `filters`: what is kept for training."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from videozoomer.settings.base import Positive, Settings, Share
from videozoomer.settings.endpoint import Endpoint, JudgeEndpoint
from videozoomer.settings.evidence import EvidenceSettings

Seconds = Annotated[float, Field(ge=0)]
Likeness = Annotated[float, Field(ge=0, le=100)]


class FilterSettings(Settings):
    min_pass_rate: Share = 0.0
    """Minimum pass rate of a question, correct over judged exemplars; 0 keeps hard questions too."""
    max_trajectories: Positive = 2
    """Maximum exemplars kept of one question."""
    non_zoom_share: Share = 0.25
    """Maximum share of kept exemplars that answer from the overview alone."""
    probe_without_video: bool = True
    """Ask each question without any frame; one that is answered correctly teaches nothing about video."""
    probe_overview: bool = False
    """Ask each question with the overview alone too, which shows where no zoom is needed and tells guesses apart; costs
    more calls."""
    probe_samples: Positive = 2
    """Probes of each kind for a question; it is rejected if all those without video are correct, because one may be by
    chance."""
    duplicate_ratio: Likeness = 92
    """Likeness of the words with meaning, from 0 to 100, from which the second of two questions on the same video with
    the same answer is a duplicate."""
    min_thought_words: Annotated[int, Field(ge=0)] = 3
    """Minimum words of each thought that training imitates."""
    max_thought_chars: Positive = 6000
    """Maximum characters of a thought."""
    max_languages: Positive = 1
    """Maximum languages of one trajectory's thoughts."""
    time_tolerance_s: Seconds = 1.0
    """Seconds by which a time that a thought cites may differ from that of a frame that was shown."""
    zoom_overlap: Share = 0.9
    """Share of a zoom, already shown by an earlier one at its rate, from which it shows nothing new."""
    trajectory_ratio: Share = 0.9
    """Share of their runs of three words that two trajectories have in common, from which one repeats the other; 1
    drops only exact repetitions."""
    skip_rules: tuple[str, ...] = ()
    """Names of rules that are not applied."""
    review_overrides: tuple[str, ...] = ()
    """Names of rules that a person's `keep` overrides: of a question rules about questions, of a trajectory others."""
    signature_distance: Annotated[int, Field(ge=0, le=64)] = 18
    """Bits of 64 in which the hashes of two pictures may differ and still show the same, up to 15: more counts as 15,
    because unrelated pictures are that near by chance."""
    signature_share: Share = 0.5
    """Share of the shorter video's time, shown by the other in the same order, from which a person should look at the
    two; from 0.7 with enough evidence, one is a copy."""
    text_ratio: Likeness = 95
    """Likeness, from 0 to 100, from which a training question counts as an evaluation question on a copied video."""
    evaluation_questions: tuple[str, ...] = ()
    """Question files of further evaluation sets that training must not contain: published benchmarks, in any layout
    that `sources` reads. Only their texts are compared; no video of theirs is needed, and none is played."""

    evidence: EvidenceSettings | None = None
    """Probes that show whether the zoomed frames carry the answer, and tests against guessing; null asks none. `{}`
    takes the defaults."""
    judge: JudgeEndpoint | None = None
    """Server that judges open answers which the rules cannot decide; null leaves them `unknown`."""

    def _left_out(self) -> frozenset[str]:
        """What came later and is not set leaves the digest as it was before there was any."""
        later = ("review_overrides", "evaluation_questions")
        unset = {name for name in later if not getattr(self, name)}
        return super()._left_out() | unset | (set() if self.evidence is not None else {"evidence"})

    @field_validator("judge", mode="before")
    @classmethod
    def _any_endpoint(cls, value: Any) -> Any:
        """Any endpoint may judge; its settings as a judge are then the defaults."""
        plain = isinstance(value, Endpoint) and not isinstance(value, JudgeEndpoint)
        return JudgeEndpoint(**{name: getattr(value, name) for name in value.model_fields_set}) if plain else value
