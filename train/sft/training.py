"""Supervised fine-tuning on verified trajectories.

    python -m train.sft --shards DIR --out DIR --recipe FILE
    torchrun --nproc_per_node 8 -m train.sft ...        (or the `deepspeed` launcher: the same arguments)

Writes to --out: metrics.jsonl (a line a step), summary.json, checkpoint/ (read by `from_pretrained`), tensorboard/, and
while it runs state/, from which a killed run of the same recipe and data goes on.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.chat_tokens import TurnWeights
from train.policy.checkpoint import Policy, disable_progress_bars, freeze_vision, load_policy, with_lora
from train.policy.collate import DataError, PreparedSamples, Sample, TokenBatch, collate, prepare, weighted_loss
from train.policy.frame_features import FrameFeatures, own_tower
from train.policy.frame_pixels import FramePixels
from train.run.deepspeed_engine import (
    ProcessInfo,
    deepspeed_config,
    join_process_group,
    set_rate,
    start_engine,
    summed,
    take_step,
)
from train.run.flops import LanguageFlops, TowerFlops
from train.run.metrics_log import MetricsLog
from train.run.phase_timer import PHASES, PhaseTimer, peak_memory_mb
from train.run.state import bring_best, drop_state, keep_best, resume, save_state, save_weights, stamp_of, weights_hash
from train.sft.held_out_loss import WATCHED_ROWS, held_out_loss
from train.sft.packing import attend_within_trajectories, rows_of
from train.sft.schedule import Order, check_sizes, learning_rate, parts, step_count
from videozoomer.lake.atomic import write_text
from videozoomer.settings.model import Recipe
from videozoomer.settings.sft import SftSettings
from videozoomer.shards.read import ShardSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train.sft", description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="SFT data set (folder with manifest.json)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and all else")
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe as JSON")
    parser.add_argument(
        "--local_rank", type=int, default=None, help="set by the deepspeed launcher; read from the environment"
    )
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())

    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    # DeepSpeed calls torch's collectives by their old names, and every call would say so.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    process = join_process_group(recipe.sft.bf16)
    disable_progress_bars()
    with (
        open_dagster_pipes()
        if PipesEnvVarParamsLoader().is_dagster_pipes_process() and process.is_main
        else nullcontext()
    ):
        train(ShardSet(given.shards), given.out, recipe, process)
    import torch.distributed as dist

    dist.destroy_process_group()


def train(shards: ShardSet, out: Path, recipe: Recipe, process: ProcessInfo) -> dict:
    """Train, write everything, and return the summary (on every process).

    Raises:
        DataError: no row can be trained on, batch sizes do not divide, or the best checkpoint is wanted without held-out rows.
        CheckpointError: the recipe's checkpoint is no Qwen-VL.
    """
    import torch
    import torch.distributed as dist

    settings, began_s = recipe.sft, time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    if not settings.packing:
        check_sizes(settings.batch_size, settings.micro_batch_size, process.world_size)
    # The loop itself says which pass ends a step: packed steps differ in their number of passes.
    config = deepspeed_config(
        stage=settings.zero_stage, micro_batch_size=settings.micro_batch_size, accumulation=1, bf16=process.bf16
    )
    policy = _open_policy(shards, out, recipe, config, process)
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    trained, watched, watched_on = _samples(shards, policy, pixels, recipe)
    steps = step_count(len(trained.samples), settings.batch_size, settings.epochs, settings.max_steps)
    order = Order(trained.samples, settings.batch_size, settings.seed, steps, settings.length_window)

    model = _made_ready(policy, recipe)
    sizes = {"parameters": _count(policy.model), "trained_parameters": _count(model, trained=True)}
    needed = LanguageFlops.of(model)
    engine = start_engine(model, config, settings.learning_rate)
    clock = PhaseTimer(process.device)
    frames = _frames(policy, pixels, settings, clock)
    stamp = stamp_of(
        shards.manifest.content_hash, recipe.policy.digest(), settings.digest(), process.world_size, process.bf16
    )
    progress = resume(
        engine,
        out,
        stamp,
        {
            "step": 0,
            "tokens": 0,
            "cells": 0,
            "seconds": 0.0,
            "flops": 0.0,
            "phases": dict.fromkeys(PHASES, 0.0),
            "loss_before": None,
            "loss": None,
            "best_step": None,
            "best_loss": None,
        },
    )
    journal = MetricsLog(out, "sft", first=process.is_main, from_step=progress["step"])

    def batch_of(samples: Sequence[Sample]) -> TokenBatch:
        with clock.phase("loading"):
            return collate(samples, policy, frames, packed=settings.packing).to(process.device)

    def watch() -> float:
        return held_out_loss(engine, _passes(watched, settings, process), watched[0], batch_of, process)

    if progress["step"]:
        journal.say(f"going on from step {progress['step']} of {steps}")
    else:
        journal.say(
            f"{len(trained.samples)} trajectories in {steps} steps; {len(trained.too_long)} are longer than "
            f"{settings.max_tokens} tokens and left out; the loss is watched on {len(watched)} {watched_on} rows"
        )
        progress["loss_before"] = watch()

    for step in range(progress["step"], steps):
        started_s = time.monotonic()
        clock.take()
        rate = learning_rate(step, steps, settings.learning_rate, settings.warmup_share)
        set_rate(engine, rate)
        chosen = order.of_step(step)
        weight = sum(sample.weight for sample in chosen)
        passes = _passes(chosen, settings, process)
        total = cells = 0.0
        engine.train()
        for index, samples in enumerate(passes):
            batch = batch_of(samples or chosen[:1])
            with clock.phase("forward"):
                loss = weighted_loss(engine(**batch.inputs, use_cache=False).logits, batch)
            engine.set_gradient_accumulation_boundary(index == len(passes) - 1)
            with clock.phase("backward"):
                # Every token of the step counts the same, whichever device or pass it falls to. DeepSpeed divides by
                # the number of devices, so that is multiplied back in. A pass made only to keep step counts nothing.
                engine.backward(loss * (process.world_size / weight if samples else 0.0))
            with clock.phase("optimiser"):
                norm = take_step(engine)
            if samples:
                total, cells = total + loss.item(), cells + batch.cells
        seconds = time.monotonic() - started_s
        phases, seen = clock.take()
        total, cells, seen = summed([total, cells, seen], process)
        tokens, flops = sum(map(len, chosen)), needed.of_samples(chosen) + seen
        progress |= {
            "step": step + 1,
            "tokens": progress["tokens"] + tokens,
            "cells": progress["cells"] + cells,
            "seconds": progress["seconds"] + seconds,
            "flops": progress["flops"] + flops,
            "phases": {name: progress["phases"][name] + spent for name, spent in phases.items()},
        }
        facts = {
            "step": step + 1,
            "loss": total / weight,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "padding_share": 1 - tokens / cells,
            "epoch": (step + 1) * settings.batch_size / len(trained.samples),
            "model_flops": flops,
            **{f"{name}_seconds": spent for name, spent in phases.items()},
        }
        if step + 1 == steps or (settings.validation_steps and (step + 1) % settings.validation_steps == 0):
            facts["validation_loss"] = progress["loss"] = watch()
            if settings.keep == "best" and (progress["best_loss"] is None or progress["loss"] < progress["best_loss"]):
                keep_best(engine, out, stamp, step + 1, zero_stage=settings.zero_stage, process=process)
                progress |= {"best_step": step + 1, "best_loss": progress["loss"]}
        journal.step(
            facts,
            "step {step} of {of}: loss {loss:.3f}, {tokens_per_second:.0f} tokens/s, learning rate {learning_rate:.2e}",
            of=steps,
            now_s=time.monotonic(),
        )
        if (step + 1) % settings.checkpoint_steps == 0 and step + 1 < steps:
            save_state(engine, out, stamp, progress, process)

    best = settings.keep == "best" and progress["best_step"] != steps
    save_weights(
        engine,
        policy,
        out / "checkpoint",
        zero_stage=settings.zero_stage,
        adapters=bool(recipe.policy.lora_rank),
        first=process.is_main,
        weights=bring_best(engine, out, progress["best_step"], zero_stage=settings.zero_stage) if best else None,
    )
    summary = {
        "loss_before": progress["loss_before"],
        "loss_after": progress["best_loss"] if best else progress["loss"],
        "kept_step": progress["best_step"] if best else steps,
        "loss_rows": watched_on,
        "watched": len(watched),
        "steps": steps,
        "trajectories": len(trained.samples),
        "left_out_too_long": len(trained.too_long),
        "left_out_untrained": len(trained.untrained),
        "tokens": progress["tokens"],
        "seconds": round(progress["seconds"], 2),
        "wall_seconds": round(time.monotonic() - began_s, 2),
        **sizes,
        **_costs(progress, settings, process),
        "processes": process.world_size,
        "device": process.device.type,
    }
    if process.is_main:
        summary["content_hash"] = weights_hash(out / "checkpoint")
        write_text(out / "summary.json", json.dumps(summary, indent=1) + "\n")
        drop_state(out)
    journal.say(
        f"loss {summary['loss_before']:.3f} before, {summary['loss_after']:.3f} at step {summary['kept_step']}, on {len(watched)} {watched_on} rows"
    )
    journal.close()
    dist.barrier()
    return summary


def _passes(samples: Sequence[Sample], settings: SftSettings, process: ProcessInfo) -> list[list[Sample]]:
    """This process's forward passes over some samples; every process makes as many."""
    if settings.packing:
        return rows_of(samples, settings.packing_tokens or settings.max_tokens, process.rank, process.world_size)
    return parts(samples, settings.micro_batch_size, process.rank, process.world_size)


def _frames(
    policy: Policy, pixels: FramePixels, settings: SftSettings, clock: PhaseTimer
) -> FramePixels | FrameFeatures:
    """Where collation gets frames from: features where the tower stays as it is and there is room, else pixels."""
    tower = policy.model.model.visual
    cost = TowerFlops.of(policy.model)
    folder = Path(settings.vision_cache_folder) if settings.vision_cache_folder else None
    if any(weight.requires_grad for weight in tower.parameters()) or not (settings.vision_cache_gb or folder):
        clock.watch(tower, cost)
        return pixels
    tower = own_tower(policy.model, settings.zero_stage)
    clock.watch(tower, cost)
    pixels.cache_bytes = 0
    return FrameFeatures(tower, pixels, memory_bytes=int(settings.vision_cache_gb * 2**30), folder=folder)


def _costs(progress: dict, settings: SftSettings, process: ProcessInfo) -> dict:
    """What the steps cost: shares of their time, padding, memory, operations."""
    seconds, flops = progress["seconds"], progress["flops"]
    rate = flops / seconds
    return {
        "tokens_per_second": round(progress["tokens"] / seconds, 1),
        "padding_share": round(1 - progress["tokens"] / progress["cells"], 4),
        **{f"{name}_share": round(spent / seconds, 4) for name, spent in progress["phases"].items()},
        "peak_memory_mb": peak_memory_mb(process.device),
        "model_flops": flops,
        "model_flops_per_second": rate,
        **({"mfu": rate / (settings.peak_tflops * 1e12 * process.world_size)} if settings.peak_tflops else {}),
    }


def _open_policy(shards: ShardSet, out: Path, recipe: Recipe, config: dict, process: ProcessInfo) -> Policy:
    """The recipe's checkpoint, or a random tiny one made from the data set's own texts."""
    import torch
    import torch.distributed as dist

    limits = {
        "min_pixels": recipe.policy.train_min_pixels or recipe.protocol.min_pixels,
        "max_pixels": recipe.policy.train_max_pixels or recipe.protocol.max_pixels,
    }
    source: str | Path | None = recipe.policy.checkpoint
    if source is None:
        from train.policy.tiny import build_tiny

        source = out / "start"
        if process.is_main:
            texts = [
                part["text"]
                for row in shards.rows()
                for message in row["messages"]
                for part in message["parts"]
                if part["text"]
            ]
            build_tiny(recipe.policy.tiny, texts, source, **limits, seed=recipe.sft.seed)
        dist.barrier()
    if recipe.sft.zero_stage == 3:
        from transformers.integrations import HfDeepSpeedConfig

        # While this object lives, `from_pretrained` spreads the weights over the processes as it reads them.
        spread = HfDeepSpeedConfig(config)
        policy = load_policy(source, **limits, dtype=torch.bfloat16 if process.bf16 else torch.float32)
        del spread
        return policy
    return load_policy(source, **limits, dtype=torch.bfloat16 if process.bf16 else torch.float32)


def _samples(
    shards: ShardSet, policy: Policy, pixels: FramePixels, recipe: Recipe
) -> tuple[PreparedSamples, list[Sample], str]:
    """Training samples, and the samples on which the loss is watched with the name of their split."""
    chosen = recipe.sft
    turn_weights = TurnWeights(
        failed=chosen.failed_turn_weight, zoom=chosen.zoom_turn_weight, answer=chosen.answer_turn_weight
    )

    def ready(split: str) -> PreparedSamples:
        return prepare(
            shards.rows(split),
            policy.chat,
            pixels,
            shards.size,
            max_tokens=recipe.sft.max_tokens,
            turn_weights=turn_weights,
            kind_weights={"reflection": recipe.sft.reflection_weight},
        )

    trained, held_out = ready("train"), ready("validation")
    if not trained.samples:
        raise DataError(
            f"{shards.path} has no trajectory to train on ({len(trained.too_long)} are longer than sft.max_tokens = "
            f"{recipe.sft.max_tokens}); raise the limit or keep more trajectories"
        )
    if recipe.sft.keep == "best" and not held_out.samples:
        raise DataError(
            f"{shards.path} has no held-out row to tell the best checkpoint by; raise shards.validation_share or set sft.keep to last"
        )
    name = "validation" if held_out.samples else "train"
    watched = (held_out.samples or trained.samples)[:WATCHED_ROWS]
    return trained, sorted(watched, key=len), name


def _made_ready(policy: Policy, recipe: Recipe) -> PreTrainedModel:
    """Freeze, add adapters, switch checkpointing: what is trained is what requires a gradient afterwards."""
    model = policy.model
    if recipe.policy.lora_rank:
        if recipe.sft.zero_stage == 3:
            raise DataError(
                "adapters are merged before saving, which ZeRO-3 cannot do; set sft.zero_stage to 2 with policy.lora_rank"
            )
        model = with_lora(model, recipe.policy.lora_rank)
    elif recipe.policy.freeze_vision:
        freeze_vision(model)
    if recipe.sft.packing:
        attend_within_trajectories(policy.model)
    if recipe.sft.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def _count(model: PreTrainedModel, *, trained: bool = False) -> int:
    """Parameters of the whole model; ZeRO-3 keeps their number in `ds_numel`."""
    return sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters() if p.requires_grad or not trained)
