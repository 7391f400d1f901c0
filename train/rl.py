"""Multi-turn GRPO: the policy plays questions in groups and learns from how its episodes differ.

    python -m train.rl --shards DIR --policy CHECKPOINT --out DIR --recipe FILE

Writes to --out: metrics.jsonl (a line a round), trajectories/ (every rollout, with verdict, reward and advantage),
summary.json, checkpoint/ (read by `from_pretrained`), tensorboard/, and while it runs state/, from which a killed run
goes on. One process: the engine that trains is the one that plays, so what was sampled is what is trained on.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.model import Recipe, RlSettings
from shards.read import ShardSet
from train.collate import DataError
from train.engine import Place, deepspeed_config, start_engine, take_place
from train.grpo_loss import LossParts, policy_loss
from train.journal import Journal
from train.pixels import FramePixels
from train.policy import Policy, freeze_vision, load_policy, quiet
from train.rollout import Rollout
from train.rounds import Album, Arena, Played, figures
from train.shared_prefix import SharedPrefix, collate_group, token_logprobs
from train.state import drop_state, resume, save_state, save_weights, stamp_of, weights_hash
from video.reader import ReaderPool
from zoom import Protocol, load_prompts

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine
    from transformers import PreTrainedModel

SENTENCE = (
    "round {step} of {of}: reward {reward:.3f}, accuracy {accuracy:.2f}, zoom rate {zoom_rate:.2f}, "
    "{groups_dropped} of {groups} groups dropped"
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train.rl", description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="RL data set (folder with manifest.json)")
    parser.add_argument("--policy", required=True, help="checkpoint to begin with, such as the fine-tuned one")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and all else")
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe as JSON")
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())

    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    place = take_place(recipe.rl.bf16)
    quiet()
    with open_dagster_pipes() if PipesEnvVarParamsLoader().is_dagster_pipes_process() else nullcontext():
        train(ShardSet(given.shards), given.policy, given.out, recipe, place)
    import torch.distributed as dist

    dist.destroy_process_group()


def train(shards: ShardSet, checkpoint: str, out: Path, recipe: Recipe, place: Place) -> dict:
    """Play and learn for all rounds, write everything, and return the summary.

    Raises:
        DataError: there is no question, or more than one process was started.
        CheckpointError: the checkpoint is no Qwen-VL.
    """
    import torch

    settings, began_s = recipe.rl, time.monotonic()
    if place.world > 1:
        raise DataError("train.rl runs in one process; start it without a launcher")
    questions = shards.rows("train")
    if not questions:
        raise DataError(f"{shards.path} has no question to train on; see the funnel in its README.md")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    dtype = torch.bfloat16 if place.bf16 else torch.float32
    policy = load_policy(checkpoint, dtype=dtype)
    if recipe.policy.freeze_vision:
        freeze_vision(policy.model)
    reference = load_policy(checkpoint, dtype=dtype).model.to(place.device).eval() if settings.kl else None
    config = deepspeed_config(stage=settings.zero_stage, micro_batch_size=1, accumulation=1, bf16=place.bf16)
    engine = start_engine(SharedPrefix(policy.model), config, settings.learning_rate)
    stamp = stamp_of(shards.manifest.content_hash, str(checkpoint), recipe.policy.digest(), settings.digest(), recipe.protocol.digest(), place.bf16)
    progress = resume(engine, out, stamp, {"step": 0, "position": 0, "tokens": 0, "seconds": 0.0, "first": None})
    journal = Journal(out, "rl", first=True, from_step=progress["step"])
    journal.say(f"{'going on from' if progress['step'] else 'starting at'} round {progress['step']} of {settings.steps}, {len(questions)} questions")

    chosen = recipe.protocol
    protocol = Protocol(
        overview_fps=chosen.overview_fps, overview_frames=chosen.overview_frames, zoom_frames=chosen.zoom_frames,
        max_zooms=chosen.max_zooms, min_pixels=chosen.min_pixels, max_pixels=chosen.max_pixels,
    )
    with ReaderPool(protocol.min_pixels, protocol.max_pixels) as readers:
        album = Album(shards, readers.frames_at)
        pixels = FramePixels(policy.image_processor, album.jpeg)
        arena = Arena(policy, pixels, album, questions, settings, protocol, load_prompts(chosen.prompts))
        facts: dict = {}
        for step in range(progress["step"], settings.steps):
            started_s = time.monotonic()
            policy.model.eval()
            played, progress["position"] = play_round(arena, progress["position"])
            played_s = time.monotonic()
            _write_rows(out / "trajectories" / f"round-{step + 1:05d}.parquet", arena, played, f"rl_round_{step + 1}")
            learnt = learn(engine, reference, policy, pixels, [group for group in played if group.advantages], settings, place)
            album.clear()
            tokens = sum(len(rollout.tokens.ids) for group in played for rollout in group.rollouts)
            seconds = time.monotonic() - started_s
            facts = {
                "step": step + 1, **figures(played), **learnt, "learning_rate": settings.learning_rate,
                "tokens_per_second": tokens / seconds, "play_seconds": played_s - started_s, "learn_seconds": time.monotonic() - played_s,
            }
            progress |= {
                "step": step + 1, "tokens": progress["tokens"] + tokens, "seconds": progress["seconds"] + seconds,
                "first": progress["first"] or {name: facts[name] for name in ("reward", "accuracy", "zoom_rate", "hit_rate")},
            }
            journal.step(facts, SENTENCE, of=settings.steps, now_s=time.monotonic())
            if (step + 1) % settings.checkpoint_steps == 0 and step + 1 < settings.steps:
                save_state(engine, out, stamp, progress, place)

    save_weights(engine, policy, out / "checkpoint", zero_stage=settings.zero_stage, adapters=False, first=True)
    summary = {
        "rounds": settings.steps, "questions_played": progress["position"], "tokens": progress["tokens"],
        "seconds": round(progress["seconds"], 2), "wall_seconds": round(time.monotonic() - began_s, 2),
        **{f"first_{name}": value for name, value in (progress["first"] or {}).items()},
        **{f"last_{name}": facts.get(name) for name in ("reward", "accuracy", "zoom_rate", "hit_rate")},
        "device": place.device.type, "content_hash": weights_hash(out / "checkpoint"),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    drop_state(out)
    journal.close()
    return summary


def play_round(arena: Arena, position: int) -> tuple[list[Played], int]:
    """Groups until enough of them vary or the redraws are used up, and where the next round begins."""
    played: list[Played] = []
    wanted = arena.settings.prompts
    for _ in range(1 + arena.settings.redraws):
        missing = wanted - sum(group.advantages is not None for group in played)
        if missing <= 0:
            break
        played += arena.play(position, missing)
        position += missing
    return played, position


def learn(
    engine: DeepSpeedEngine, reference: PreTrainedModel | None, policy: Policy, pixels: FramePixels, groups: Sequence[Played],
    settings: RlSettings, place: Place,
) -> dict[str, float | None]:
    """One optimiser step for every `mini_batch` groups; the first of a round is exactly on policy."""
    sums = {"loss": 0.0, "kl": 0.0, "entropy": 0.0, "clip_share": 0.0}
    total, steps, gap = 0.0, 0, 0.0
    engine.train()
    for start in range(0, len(groups), settings.mini_batch):
        batch = groups[start : start + settings.mini_batch]
        parts = [part for group in batch for part in _parts(group, settings.forward_at_once)]
        tokens = sum(len(rollout.logprobs) for group in batch for rollout in group.learnt)
        for index, (rollouts, advantages) in enumerate(parts):
            engine.set_gradient_accumulation_boundary(index == len(parts) - 1)
            found, furthest = _part_loss(engine, reference, policy, pixels, rollouts, advantages, settings, place)
            engine.backward(found.loss / tokens)
            engine.step()
            gap = max(gap, furthest) if start == 0 else gap
            for name, value in (("loss", float(found.loss.detach())), ("kl", found.kl), ("entropy", found.entropy), ("clip_share", found.clipped)):
                sums[name] += value
        total, steps = total + tokens, steps + 1
    means = {name: value / total if total else None for name, value in sums.items()}
    return means | {
        "optimiser_steps": steps, "gradient_norm": float(engine.get_global_grad_norm() or 0.0) if steps else None,
        "sampling_gap": gap if total else None,
    }


def _parts(group: Played, size: int) -> Iterator[tuple[list[Rollout], list[float]]]:
    learnt = group.learnt
    for start in range(0, len(learnt), size):
        yield learnt[start : start + size], group.advantages[start : start + size]


def _part_loss(
    engine: DeepSpeedEngine, reference: PreTrainedModel | None, policy: Policy, pixels: FramePixels,
    rollouts: Sequence[Rollout], advantages: Sequence[float], settings: RlSettings, place: Place,
) -> tuple[LossParts, float]:
    """The loss of some rollouts of a group, and how far their log-probabilities are from those of sampling."""
    import torch

    batch = collate_group([rollout.tokens for rollout in rollouts], policy, pixels).to(place.device)
    never = policy.chat.never_sampled
    sampled = torch.zeros_like(batch.mask)
    for row, rollout in enumerate(rollouts):
        sampled[row, : len(rollout.logprobs)] = torch.tensor(rollout.logprobs)
    logprobs, entropy = token_logprobs(engine(batch.prefix, batch.endings), batch.targets, never, settings.temperature)
    anchored = None
    if reference is not None:
        with torch.no_grad():
            anchored, _ = token_logprobs(SharedPrefix(reference)(batch.prefix, batch.endings), batch.targets, never, settings.temperature)
    gain = torch.tensor(advantages, device=place.device, dtype=torch.float32)
    found = policy_loss(logprobs, entropy, sampled, anchored, gain, batch.mask, settings)
    return found, float(((logprobs.detach() - sampled).abs() * batch.mask).max())


def _write_rows(path: Path, arena: Arena, played: Sequence[Played], player: str) -> None:
    """Table `trajectories` with three columns more: verdict, reward, advantage."""
    import polars as pl

    from tables.catalog import CATALOG

    rows, more = [], []
    for group in played:
        rows += arena.rows(group, player)
        advantages = iter(group.advantages or [])
        for verdict, reward in zip(group.verdicts, group.rewards, strict=True):
            gain = next(advantages, None) if reward is not None else None
            more.append({"verdict": verdict, "reward": reward.total if reward else None, "advantage": gain, "overview_budget": group.overview_budget})
    # A question that was drawn twice in a round is played twice; its second group is numbered on.
    seen: Counter[str] = Counter()
    for row in rows:
        times = seen[row["trajectory_id"]]
        seen[row["trajectory_id"]] += 1
        row["trajectory_id"] += f"-{times}" if times else ""
    table = CATALOG["trajectories"].conform(rows)
    extra = {"verdict": pl.String, "reward": pl.Float64, "advantage": pl.Float64, "overview_budget": pl.Int64}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    table.hstack(pl.DataFrame(more, schema=extra)).write_parquet(temporary)
    temporary.replace(path)


if __name__ == "__main__":
    main()
