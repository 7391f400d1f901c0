"""Everything a run can be told. Each field says what it does; `videozoomer init` writes these sentences as comments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from videozoomer.protocol.protocol import Protocol
from videozoomer.settings.base import Positive, Settings, Share
from videozoomer.settings.rl import RlSettings
from videozoomer.settings.sft import SftSettings


class Source(Settings):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    """Short name; part of batch names, tables and the card."""
    videos: str
    """A folder, a glob, one file, or a manifest (.txt, one path or URL a line); fsspec URLs are allowed."""
    questions: str
    """Questions as .jsonl, .json, .csv or .parquet; columns: video, question, answer, and optionally id, options,
    type (choice, number, time, yes_no, order, text), topic, evidence ([[start_s, end_s], ...])."""
    split: Literal["train", "evaluation"] = "train"
    """What its videos are for. A video is never in both."""


PAPER = Protocol()
"""The paper's numbers, which are the defaults."""


class ProtocolSettings(Settings):
    overview_fps: Annotated[float, Field(gt=0)] = PAPER.overview_fps
    """Frames per second of the overview, while they fit."""
    overview_frames: Positive = PAPER.overview_frames
    """Most frames of the overview."""
    zoom_frames: Positive = PAPER.zoom_frames
    """Most frames of a zoom."""
    max_zooms: Annotated[int, Field(ge=0)] = PAPER.max_zooms
    """Most zooms of an episode."""
    min_pixels: Positive = PAPER.min_pixels
    """Least pixels of a frame."""
    max_pixels: Positive = PAPER.max_pixels
    """Most pixels of a frame."""
    prompts: str = "v1"
    """Version of the prompt files."""

    def to_protocol(self) -> Protocol:
        """The numbers that episodes are played by."""
        return Protocol(**self.model_dump(exclude={"prompts"}))


class VideoSettings(Settings):
    operational = frozenset({"workers", "timeout_s", "memory_mb", "failed_share", "batch_size"})

    batch_size: Positive = 100
    """Videos of one ingest batch (one Dagster partition)."""
    workers: Positive = 2
    """Videos read at once."""
    timeout_s: Annotated[float, Field(gt=0)] = 600
    """Longest that one video may take before it is quarantined."""
    memory_mb: Positive = 2048
    """Most memory that reading one video may take before it is quarantined."""
    detectors: tuple[Literal["adaptive", "content", "hash", "histogram", "threshold", "transnet"], ...] = (
        "adaptive",
        "threshold",
    )
    """Shot detectors, combined in the one pass; transnet is a network, 20 ms of CPU a frame, and needs `videozoomer[transnet]`."""
    overview: Literal["uniform", "shot_aware"] = "uniform"
    """How overview times are chosen."""
    zoom_store_fps: Annotated[float, Field(ge=0)] = 0
    """Rate of frames stored at ingest for fast zooms; 0 stores none, 8 costs some 290 MB an hour, 2 some 70 MB."""
    failed_share: Share = 0.5
    """A batch fails as a whole when more than this share of its videos cannot be read."""


class Prices(Settings):
    input_per_million: Annotated[float, Field(ge=0)] = 0
    """US dollars for a million input tokens."""
    cached_input_per_million: Annotated[float, Field(ge=0)] = 0
    """US dollars for a million input tokens that the provider had cached."""
    output_per_million: Annotated[float, Field(ge=0)] = 0
    """US dollars for a million output tokens."""
    image_rule: Literal["fixed", "gemini", "openai", "qwen"] = "fixed"
    """How the provider counts a frame: `fixed` takes image_tokens; the others follow from the frame's size."""
    image_tokens: Annotated[int, Field(ge=0)] = 258
    """Tokens that one frame counts where the rule is `fixed`; for limits and estimates before a call."""
    batch_share: Share = 0.5
    """Price of a call made through the Batch API, as a share of the same call made at once."""


class Endpoint(Settings):
    operational = frozenset(
        {
            "api_key_env",
            "concurrency",
            "timeout_s",
            "retries",
            "dead_after_s",
            "deadline_s",
            "batch",
            "requests_per_minute",
            "tokens_per_minute",
            "prices",
            "max_images",
        }
    )

    def _undecisive(self) -> frozenset[str]:
        """Where the endpoint has an identity, its address decides nothing."""
        return self.operational | {"base_url"} if self.identity else self.operational

    base_url: str
    """Any OpenAI-compatible server, for example http://127.0.0.1:8000/v1."""
    model: str | None = None
    """Model name; by default the first that the server lists."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; never the key itself."""
    identity: str | None = None
    """Name of this endpoint in ledger keys; by default base_url. Set it where the address changes from run to run."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling."""
    max_tokens: Positive = 2048
    """Most tokens of one reply."""
    seed: int | None = 0
    """Sent with each call (plus the sample number), where the server takes one; null sends none."""
    concurrency: Positive = 16
    """Most calls in flight."""
    timeout_s: Annotated[float, Field(gt=0)] = 120
    """Longest that one call may take."""
    retries: Annotated[int, Field(ge=0)] = 5
    """Further tries of a call that failed for a passing reason."""
    dead_after_s: Annotated[float, Field(gt=0)] = 90
    """The step stops when calls keep failing and nothing was answered for so long."""
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    """Longest that one step may ask this server; it then stops cleanly and the next run goes on. null sets none."""
    batch: bool = False
    """Ask what needs no answer before it (first turns, judges) through the server's Batch API: cheaper, within a day."""
    requests_per_minute: Positive | None = None
    """Cap on calls a minute."""
    tokens_per_minute: Positive | None = None
    """Cap on tokens a minute."""
    max_images: Positive | None = None
    """Most images that the server takes in one request (`videozoomer ledger probe` finds out); null knows of no limit."""
    prices: Prices = Prices()
    """What calls cost."""


class Teacher(Settings):
    endpoint: Endpoint
    """A further server."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """Its part of the exemplars, relative to the first teacher's 1."""


class DistillSettings(Settings):
    operational = frozenset({"budget_usd", "failed_share"})

    samples: Positive = 4
    """Exemplars asked for each question."""
    temperatures: tuple[Annotated[float, Field(ge=0, le=2)], ...] = ()
    """Temperature of the first, second, ... sample of a question, the last one repeating; empty takes the teacher's."""
    more_teachers: tuple[Teacher, ...] = ()
    """Teachers beside the recipe's `teacher`; the samples are dealt out by their shares."""
    enough_correct: Positive | None = None
    """Stop asking for a question once so many exemplars are right; null asks for all samples."""
    reflections: Annotated[int, Field(ge=0)] = 1
    """Reflections asked for each failed rollout that zoomed."""
    reflect_per_question: Positive = 2
    """Failed rollouts of one question that are reflected on."""
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    """Hard cap on what this run may spend; null sets none."""
    failed_share: Share = 0.2
    """A batch fails as a whole when more than this share of its episodes cannot be played."""


class FilterSettings(Settings):
    min_pass_rate: Share = 0.0
    """Questions that the teacher gets right less often are dropped."""
    max_trajectories: Positive = 2
    """Kept exemplars of one question."""
    non_zoom_share: Share = 0.25
    """Most of the exemplars that may answer from the overview alone."""
    probe_without_video: bool = True
    """Ask each question once without any frame; those answered so teach nothing about video."""
    probe_overview: bool = False
    """Ask each question with the overview alone, too; what is answered so needs no zoom. It sharpens the rules on guesses."""
    probe_samples: Positive = 2
    """Such probes a question; it is dropped when all of them are right (chance alone rarely is)."""
    duplicate_ratio: Annotated[float, Field(ge=0, le=100)] = 92
    """Likeness of two questions on the same video, from 0 to 100, above which the second is dropped."""
    signature_distance: Annotated[int, Field(ge=0, le=64)] = 18
    """Bits in which two frames' perceptual hashes may differ and still count as the same picture; unrelated pictures
    differ in 32 on average, those of a copy at low quality in up to 20."""
    signature_share: Share = 0.5
    """Share of the shorter video's seconds, found in the other one in the same order, from which one is a copy."""
    text_ratio: Annotated[float, Field(ge=0, le=100)] = 95
    """Likeness of a training and an evaluation question from which it counts as leaked, on copied videos."""
    judge: Endpoint | None = None
    """Judge for open answers that the rules cannot decide; null leaves them `unknown`."""


class ShardSettings(Settings):
    max_rows: Positive = 2000
    """Most rows of one shard file."""
    validation_share: Share = 0.1
    """Share of training videos held back to watch the loss."""


class TinyModel(Settings):
    """A random Qwen-VL of the true architecture, small enough for a CPU."""

    architecture: Literal["qwen2_5_vl", "qwen3_vl"] = "qwen2_5_vl"
    hidden_size: Positive = 128
    layers: Positive = 4
    heads: Positive = 4
    key_value_heads: Positive = 2
    vision_hidden_size: Positive = 64
    vision_layers: Positive = 2
    vocabulary: Positive = 1024


class PolicySettings(Settings):
    checkpoint: str | None = None
    """Path or hub name of a Qwen2.5-VL or Qwen3-VL checkpoint; null builds `tiny` at random."""
    tiny: TinyModel = TinyModel()
    """Configuration of the random model."""
    train_min_pixels: Positive | None = None
    """Least pixels that the image processor keeps of a frame; null takes the protocol's."""
    train_max_pixels: Positive | None = None
    """Most pixels that the image processor keeps of a frame; null takes the protocol's."""
    freeze_vision: bool = True
    """Keep the vision tower and the projector as they are."""
    lora_rank: Annotated[int, Field(ge=0)] = 0
    """Rank of LoRA adapters; 0 trains all language weights."""


class StudentSettings(Settings):
    endpoint: Endpoint | None = None
    """Where the checkpoint of the asset `student` is served (by vLLM, say); null serves it on this machine for the time
    of the rollouts."""
    samples: Positive = 2
    """Rollouts of each question."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of the rollouts."""


class EvalSettings(Settings):
    settings: tuple[Literal["zoom", "overview", "blind"], ...] = ("zoom", "overview")
    """Ways to play: with zoom, with the overview alone, without any frame."""
    max_questions: Positive | None = None
    """Evaluate at most so many questions a player (drawn by a fixed seed); null takes all."""
    policy_questions: Positive | None = None
    """The same for the trained policy, which may be slower; null takes `max_questions`."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Sampling temperature of evaluation."""
    max_new_tokens: Positive = 256
    """Most tokens of one turn of the local policy."""
    bootstrap: Positive = 2000
    """Resamples behind each interval."""
    seed: int = 0
    """Seed of the draw and of the resampling."""


class Recipe(Settings):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Name of the run."""
    home: str
    """Folder for everything the run writes: tables, ledger, shards, checkpoints, report."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Where videos and questions come from."""
    teacher: Endpoint
    """Who plays the exemplars and the reflections."""
    student: StudentSettings | None = None
    """A student, fine-tuned on exemplars alone, whose failed rollouts are reflected on; null takes the teacher's own
    failed exemplars."""
    protocol: ProtocolSettings = ProtocolSettings()
    video: VideoSettings = VideoSettings()
    distill: DistillSettings = DistillSettings()
    filters: FilterSettings = FilterSettings()
    shards: ShardSettings = ShardSettings()
    policy: PolicySettings = PolicySettings()
    sft: SftSettings = SftSettings()
    rl: RlSettings = RlSettings()
    evaluation: EvalSettings = EvalSettings()

    @model_validator(mode="after")
    def _names_differ(self) -> Recipe:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"source names must differ, but are {names}")
        return self

    @model_validator(mode="after")
    def _teachers_take_the_overview(self) -> Recipe:
        for endpoint in (self.teacher, *(teacher.endpoint for teacher in self.distill.more_teachers)):
            if endpoint.max_images is not None and endpoint.max_images < self.protocol.overview_frames:
                raise ValueError(
                    f"{endpoint.model or endpoint.base_url} takes {endpoint.max_images} images a request, but an overview has up to "
                    f"{self.protocol.overview_frames} frames: lower protocol.overview_frames or name another teacher"
                )
        return self

    @property
    def home_path(self) -> Path:
        return Path(self.home)
