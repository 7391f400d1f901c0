"""Multi-turn GRPO: the policy plays questions in groups and learns from how its episodes differ.

    python -m train.rl --shards DIR --policy CHECKPOINT --out DIR --recipe FILE
    torchrun --nproc_per_node 8 -m train.rl ...         (or the `deepspeed` launcher: the same arguments)

Writes to --out: metrics.jsonl (a line a round), trajectories/ (every rollout, with verdict, reward and advantage),
summary.json, checkpoint/ (read by `from_pretrained`), tensorboard/, and while it runs state/, from which a killed run
goes on. Every process plays and learns from its share of a round's questions, with the engine that it trains; or a
server plays (`rl.engine`), which is sent the weights through engine/ before each round.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from train.policy.checkpoint import Policy, disable_progress_bars, freeze_vision, load_policy
from train.policy.collate import DataError
from train.policy.frame_pixels import FramePixels
from train.rl.learning import Learner
from train.rl.records import round_metrics, write_rows
from train.rl.rollout_groups import RolloutGroup, RolloutSampler, RoundFrames
from train.rl.server_engine import ServerEngine
from train.rl.shared_prefix import SharedPrefix
from train.run.deepspeed_engine import ProcessInfo, deepspeed_config, join_process_group, start_engine, summed
from train.run.flops import TowerFlops
from train.run.metrics_log import MetricsLog
from train.run.phase_timer import PhaseTimer, peak_memory_mb
from train.run.state import drop_state, resume, save_state, save_weights, stamp_of, weights_hash
from videozoomer.lake.atomic import write_text
from videozoomer.protocol import load_prompts
from videozoomer.settings.model import Recipe
from videozoomer.shards.read import ShardSet
from videozoomer.video.reader import ReaderPool

if TYPE_CHECKING:
    from train.policy.frame_features import FrameFeatures

SENTENCE = (
    "round {step} of {of}: reward {reward:.3f}, accuracy {accuracy:.2f}, zoom rate {zoom_rate:.2f}, "
    "{groups_dropped} of {groups} groups dropped, {seconds:.1f} s"
)
PHASES = ("generation", "vision", "collation", "reference", "forward", "backward", "optimiser", "sync", "rows")
"""What a round's time goes to. `generation` is play without the vision tower: the language model and waiting for frames."""
FEATURES_BYTES = 2**30
"""Most memory for features of a frozen tower."""
WATCHED = ("reward", "accuracy", "zoom_rate", "hit_rate")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train.rl", description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="RL data set (folder with manifest.json)")
    parser.add_argument("--policy", required=True, help="checkpoint to begin with, such as the fine-tuned one")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and all else")
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe as JSON")
    parser.add_argument(
        "--local_rank", type=int, default=None, help="set by the deepspeed launcher; read from the environment"
    )
    given = parser.parse_args(arguments)
    recipe = Recipe.model_validate_json(given.recipe.read_text())

    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    process = join_process_group(recipe.rl.bf16)
    disable_progress_bars()
    with (
        open_dagster_pipes()
        if PipesEnvVarParamsLoader().is_dagster_pipes_process() and process.is_main
        else nullcontext()
    ):
        train(ShardSet(given.shards), given.policy, given.out, recipe, process)
    import torch.distributed as dist

    dist.destroy_process_group()


def train(shards: ShardSet, checkpoint: str, out: Path, recipe: Recipe, process: ProcessInfo) -> dict:
    """Play and learn for all rounds, write everything, and return the summary (on every process).

    Raises:
        DataError: there is no question, or there are more processes than questions in a round.
        CheckpointError: the checkpoint is no Qwen-VL.
        ServerFailed: the server that is to play cannot be used.
    """
    import torch

    settings, began_s = recipe.rl, time.monotonic()
    questions = shards.questions("train")
    if not questions:
        raise DataError(f"{shards.path} has no question to train on; see the funnel in its README.md")
    if process.world_size > settings.prompts:
        raise DataError(
            f"{process.world_size} processes share {settings.prompts} questions of a round (rl.prompts); take no more processes than questions"
        )
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    dtype = torch.bfloat16 if process.bf16 else torch.float32
    policy = load_policy(checkpoint, dtype=dtype)
    if recipe.policy.freeze_vision:
        freeze_vision(policy.model)
    reference = load_policy(checkpoint, dtype=dtype).model.to(process.device).eval() if settings.kl else None
    config = deepspeed_config(stage=settings.zero_stage, micro_batch_size=1, accumulation=1, bf16=process.bf16)
    engine = start_engine(SharedPrefix(policy.model), config, settings.learning_rate)
    stamp = stamp_of(
        shards.manifest.content_hash,
        str(checkpoint),
        recipe.policy.digest(),
        settings.digest(),
        recipe.protocol.digest(),
        process.bf16,
        process.world_size,
    )
    beginning = {
        "step": 0,
        "position": 0,
        "tokens": 0,
        "seconds": 0.0,
        "first": None,
        "phases": dict.fromkeys(PHASES, 0.0),
    }
    progress = resume(engine, out, stamp, beginning)
    journal = MetricsLog(out, "rl", first=process.is_main, from_step=progress["step"])
    journal.say(
        f"{'going on from' if progress['step'] else 'starting at'} round {progress['step']} of {settings.steps}, {len(questions)} questions"
    )

    protocol = recipe.protocol.to_protocol()
    clock = PhaseTimer(process.device, PHASES)
    clock.watch(policy.model.model.visual, TowerFlops.of(policy.model))
    with ReaderPool(protocol.min_pixels, protocol.max_pixels) as readers:
        album = RoundFrames(shards, readers.frames_at)
        jpegs = FramePixels(policy.image_processor, album.jpeg)
        pixels = _seen(policy, jpegs, recipe)
        remote = ServerEngine(settings.server, policy, jpegs) if settings.engine == "server" else None
        arena = RolloutSampler(
            policy, pixels, album, questions, settings, protocol, load_prompts(recipe.protocol.prompts), remote
        )
        learner = Learner(engine, reference, policy, pixels, settings, process, clock)
        facts: dict = {}
        for step in range(progress["step"], settings.steps):
            started_s = time.monotonic()
            policy.model.eval()
            if remote:
                with clock.phase("sync"):
                    save_weights(
                        engine,
                        policy,
                        out / "engine",
                        zero_stage=settings.zero_stage,
                        adapters=False,
                        first=process.is_main,
                    )
                    if process.is_main:
                        remote.load_weights(out / "engine")
                    summed([0.0], process)
            with clock.phase("generation"):
                own, varied, progress["position"], draws = play_round(arena, progress["position"], process)
            learnt = learner.learn(own, varied)
            with clock.phase("rows"):
                played = gathered(own, process)
                if process.is_main:
                    write_rows(
                        out / "trajectories" / f"round-{step + 1:05d}.parquet", arena, played, f"rl_round_{step + 1}"
                    )
                album.clear()
            tokens = summed([sum(len(rollout.tokens.ids) for group in own for rollout in group.rollouts)], process)[0]
            seconds, (phases, _) = time.monotonic() - started_s, clock.take()
            progress |= {
                "step": step + 1,
                "tokens": progress["tokens"] + tokens,
                "seconds": progress["seconds"] + seconds,
                "phases": {name: progress["phases"][name] + value for name, value in phases.items()},
            }
            if process.is_main:
                facts = {
                    "step": step + 1,
                    **round_metrics(played),
                    "groups_learnt": len(varied),
                    "groups_missing": settings.prompts - len(varied),
                    "draws": draws,
                    **learnt,
                    "learning_rate": settings.learning_rate,
                    "tokens_per_second": tokens / seconds,
                    "seconds": seconds,
                    **{f"{name}_share": value / seconds for name, value in phases.items()},
                }
                progress["first"] = progress["first"] or {name: facts[name] for name in WATCHED}
                journal.step(facts, SENTENCE, of=settings.steps, now_s=time.monotonic())
            if (step + 1) % settings.checkpoint_steps == 0 and step + 1 < settings.steps:
                save_state(engine, out, stamp, progress, process)

    save_weights(
        engine, policy, out / "checkpoint", zero_stage=settings.zero_stage, adapters=False, first=process.is_main
    )
    summary = {
        "rounds": settings.steps,
        "questions_played": progress["position"],
        "tokens": progress["tokens"],
        "seconds": round(progress["seconds"], 2),
        "wall_seconds": round(time.monotonic() - began_s, 2),
        **{
            f"{name}_share": round(value / progress["seconds"], 4)
            for name, value in progress["phases"].items()
            if progress["seconds"]
        },
        **{f"first_{name}": value for name, value in (progress["first"] or {}).items()},
        **{f"last_{name}": facts.get(name) for name in WATCHED},
        "peak_memory_mb": peak_memory_mb(process.device),
        "processes": process.world_size,
        "device": process.device.type,
    }
    if process.is_main:
        summary["content_hash"] = weights_hash(out / "checkpoint")
        write_text(out / "summary.json", json.dumps(summary, indent=1) + "\n")
        drop_state(out)
    journal.close()
    summed([0.0], process)
    return summary


def play_round(
    arena: RolloutSampler, position: int, process: ProcessInfo
) -> tuple[list[RolloutGroup], list[int], int, int]:
    """Play questions until the round has its number of groups whose rewards vary, or the redraws are used up.

    Returns the groups that this process played, the places of all groups that vary, where the next round begins, and how
    often questions were drawn.
    """
    own: list[RolloutGroup] = []
    varied: list[int] = []
    draws = 0
    while len(varied) < arena.settings.prompts and draws <= arena.settings.redraws:
        missing = arena.settings.prompts - len(varied)
        new = arena.play(range(position, position + missing)[process.rank :: process.world_size])
        own += new
        varied += sorted(gathered([group.position for group in new if group.advantages], process, everywhere=True))
        position, draws = position + missing, draws + 1
    return own, varied, position, draws


def gathered(own: list, process: ProcessInfo, *, everywhere: bool = False) -> list:
    """What all processes have, in order of the questions drawn, on the first process or everywhere; elsewhere nothing."""
    import torch.distributed as dist

    if process.world_size == 1:
        return own
    found: list[list] | None = [[] for _ in range(process.world_size)]
    if everywhere:
        dist.all_gather_object(found, own)
    else:
        found = found if process.is_main else None
        dist.gather_object(own, found)
    everything = [one for part in found or [] for one in part]
    return sorted(everything, key=lambda one: one.position if isinstance(one, RolloutGroup) else one)


def _seen(policy: Policy, jpegs: FramePixels, recipe: Recipe) -> FramePixels | FrameFeatures:
    """Pixels for a tower that is trained; for one that is not, its features, computed once a frame."""
    if not recipe.policy.freeze_vision:
        return jpegs
    from train.policy.frame_features import FrameFeatures

    return FrameFeatures(policy.model.model.visual, jpegs, memory_bytes=FEATURES_BYTES)
