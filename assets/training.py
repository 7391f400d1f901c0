"""`sft_policy`, `rl_policy`: training in a process of its own, reported back through Dagster Pipes."""

import json
import sys

import dagster as dg

from assets.workspace import Workspace, code_version, finish
from videozoomer.lake.atomic import write_text
from videozoomer.settings import Recipe

GROUP = "training"


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    @dg.asset(
        group_name=GROUP,
        deps=["sft_shards"],
        kinds={"pytorch", "deepspeed"},
        code_version=code_version("1", recipe.policy, recipe.sft, recipe.protocol),
        description="The policy after supervised fine-tuning on the verified trajectories: loss on the policy's own turns only, "
        "DeepSpeed as the engine, in its own process.",
    )
    def sft_policy(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
    ) -> dg.MaterializeResult:
        return fine_tune(context, workspace, pipes, "sft", "train the policy on verified trajectories")

    if not recipe.rl.enabled:
        return [sft_policy]

    @dg.asset(
        group_name=GROUP,
        deps=["rl_shards", sft_policy],
        kinds={"pytorch", "deepspeed"},
        code_version=code_version("2", recipe.policy, recipe.rl, recipe.protocol),
        description="The policy after multi-turn GRPO on questions that no rule drops: it plays in groups and learns where they "
        "differ. Every rollout is a row in its folder.",
    )
    def rl_policy(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
    ) -> dg.MaterializeResult:
        start = workspace.training("sft") / "checkpoint"
        return in_own_process(
            context,
            workspace,
            pipes,
            "rl",
            "train the policy by reinforcement learning",
            ["train.rl", workspace.recipe.rl.processes, "--shards", workspace.shards("rl"), "--policy", start],
        )

    return [sft_policy, rl_policy]


def fine_tune(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    pipes: dg.PipesSubprocessClient,
    stage: str,
    label: str,
    recipe: Recipe | None = None,
) -> dg.MaterializeResult:
    """Train on the shards of this stage's name; the checkpoint lies in `training/<stage>`. `recipe` defaults to the run's."""
    script = ["train.sft", workspace.recipe.sft.processes, "--shards", workspace.shards(stage)]
    return in_own_process(context, workspace, pipes, stage, label, script, recipe)


def in_own_process(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    pipes: dg.PipesSubprocessClient,
    stage: str,
    label: str,
    script: list,
    recipe: Recipe | None = None,
) -> dg.MaterializeResult:
    """Run a training script (module, processes, arguments...) that writes summary.json, metrics.jsonl and checkpoint/."""
    from eval.figures import curves_png, has_loss, has_values, loss_curve_png

    out = workspace.training(stage)
    resolved = write_text(out / "recipe.json", (recipe or workspace.recipe).model_dump_json(indent=1))
    module, processes, *arguments = script
    command = training_command(module, processes, [*arguments, "--out", out, "--recipe", resolved])
    with workspace.progress.task(label, 1) as advance:
        pipes.run(context=context, command=command, cwd=str(out))
        advance(1)
    summary = json.loads((out / "summary.json").read_text())
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    facts = {name: value for name, value in summary.items() if isinstance(value, int | float | str)}
    return finish(
        context,
        workspace,
        summary["content_hash"],
        facts=facts,
        metadata={
            "checkpoint": dg.MetadataValue.path(str(out / "checkpoint")),
            **({"loss": _plot("loss by step", loss_curve_png(metrics))} if any(map(has_loss, metrics)) else {}),
            **(
                {"curves": _plot("figures by round", curves_png(metrics))}
                if stage == "rl" and has_values(metrics)
                else {}
            ),
        },
    )


def training_command(module: str, processes: int, arguments: list) -> list[str]:
    """One process by hand, several under torch's launcher: the same script."""
    launcher = (
        [sys.executable, "-m", module]
        if processes == 1
        else [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc_per_node={processes}",
            "-m",
            module,
        ]
    )
    return [*launcher, *map(str, arguments)]


def _plot(name: str, png: bytes) -> dg.MarkdownMetadataValue:
    import base64

    return dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")
