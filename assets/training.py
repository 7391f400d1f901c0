"""`sft_policy`, `rl_policy`: training runs in its own process and reports back through Dagster Pipes."""

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from assets.training_process import LOG, ProcessFailed, cause_of, require_packages
from assets.workspace import Workspace, finish, step
from train.run.failure import FAILURE, NothingToTrainOn
from videozoomer.lake.atomic import write_text
from videozoomer.settings import Recipe
from videozoomer.shards.read import ShardSet

GROUP = "training"
ASSETS_BY_STAGE = {"student": "student", "sft": "sft_policy", "rl": "rl_policy", "rft": "rft_policy"}
"""Training stage, which names its folder -> the asset of its policy."""
NOTHING = "nothing_to_train_on"
"""Fact of a stamp: why a stage had nothing to train on. Its folder may still hold an earlier policy."""


@dg.asset(
    group_name=GROUP,
    deps=["sft_shards"],
    kinds={"pytorch", "deepspeed"},
    code_version="1",
    description="The policy after supervised fine-tuning on the verified trajectories, with DeepSpeed in a process "
    "of its own. Only the policy's own turns count in the loss.",
)
@step
def sft_policy(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    return fine_tune(context, workspace, pipes, "sft", "train the policy on verified trajectories")


@dg.asset(
    group_name=GROUP,
    deps=["rl_shards", sft_policy],
    kinds={"pytorch", "deepspeed"},
    code_version="3",
    description="The policy after multi-turn GRPO on questions that no rule drops. It plays each question several "
    "times and learns from the differences in reward within such a group. Every rollout is stored in the training "
    "folder.",
)
@step
def rl_policy(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    start = checkpoint_of(workspace, "sft")
    if start is None:
        return nothing_to_train_on(context, workspace, "rl", "there is no fine-tuned policy to start from")
    return train_in_own_process(
        context,
        workspace,
        pipes,
        stage="rl",
        label="train the policy by reinforcement learning",
        module="train.rl",
        processes=workspace.recipe.rl.processes,
        arguments=["--shards", workspace.shards("rl"), "--policy", start],
    )


def why_untrained(workspace: Workspace, stage: str) -> str | None:
    """Why a stage trained nothing; None if it did, or has not run."""
    stamp = workspace.stamps.read(ASSETS_BY_STAGE[stage])
    return stamp.facts.get(NOTHING) if stamp else None


def checkpoint_of(workspace: Workspace, stage: str) -> Path | None:
    """The policy of a stage; None where it had nothing to train on."""
    return None if why_untrained(workspace, stage) else workspace.training(stage) / "checkpoint"


def nothing_to_train_on(
    context: dg.AssetExecutionContext, workspace: Workspace, stage: str, why: str
) -> dg.MaterializeResult:
    """Finish a stage without a policy, so that the report is written and says why."""
    context.log.warning(why)
    return finish(context, workspace, hashlib.sha256(why.encode()).hexdigest(), facts={NOTHING: why})


def fine_tune(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    pipes: dg.PipesSubprocessClient,
    stage: str,
    label: str,
    recipe: Recipe | None = None,
) -> dg.MaterializeResult:
    """Train on the shards of `stage` and write to `training/<stage>`. `recipe` defaults to the run's."""
    shards = ShardSet(workspace.shards(stage))
    if not shards.manifest.rows:
        return nothing_to_train_on(context, workspace, stage, f"no trajectory is in {shards.path}")
    return train_in_own_process(
        context,
        workspace,
        pipes,
        stage=stage,
        label=label,
        module="train.sft",
        processes=workspace.recipe.sft.processes,
        arguments=["--shards", workspace.shards(stage)],
        recipe=recipe,
    )


def train_in_own_process(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    pipes: dg.PipesSubprocessClient,
    *,
    stage: str,
    label: str,
    module: str,
    processes: int,
    arguments: Sequence[str | Path],
    recipe: Recipe | None = None,
) -> dg.MaterializeResult:
    """Run a training module that writes summary.json, metrics.jsonl and checkpoint/ to the stage's training folder.

    Raises:
        dagster.Failure: a package is missing, or the training failed; the sentence has its cause and its log.
    """
    out, chosen = workspace.training(stage), recipe or workspace.recipe
    require_packages("training a policy", adapters=chosen.policy.lora_rank > 0)
    workspace.begin_writing()
    resolved = write_text(out / "recipe.json", chosen.model_dump_json(indent=1))
    (out / FAILURE).unlink(missing_ok=True)
    command = training_command(module, processes, [*arguments, "--out", out, "--recipe", resolved])
    with workspace.progress.task(label, 1) as advance:
        try:
            pipes.run(context=context, command=command, cwd=str(out))
        except (ProcessFailed, DagsterPipesExecutionError) as error:
            cause = cause_of(out, error)
            if cause.kind == NothingToTrainOn.__name__:
                return nothing_to_train_on(context, workspace, stage, cause.message)
            raise dg.Failure(f"the training stopped: {cause.message} (log: {out / LOG})") from error
        advance(1)
    summary = json.loads((out / "summary.json").read_text())
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return finish(
        context,
        workspace,
        summary["content_hash"],
        facts={name: value for name, value in summary.items() if isinstance(value, int | float | str)},
        metadata={"checkpoint": dg.MetadataValue.path(str(out / "checkpoint")), **_plots(stage, metrics)},
    )


def training_command(module: str, processes: int, arguments: Sequence[str | Path]) -> list[str]:
    """A single process runs the module directly; several run it under torch's launcher."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
    return [*command, module, *map(str, arguments)]


def _plots(stage: str, metrics: Sequence[dict[str, Any]]) -> dict[str, dg.MarkdownMetadataValue]:
    from eval.figures import curves_png, has_loss, has_values, loss_curve_png

    plots = {}
    if any(map(has_loss, metrics)):
        plots["loss"] = _image("loss by step", loss_curve_png(metrics))
    if stage == "rl" and has_values(metrics):
        plots["curves"] = _image("metrics by round", curves_png(metrics))
    return plots


def _image(name: str, png: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")
