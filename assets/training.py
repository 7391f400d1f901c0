"""`sft_policy`, `rl_policy`: training runs in its own process and reports back through Dagster Pipes."""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets.workspace import Workspace, finish, step
from videozoomer.lake.atomic import write_text
from videozoomer.settings import Recipe

GROUP = "training"


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
    code_version="2",
    description="The policy after multi-turn GRPO on questions that no rule drops. It plays each question several "
    "times and learns from the differences in reward within such a group. Every rollout is stored in the training "
    "folder.",
)
@step
def rl_policy(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    start = workspace.training("sft") / "checkpoint"
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


def fine_tune(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    pipes: dg.PipesSubprocessClient,
    stage: str,
    label: str,
    recipe: Recipe | None = None,
) -> dg.MaterializeResult:
    """Train on the shards of `stage` and write to `training/<stage>`. `recipe` defaults to the run's."""
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
    """Run a training module that writes summary.json, metrics.jsonl and checkpoint/ to the stage's training folder."""
    out = workspace.training(stage)
    workspace.begin_writing()
    resolved = write_text(out / "recipe.json", (recipe or workspace.recipe).model_dump_json(indent=1))
    command = training_command(module, processes, [*arguments, "--out", out, "--recipe", resolved])
    with workspace.progress.task(label, 1) as advance:
        pipes.run(context=context, command=command, cwd=str(out))
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
