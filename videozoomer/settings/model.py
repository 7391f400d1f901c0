"""A recipe: one section a module, put together here. `videozoomer init --full` writes the sentences under the
fields as comments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from videozoomer.settings.base import Settings
from videozoomer.settings.distill import DistillSettings
from videozoomer.settings.endpoint import AdditionalTeacher, Endpoint, Prices, StudentSettings
from videozoomer.settings.evaluation import EvalSettings
from videozoomer.settings.evidence import EvidenceSettings
from videozoomer.settings.filters import FilterSettings
from videozoomer.settings.policy import PolicySettings, TinyModel
from videozoomer.settings.protocol import ProtocolSettings
from videozoomer.settings.rl import RlSettings
from videozoomer.settings.sft import SftSettings
from videozoomer.settings.shards import ShardSettings
from videozoomer.settings.sources import Source
from videozoomer.settings.video import VideoSettings

__all__ = [
    "AdditionalTeacher",
    "DistillSettings",
    "Endpoint",
    "EvalSettings",
    "EvidenceSettings",
    "FilterSettings",
    "PolicySettings",
    "Prices",
    "ProtocolSettings",
    "Recipe",
    "RlSettings",
    "Settings",
    "SftSettings",
    "ShardSettings",
    "Source",
    "StudentSettings",
    "TinyModel",
    "VideoSettings",
]


HOW_TO_TRAIN = (
    "set policy.checkpoint to a Qwen2.5-VL or Qwen3-VL (a folder or hub name), or policy.tiny to {} for a random model "
    "that only shows that training works"
)


class Recipe(Settings):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Name of the run: lower-case letters, digits, `_` and `-`."""
    home: str
    """Folder for everything that the run writes: tables, ledger, data sets, checkpoints and report."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Where videos and questions come from."""
    teacher: Endpoint
    """Server that plays the exemplars and the reflections."""
    student: StudentSettings | None = None
    """A student, trained on exemplars alone, whose failed rollouts are reflected on; null reflects on the teacher's own
    failed exemplars."""
    protocol: ProtocolSettings = ProtocolSettings()
    """Numbers that every episode is played by; changing one changes what a trajectory teaches."""
    video: VideoSettings = VideoSettings()
    """How videos are read at ingest."""
    distill: DistillSettings = DistillSettings()
    """How many exemplars and reflections are played, by whom, and for how much money."""
    filters: FilterSettings = FilterSettings()
    """Which questions and trajectories are kept for training."""
    shards: ShardSettings = ShardSettings()
    """How data sets are written."""
    policy: PolicySettings = PolicySettings()
    """The model to train; none by default."""
    sft: SftSettings = SftSettings()
    """Supervised fine-tuning on the kept trajectories."""
    rl: RlSettings = RlSettings()
    """Reinforcement learning after fine-tuning."""
    evaluation: EvalSettings = EvalSettings()
    """How players are evaluated on the held-out questions."""

    @model_validator(mode="after")
    def _names_differ(self) -> Recipe:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"source names must differ, but are {names}")
        return self

    @model_validator(mode="after")
    def _teachers_take_the_overview(self) -> Recipe:
        probed_by = self.filters.evidence.endpoint if self.filters.evidence else None
        for endpoint in (self.teacher, *(teacher.endpoint for teacher in self.distill.more_teachers), probed_by):
            if endpoint is None:
                continue
            if endpoint.max_images is not None and endpoint.max_images < self.protocol.overview_frames:
                raise ValueError(
                    f"{endpoint.model or endpoint.base_url} takes {endpoint.max_images} images a request, but an "
                    f"overview has up to {self.protocol.overview_frames} frames: lower protocol.overview_frames or "
                    "choose another teacher"
                )
        return self

    @model_validator(mode="after")
    def _something_is_trained_where_it_is_needed(self) -> Recipe:
        asked = "student" if self.student is not None else "rl.enabled" if self.rl.enabled else None
        if asked and not self.trains:
            raise ValueError(f"{asked} needs a policy to train: {HOW_TO_TRAIN}")
        return self

    @model_validator(mode="after")
    def _harvest_reads_letters_in_order(self) -> Recipe:
        if self.rl.enabled and self.rl.harvest is not None and "rl" in self.shards.shuffle_options:
            raise ValueError(
                "rl.harvest compares what rollouts say with the options in their first order: leave rl out of "
                "shards.shuffle_options, as in [sft, evaluation], or unset rl.harvest"
            )
        return self

    @model_validator(mode="after")
    def _more_samples_need_a_test(self) -> Recipe:
        most, evidence = self.distill.max_samples, self.filters.evidence
        if most is None:
            return self
        if evidence is None or evidence.pass_level is None:
            raise ValueError(
                "distill.max_samples asks on where filters.evidence.pass_level decides: set filters.evidence to {}"
            )
        if most < self.distill.samples:
            raise ValueError(f"distill.max_samples ({most}) must not be below distill.samples ({self.distill.samples})")
        if self.distill.enough_correct is not None:
            raise ValueError(
                "distill.max_samples plays a question on, distill.enough_correct ends it early: set one of both"
            )
        return self

    @property
    def trains(self) -> bool:
        """Whether a run trains and evaluates a policy after it has written the data sets."""
        return self.policy.is_trained

    @property
    def home_path(self) -> Path:
        return Path(self.home)

    @property
    def unpacked_path(self) -> Path:
        """Folder of films that an archive compresses. It may be deleted at any time: it is filled again when needed."""
        return self.home_path / "unpacked"
