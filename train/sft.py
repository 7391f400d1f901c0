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
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.model import Recipe
from shards.read import ShardSet
from train.collate import DataError, Prepared, Sample, collate, prepare, weighted_loss
from train.engine import Place, deepspeed_config, set_rate, start_engine, summed, take_place
from train.journal import Journal
from train.pixels import FramePixels
from train.policy import Policy, freeze_vision, load_policy, quiet, with_lora
from train.schedule import Order, accumulation, learning_rate, parts
from train.state import drop_state, resume, save_state, save_weights, stamp_of, weights_hash

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine
    from transformers import PreTrainedModel

WATCHED_ROWS = 64
"""Most held-out rows on which the loss is watched."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train.sft", description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="SFT data set (folder with manifest.json)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and all else")
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe as JSON")
    parser.add_argument("--local_rank", type=int, default=None, help="set by the deepspeed launcher; read from the environment")
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())

    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    # DeepSpeed calls torch's collectives by their old names, and every call would say so.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    place = take_place(recipe.sft.bf16)
    quiet()
    with open_dagster_pipes() if PipesEnvVarParamsLoader().is_dagster_pipes_process() and place.first else nullcontext():
        train(ShardSet(given.shards), given.out, recipe, place)
    import torch.distributed as dist

    dist.destroy_process_group()


def train(shards: ShardSet, out: Path, recipe: Recipe, place: Place) -> dict:
    """Train, write everything, and return the summary (on every process).

    Raises:
        DataError: no row can be trained on, or batch sizes do not divide.
        CheckpointError: the recipe's checkpoint is no Qwen-VL.
    """
    import torch
    import torch.distributed as dist

    settings, began_s = recipe.sft, time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    steps_apart = accumulation(settings.batch_size, settings.micro_batch_size, place.world)
    config = deepspeed_config(
        stage=settings.zero_stage, micro_batch_size=settings.micro_batch_size, accumulation=steps_apart, bf16=place.bf16
    )
    policy = _open_policy(shards, out, recipe, config, place)
    pixels = FramePixels(policy.image_processor, shards.jpeg)
    trained, watched, watched_on = _samples(shards, policy, pixels, recipe)
    order = Order(trained.samples, settings.batch_size, settings.seed)
    steps = order.steps(settings.epochs, settings.max_steps)

    model = _made_ready(policy, recipe)
    sizes = {"parameters": _count(policy.model), "trained_parameters": _count(model, trained=True)}
    engine = start_engine(model, config, settings.learning_rate)
    stamp = stamp_of(shards.manifest.content_hash, recipe.policy.digest(), settings.digest(), place.world, place.bf16)
    progress = resume(engine, out, stamp, {"step": 0, "tokens": 0, "seconds": 0.0, "loss_before": None})
    journal = Journal(out, "sft", first=place.first, from_step=progress["step"])
    if progress["step"]:
        journal.say(f"going on from step {progress['step']} of {steps}")
    else:
        journal.say(
            f"{len(trained.samples)} trajectories in {steps} steps; {len(trained.too_long)} are longer than "
            f"{settings.max_tokens} tokens and left out; the loss is watched on {len(watched)} {watched_on} rows"
        )
        progress["loss_before"] = held_out_loss(engine, watched, policy, pixels, settings.micro_batch_size, place)

    for step in range(progress["step"], steps):
        started_s = time.monotonic()
        rate = learning_rate(step, steps, settings.learning_rate, settings.warmup_share)
        set_rate(engine, rate)
        chosen = order.of_step(step)
        # Every token of the step counts the same, whichever device or part it falls to. DeepSpeed divides by the
        # number of parts and of devices, so both are multiplied back in.
        scale = steps_apart * place.world / sum(sample.weight for sample in chosen)
        total = 0.0
        engine.train()
        for part in parts(chosen, settings.micro_batch_size, place.rank, place.world):
            batch = collate(part, policy, pixels).to(place.device)
            loss = weighted_loss(engine(**batch.inputs, use_cache=False).logits, batch)
            engine.backward(loss * scale)
            engine.step()
            total += loss.item()
        tokens = sum(map(len, chosen))
        seconds = time.monotonic() - started_s
        progress |= {"step": step + 1, "tokens": progress["tokens"] + tokens, "seconds": progress["seconds"] + seconds}
        journal.step(
            {
                "step": step + 1, "loss": summed([total], place)[0] / sum(sample.weight for sample in chosen),
                "learning_rate": rate, "gradient_norm": float(engine.get_global_grad_norm() or 0.0),
                "tokens": tokens, "tokens_per_second": tokens / seconds, "epoch": (step + 1) * settings.batch_size / len(trained.samples),
            },
            "step {step} of {of}: loss {loss:.3f}, {tokens_per_second:.0f} tokens/s, learning rate {learning_rate:.2e}",
            of=steps, now_s=time.monotonic(),
        )
        if (step + 1) % settings.checkpoint_steps == 0 and step + 1 < steps:
            save_state(engine, out, stamp, progress, place)

    loss_after = held_out_loss(engine, watched, policy, pixels, settings.micro_batch_size, place)
    save_weights(
        engine, policy, out / "checkpoint", zero_stage=settings.zero_stage, adapters=bool(recipe.policy.lora_rank), first=place.first
    )
    summary = {
        "loss_before": progress["loss_before"], "loss_after": loss_after, "loss_rows": watched_on, "watched": len(watched),
        "steps": steps, "trajectories": len(trained.samples), "left_out_too_long": len(trained.too_long),
        "left_out_untrained": len(trained.untrained), "tokens": progress["tokens"], "seconds": round(progress["seconds"], 2),
        "wall_seconds": round(time.monotonic() - began_s, 2), **sizes,
        "processes": place.world, "device": place.device.type,
    }
    if place.first:
        summary["content_hash"] = weights_hash(out / "checkpoint")
        (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
        drop_state(out)
    journal.say(f"loss {summary['loss_before']:.3f} before, {loss_after:.3f} after, on {len(watched)} {watched_on} rows")
    journal.close()
    dist.barrier()
    return summary


def _open_policy(shards: ShardSet, out: Path, recipe: Recipe, config: dict, place: Place) -> Policy:
    """The recipe's checkpoint, or a random tiny one made from the data set's own texts."""
    import torch
    import torch.distributed as dist

    limits = {
        "min_pixels": recipe.policy.train_min_pixels or recipe.protocol.min_pixels,
        "max_pixels": recipe.policy.train_max_pixels or recipe.protocol.max_pixels,
    }
    source: str | Path | None = recipe.policy.checkpoint
    if source is None:
        from train.tiny import build_tiny

        source = out / "start"
        if place.first:
            texts = [part["text"] for row in shards.rows() for message in row["messages"] for part in message["parts"] if part["text"]]
            build_tiny(recipe.policy.tiny, texts, source, **limits, seed=recipe.sft.seed)
        dist.barrier()
    if recipe.sft.zero_stage == 3:
        from transformers.integrations import HfDeepSpeedConfig

        # While this object lives, `from_pretrained` spreads the weights over the processes as it reads them.
        spread = HfDeepSpeedConfig(config)
        policy = load_policy(source, **limits, dtype=torch.bfloat16 if place.bf16 else torch.float32)
        del spread
        return policy
    return load_policy(source, **limits, dtype=torch.bfloat16 if place.bf16 else torch.float32)


def _samples(shards: ShardSet, policy: Policy, pixels: FramePixels, recipe: Recipe) -> tuple[Prepared, list[Sample], str]:
    """Training samples, and the samples on which the loss is watched with the name of their split."""

    def ready(split: str) -> Prepared:
        return prepare(
            shards.rows(split), policy.chat, pixels, shards.size,
            max_tokens=recipe.sft.max_tokens, failed_turn_weight=recipe.sft.failed_turn_weight,
        )

    trained, held_out = ready("train"), ready("validation")
    if not trained.samples:
        raise DataError(
            f"{shards.path} has no trajectory to train on ({len(trained.too_long)} are longer than sft.max_tokens = "
            f"{recipe.sft.max_tokens}); raise the limit or keep more trajectories"
        )
    name = "validation" if held_out.samples else "train"
    watched = (held_out.samples or trained.samples)[:WATCHED_ROWS]
    return trained, sorted(watched, key=len), name


def _made_ready(policy: Policy, recipe: Recipe) -> PreTrainedModel:
    """Freeze, add adapters, switch checkpointing: what is trained is what requires a gradient afterwards."""
    model = policy.model
    if recipe.policy.lora_rank:
        if recipe.sft.zero_stage == 3:
            raise DataError("adapters are merged before saving, which ZeRO-3 cannot do; set sft.zero_stage to 2 with policy.lora_rank")
        model = with_lora(model, recipe.policy.lora_rank)
    elif recipe.policy.freeze_vision:
        freeze_vision(model)
    if recipe.sft.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def held_out_loss(
    engine: DeepSpeedEngine, samples: list[Sample], policy: Policy, pixels: FramePixels, size: int, place: Place
) -> float:
    """Mean loss of a trained token. Every process makes the same number of passes, as ZeRO-3 demands."""
    import torch

    turns = parts(samples, size, place.rank, place.world)
    most = -(-len(range(0, len(samples), size)) // place.world)
    total = weight = 0.0
    engine.eval()
    with torch.no_grad():
        for turn in range(most):
            counted = turn < len(turns)
            batch = collate(turns[turn] if counted else samples[:1], policy, pixels).to(place.device)
            loss = weighted_loss(engine(**batch.inputs, use_cache=False).logits, batch)
            if counted:
                total, weight = total + loss.item(), weight + float(batch.weights.sum())
    total, weight = summed([total, weight], place)
    return total / weight


def _count(model: PreTrainedModel, *, trained: bool = False) -> int:
    """Parameters of the whole model; ZeRO-3 keeps their number in `ds_numel`."""
    return sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters() if p.requires_grad or not trained)


if __name__ == "__main__":
    main()
