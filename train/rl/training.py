"""One run of multi-turn GRPO, from opening the policy to writing the checkpoint."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.policy.checkpoint import Policy, freeze_vision, load_policy, on_device
from train.policy.collate import DataError
from train.policy.frame_features import FrameFeatures
from train.policy.frame_pixels import FramePixels
from train.rl.learning import Learner
from train.rl.records import round_metrics, write_rows
from train.rl.rollout_groups import RolloutGroup, RolloutSampler, RoundFrames
from train.rl.rounds import PlayedRound, play_round
from train.rl.server_engine import ServerEngine
from train.rl.shared_prefix import SharedPrefix
from train.run.deepspeed_engine import deepspeed_config, start_engine
from train.run.failure import NothingToTrainOn
from train.run.final_checkpoint import save_weights, weights_hash
from train.run.flops import TowerFlops
from train.run.memory import peak_memory_mb
from train.run.metrics_log import MetricsLog
from train.run.phase_timer import PhaseTimer
from train.run.process_group import ProcessInfo, barrier, gathered_on_main, summed
from train.run.saved_state import Progress, SavedState, stamp_of
from videozoomer.lake.atomic import write_text
from videozoomer.protocol import load_prompts
from videozoomer.protocol.question import PlayableQuestion, bad_spans_by_video
from videozoomer.settings.model import Recipe
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SENTENCE = (
    "round {step} of {of}: reward {reward:.3f}, accuracy {accuracy:.2f}, zoom rate {zoom_rate:.2f}, "
    "{groups_dropped} of {groups} groups dropped, {seconds:.1f} s"
)
PHASES = ("generation", "vision", "collation", "reference", "forward", "backward", "optimiser", "sync", "rows")
"""Phases of a round. `generation` is play without the vision tower: the language model and waiting for frames."""
FEATURES_BYTES = 2**30
"""Maximum memory for cached features of a frozen tower."""
WATCHED = ("reward", "accuracy", "zoom_rate", "hit_rate")
"""Metrics of the first and last round that the summary repeats."""


@dataclass(kw_only=True)
class RlProgress(Progress):
    position: int = 0
    """Position in the seed's endless order of questions at which the next round starts."""
    first: dict[str, float | None] | None = None
    """`WATCHED` metrics of the first round; only on the main process."""


def train(shards: ShardSet, checkpoint: str, out: Path, recipe: Recipe, process: ProcessInfo) -> dict[str, Any]:
    """Play and learn for all rounds, write everything to `out`, and return the summary (on every process).

    Raises:
        ShardError: the data set does not match its manifest.
        NothingToTrainOn: there is no question.
        DataError: there are more processes than questions per round.
        CheckpointError: the checkpoint is no Qwen-VL.
        ServerFailed: the server that should play is unusable.
    """
    if process.is_main:
        shards.verify()
    with RlRun(shards, checkpoint, out, recipe, process) as run:
        for step in range(run.progress.step, run.rounds):
            run.round(step)
            run.save_if_due()
        return run.finish()


class RlRun:
    """Use it as a context manager: it holds open video readers."""

    def __init__(self, shards: ShardSet, checkpoint: str, out: Path, recipe: Recipe, process: ProcessInfo) -> None:
        """Open policy, reference, engine, saved state and the sampler of rollouts."""
        import torch

        self.began_s = time.monotonic()
        self.out, self.settings, self.process = out, recipe.rl, process
        settings = self.settings
        self.rounds = settings.steps
        questions = shards.questions("train")
        _check_questions(shards, len(questions), settings.prompts, process)
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        dtype = torch.bfloat16 if process.bf16 else torch.float32
        self.policy = load_policy(checkpoint, dtype=dtype)
        if recipe.policy.freeze_vision:
            freeze_vision(self.policy.model)
        reference = _load_reference(checkpoint, dtype, process.device) if settings.kl else None
        config = deepspeed_config(stage=settings.zero_stage, micro_batch_size=1, accumulation=1, bf16=process.bf16)
        self.engine = start_engine(SharedPrefix(self.policy.model), config, settings.learning_rate)
        stamp = stamp_of(
            shards.manifest.content_hash,
            str(checkpoint),
            recipe.policy.digest(),
            settings.digest(),
            recipe.protocol.digest(),
            process.bf16,
            process.world_size,
        )
        self.state = SavedState(self.engine, out / "state", stamp, settings.zero_stage, process)
        self.progress = self.state.resume(RlProgress(phases=dict.fromkeys(PHASES, 0.0)))
        self.log = MetricsLog(out, "rl", is_main=process.is_main, from_step=self.progress.step)
        self.log.message(
            f"{'resuming from' if self.progress.step else 'starting at'} round {self.progress.step} of {self.rounds}, "
            f"{len(questions)} questions"
        )
        self.timer = PhaseTimer(process.device, PHASES)
        self.timer.watch(self.policy.model.model.visual, TowerFlops.of(self.policy.model))
        self._open = ExitStack()
        self.sampler = self._rollout_sampler(shards, questions, recipe)
        self.learner = Learner(self.engine, reference, self.policy, self.sampler.pixels, settings, process, self.timer)
        self.last_metrics: dict[str, Any] = {}

    def _rollout_sampler(self, shards: ShardSet, questions: list[PlayableQuestion], recipe: Recipe) -> RolloutSampler:
        protocol = recipe.protocol.to_protocol()
        readers = self._open.enter_context(
            ReaderPool(
                protocol.min_pixels,
                protocol.max_pixels,
                unpacked_dir=recipe.unpacked_path,
                stream=recipe.video.stream_index,
                bad_spans=bad_spans_by_video(questions),
            )
        )
        frames = RoundFrames(shards, readers.frames_at)
        jpegs = FramePixels(self.policy.image_processor, frames.jpeg)
        server = self.settings.server if self.settings.engine == "server" else None
        return RolloutSampler(
            self.policy,
            _frame_source(self.policy, jpegs, frozen=recipe.policy.freeze_vision),
            frames,
            questions,
            self.settings,
            protocol,
            load_prompts(recipe.protocol.prompts),
            ServerEngine(server, self.policy, jpegs, say=self.log.message, device=self.process.device)
            if server
            else None,
        )

    def __enter__(self) -> RlRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def round(self, step: int) -> None:
        """Play one round, learn from it, and record it. `step` counts from 0."""
        started_s = time.monotonic()
        self.policy.model.eval()
        self._send_weights()
        with self.timer.phase("generation"):
            played = play_round(self.sampler, self.progress.position, self.process)
        learned = self.learner.learn(played.own, played.varied) | self._retokenised()
        groups = self._record(step, played.own)
        rollouts = [rollout for group in played.own for rollout in group.rollouts]
        tokens = summed([sum(len(rollout.tokens.ids) for rollout in rollouts)], self.process)[0]
        seconds, (phases, _) = time.monotonic() - started_s, self.timer.take()
        progress = self.progress
        progress.step, progress.position = step + 1, played.next_position
        progress.tokens += tokens
        progress.seconds += seconds
        progress.add_phases(phases)
        if self.process.is_main:
            metrics = self._metrics(groups, played, learned, tokens, seconds, phases)
            progress.first = progress.first or {name: metrics[name] for name in WATCHED}
            self.log.step(metrics, SENTENCE, of=self.rounds, now_s=time.monotonic())
            self.last_metrics = metrics

    def _retokenised(self) -> dict[str, float | None]:
        """Share of this round's turns before which the server has read other tokens than the trainer keeps."""
        server = self.sampler.server
        if server is None:
            return {}
        compared, retokenised = summed(list(map(float, server.counts.take())), self.process)
        return {"retokenised_share": retokenised / compared if compared else None}

    def _send_weights(self) -> None:
        """Send the current weights to the server, if one plays."""
        server = self.sampler.server
        if server is None:
            return
        with self.timer.phase("sync"):
            folder = self.out / "engine"
            # A server may keep a copy of tied weights, which it renews only if the output layer comes by name.
            save_weights(
                self.engine,
                self.policy,
                folder,
                zero_stage=self.settings.zero_stage,
                process=self.process,
                untied=True,
            )
            if self.process.is_main:
                server.load_weights(folder)
            else:
                server.note_weights(folder)
            barrier()

    def _record(self, step: int, own: list[RolloutGroup]) -> list[RolloutGroup]:
        """Write the rollouts of all processes; returns all groups on the main process, none on the others."""
        with self.timer.phase("rows"):
            groups = sorted(gathered_on_main(own, self.process), key=lambda group: group.position)
            if self.process.is_main:
                path = self.out / "trajectories" / f"round-{step + 1:05d}.parquet"
                write_rows(path, self.sampler, groups, f"rl_round_{step + 1}")
            self.sampler.frames.clear()
        return groups

    def _metrics(
        self,
        groups: list[RolloutGroup],
        played: PlayedRound,
        learned: dict[str, float | None],
        tokens: float,
        seconds: float,
        phases: dict[str, float],
    ) -> dict[str, Any]:
        return {
            "step": self.progress.step,
            **round_metrics(groups),
            "groups_learnt": len(played.varied),
            "groups_missing": self.settings.prompts - len(played.varied),
            "draws": played.draws,
            **learned,
            "learning_rate": self.settings.learning_rate,
            "tokens_per_second": tokens / seconds,
            "seconds": seconds,
            **{f"{name}_share": value / seconds for name, value in phases.items()},
        }

    def save_if_due(self) -> None:
        step = self.progress.step
        if step % self.settings.checkpoint_steps == 0 and step < self.rounds:
            self.state.save(self.progress)

    def finish(self) -> dict[str, Any]:
        """Write the checkpoint and the summary, then drop the saved state."""
        checkpoint = self.out / "checkpoint"
        save_weights(self.engine, self.policy, checkpoint, zero_stage=self.settings.zero_stage, process=self.process)
        summary = self._summary()
        if self.process.is_main:
            summary["content_hash"] = weights_hash(checkpoint)
            write_text(self.out / "summary.json", json.dumps(summary, indent=1) + "\n")
            self.state.drop()
        self.log.close()
        barrier()
        return summary

    def _summary(self) -> dict[str, Any]:
        progress = self.progress
        shares = {
            name: round(value / progress.seconds, 4) for name, value in progress.phases.items() if progress.seconds
        }
        return {
            "rounds": self.rounds,
            "questions_played": progress.position,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 2),
            "wall_seconds": round(time.monotonic() - self.began_s, 2),
            **{f"{name}_share": share for name, share in shares.items()},
            **{f"first_{name}": value for name, value in (progress.first or {}).items()},
            **{f"last_{name}": self.last_metrics.get(name) for name in WATCHED},
            "peak_memory_mb": peak_memory_mb(self.process.device),
            "processes": self.process.world_size,
            "device": self.process.device.type,
        }


def _check_questions(shards: ShardSet, questions: int, prompts: int, process: ProcessInfo) -> None:
    if not questions:
        raise NothingToTrainOn(f"{shards.path} has no question to train on; see the funnel in its README.md")
    if process.world_size > prompts:
        raise DataError(
            f"{process.world_size} processes share the {prompts} questions of a round (rl.prompts); start at most "
            "one process per question"
        )


def _load_reference(checkpoint: str, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """The policy that training starts from, which the KL loss compares with."""
    return on_device(load_policy(checkpoint, dtype=dtype).model.eval(), device)


def _frame_source(policy: Policy, jpegs: FramePixels, *, frozen: bool) -> FramePixels | FrameFeatures:
    """Pixels for a tower that is trained; for a frozen one its features, computed once per frame."""
    if not frozen:
        return jpegs
    return FrameFeatures(policy.model.model.visual, jpegs, memory_bytes=FEATURES_BYTES)
