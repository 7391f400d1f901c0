"""One run of supervised fine-tuning, from opening the policy to writing the checkpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.policy.collate import Sample, TokenBatch, collate, weighted_loss
from train.policy.frame_pixels import FramePixels
from train.run.deepspeed_engine import deepspeed_config, set_rate, start_engine, take_step
from train.run.final_checkpoint import save_weights, weights_hash
from train.run.flops import LanguageFlops
from train.run.memory import peak_memory_mb
from train.run.metrics_log import MetricsLog
from train.run.phase_timer import PHASES, PhaseTimer
from train.run.process_group import ProcessInfo, barrier, summed
from train.run.saved_state import Progress, SavedState, stamp_of
from train.sft.held_out_loss import held_out_loss
from train.sft.model_setup import count_parameters, frame_source, make_trainable, open_policy
from train.sft.packing import packed_rows
from train.sft.samples import load_samples
from train.sft.schedule import Order, check_sizes, learning_rate, micro_batches, step_count
from videozoomer.lake.atomic import write_text
from videozoomer.settings.model import Recipe
from videozoomer.shards.read import ShardSet

SENTENCE = "step {step} of {of}: loss {loss:.3f}, {tokens_per_second:.0f} tokens/s, learning rate {learning_rate:.2e}"


@dataclass(kw_only=True)
class SftProgress(Progress):
    cells: float = 0
    """Tokens including padding."""
    flops: float = 0.0
    loss_before: float | None = None
    """Loss on the watched rows before the first step."""
    loss: float | None = None
    """Most recent loss on the watched rows."""
    best_step: int | None = None
    best_loss: float | None = None


def train(shards: ShardSet, out: Path, recipe: Recipe, process: ProcessInfo) -> dict[str, Any]:
    """Fine-tune, write everything to `out`, and return the summary (on every process).

    Raises:
        ShardError: the data set does not match its manifest.
        NothingToTrainOn: no row can be trained on.
        DataError: the recipe names no policy, batch sizes do not divide, or the best checkpoint is requested without
            held-out rows.
        CheckpointError: the recipe's checkpoint is no Qwen-VL.
    """
    if process.is_main:
        shards.verify()
    run = SftRun(shards, out, recipe, process)
    run.begin_or_resume()
    for step in range(run.progress.step, run.steps):
        metrics = run.step(step)
        run.validate_if_due(metrics)
        run.log_step(metrics)
        run.save_if_due()
    return run.finish()


class SftRun:
    def __init__(self, shards: ShardSet, out: Path, recipe: Recipe, process: ProcessInfo) -> None:
        """Open policy, samples, engine and saved state."""
        import torch

        self.began_s = time.monotonic()
        self.out, self.recipe, self.settings, self.process = out, recipe, recipe.sft, process
        settings = self.settings
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        if not settings.packing:
            check_sizes(settings.batch_size, settings.micro_batch_size, process.world_size)
        # `step` marks the last pass of a step itself, because packed steps differ in their number of passes.
        config = deepspeed_config(
            stage=settings.zero_stage, micro_batch_size=settings.micro_batch_size, accumulation=1, bf16=process.bf16
        )
        self.policy = open_policy(shards, out, recipe, config, process)
        pixels = FramePixels(self.policy.image_processor, shards.jpeg)
        self.samples = load_samples(shards, self.policy, pixels, settings)
        trained = self.samples.trained.samples
        self.steps = step_count(len(trained), settings.batch_size, settings.epochs, settings.max_steps)
        self.order = Order(trained, settings.batch_size, settings.seed, self.steps, settings.length_window)

        model = make_trainable(self.policy, recipe)
        self.sizes = {
            "parameters": count_parameters(self.policy.model),
            "trained_parameters": count_parameters(model, trained_only=True),
        }
        self.flops = LanguageFlops.of(model)
        self.engine = start_engine(model, config, settings.learning_rate)
        self.timer = PhaseTimer(process.device)
        self.frames = frame_source(self.policy, pixels, settings, self.timer)
        stamp = stamp_of(
            shards.manifest.content_hash, recipe.policy.digest(), settings.digest(), process.world_size, process.bf16
        )
        self.state = SavedState(self.engine, out / "state", stamp, settings.zero_stage, process)
        self.progress = self.state.resume(SftProgress(phases=dict.fromkeys(PHASES, 0.0)))
        self.log = MetricsLog(out, "sft", is_main=process.is_main, from_step=self.progress.step)

    def begin_or_resume(self) -> None:
        """Announce the run; a new one first measures the loss that it starts from."""
        if self.progress.step:
            self.log.message(f"resuming from step {self.progress.step} of {self.steps}")
            return
        samples = self.samples
        self.log.message(
            f"{len(samples.trained.samples)} trajectories in {self.steps} steps; {len(samples.trained.too_long)} "
            f"longer than {self.settings.max_tokens} tokens left out; loss measured on {len(samples.watched)} "
            f"{samples.watched_split} rows"
        )
        self.progress.loss_before = self._watched_loss()

    def step(self, step: int) -> dict[str, Any]:
        """One optimiser step, counted from 0; returns its metrics."""
        started_s = time.monotonic()
        self.timer.take()
        rate = learning_rate(step, self.steps, self.settings.learning_rate, self.settings.warmup_share)
        set_rate(self.engine, rate)
        chosen = self.order.of_step(step)
        weight = sum(sample.weight for sample in chosen)
        total, cells, norm = self._passes_of_step(chosen, weight)
        seconds = time.monotonic() - started_s
        phases, tower_flops = self.timer.take()
        total, cells, tower_flops = summed([total, cells, tower_flops], self.process)
        tokens = sum(map(len, chosen))
        flops = self.flops.of_samples(chosen) + tower_flops
        self._advance(step + 1, tokens, cells, seconds, flops, phases)
        return {
            "step": step + 1,
            "loss": total / weight,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "padding_share": 1 - tokens / cells,
            "epoch": (step + 1) * self.settings.batch_size / len(self.samples.trained.samples),
            "model_flops": flops,
            **{f"{name}_seconds": spent for name, spent in phases.items()},
        }

    def _passes_of_step(self, chosen: Sequence[Sample], weight: float) -> tuple[float, float, float | None]:
        """This process's passes of a step: summed loss, tokens including padding, and the gradient norm."""
        passes = self._passes(chosen)
        total = cells = 0.0
        norm: float | None = None
        self.engine.train()
        for index, samples in enumerate(passes):
            batch = self._batch(samples or chosen[:1])
            with self.timer.phase("forward"):
                loss = weighted_loss(self.engine(**batch.inputs, use_cache=False).logits, batch)
            self.engine.set_gradient_accumulation_boundary(index == len(passes) - 1)
            with self.timer.phase("backward"):
                # Every token of the step counts the same, on whichever device and in whichever pass. DeepSpeed divides
                # by the number of devices, so multiply it back in. A pass made only to keep in step counts nothing.
                self.engine.backward(loss * (self.process.world_size / weight if samples else 0.0))
            with self.timer.phase("optimiser"):
                norm = take_step(self.engine)
            if samples:
                total, cells = total + loss.item(), cells + batch.cells
        return total, cells, norm

    def _advance(
        self, step: int, tokens: int, cells: float, seconds: float, flops: float, phases: dict[str, float]
    ) -> None:
        progress = self.progress
        progress.step = step
        progress.tokens += tokens
        progress.cells += cells
        progress.seconds += seconds
        progress.flops += flops
        progress.add_phases(phases)

    def validate_if_due(self, metrics: dict[str, Any]) -> None:
        """Measure the loss on the watched rows at every interval and after the last step; keep the best weights."""
        progress, settings = self.progress, self.settings
        interval_ends = settings.validation_steps and progress.step % settings.validation_steps == 0
        if progress.step < self.steps and not interval_ends:
            return
        loss = self._watched_loss()
        metrics["validation_loss"] = progress.loss = loss
        if settings.keep == "best" and (progress.best_loss is None or loss < progress.best_loss):
            self.state.keep_best(progress.step)
            progress.best_step, progress.best_loss = progress.step, loss

    def log_step(self, metrics: dict[str, Any]) -> None:
        self.log.step(metrics, SENTENCE, of=self.steps, now_s=time.monotonic())

    def save_if_due(self) -> None:
        step = self.progress.step
        if step % self.settings.checkpoint_steps == 0 and step < self.steps:
            self.state.save(self.progress, best_step=self.progress.best_step)

    def finish(self) -> dict[str, Any]:
        """Write the checkpoint and the summary, then drop the saved state."""
        progress, best_step = self.progress, self.progress.best_step
        earlier = best_step if self.settings.keep == "best" and best_step != self.steps else None
        save_weights(
            self.engine,
            self.policy,
            self.out / "checkpoint",
            zero_stage=self.settings.zero_stage,
            process=self.process,
            adapters=bool(self.recipe.policy.lora_rank),
            weights=None if earlier is None else self.state.restore_best(earlier),
        )
        summary = self._summary(earlier)
        if self.process.is_main:
            summary["content_hash"] = weights_hash(self.out / "checkpoint")
            write_text(self.out / "summary.json", json.dumps(summary, indent=1) + "\n")
            self.state.drop()
        self.log.message(
            f"loss {progress.loss_before:.3f} before, {summary['loss_after']:.3f} at step {summary['kept_step']}, "
            f"on {summary['watched']} {summary['loss_rows']} rows"
        )
        self.log.close()
        barrier()
        return summary

    def _summary(self, earlier: int | None) -> dict[str, Any]:
        """`earlier`: the step whose weights were kept, if it is not the last."""
        progress, samples = self.progress, self.samples
        return {
            "loss_before": progress.loss_before,
            "loss_after": progress.loss if earlier is None else progress.best_loss,
            "kept_step": self.steps if earlier is None else earlier,
            "loss_rows": samples.watched_split,
            "watched": len(samples.watched),
            "steps": self.steps,
            "trajectories": len(samples.trained.samples),
            "left_out_too_long": len(samples.trained.too_long),
            "left_out_untrained": len(samples.trained.untrained),
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 2),
            "wall_seconds": round(time.monotonic() - self.began_s, 2),
            **self.sizes,
            **self._costs(),
            "processes": self.process.world_size,
            "device": self.process.device.type,
        }

    def _costs(self) -> dict[str, Any]:
        """Cost of all steps: shares of their time, padding, memory, operations."""
        progress, peak_tflops = self.progress, self.settings.peak_tflops
        rate = progress.flops / progress.seconds
        peak = peak_tflops * 1e12 * self.process.world_size if peak_tflops else None
        return {
            "tokens_per_second": round(progress.tokens / progress.seconds, 1),
            "padding_share": round(1 - progress.tokens / progress.cells, 4),
            **{f"{name}_share": round(spent / progress.seconds, 4) for name, spent in progress.phases.items()},
            "peak_memory_mb": peak_memory_mb(self.process.device),
            "model_flops": progress.flops,
            "model_flops_per_second": rate,
            **({"mfu": rate / peak} if peak else {}),
        }

    def _watched_loss(self) -> float:
        watched = self.samples.watched
        return held_out_loss(self.engine, self._passes(watched), watched[0], self._batch, self.process)

    def _passes(self, samples: Sequence[Sample]) -> list[list[Sample]]:
        """This process's forward passes over these samples; every process makes equally many."""
        settings, rank, world_size = self.settings, self.process.rank, self.process.world_size
        if settings.packing:
            return packed_rows(samples, settings.packing_tokens or settings.max_tokens, rank, world_size)
        return micro_batches(samples, settings.micro_batch_size, rank, world_size)

    def _batch(self, samples: Sequence[Sample]) -> TokenBatch:
        with self.timer.phase("loading"):
            batch = collate(samples, self.policy, self.frames, packed=self.settings.packing)
            return batch.to(self.process.device)
