"""`report`, `viewer`, `lake_views`: what people look at."""

from datetime import UTC, datetime

import dagster as dg

from assets.workspace import Workspace, code_version, finish
from videozoomer.lake import CATALOG
from videozoomer.settings import Recipe

GROUP = "report"


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    by_rl = ["rl_policy", "rl_policy_evaluation"] if recipe.rl.enabled else []
    inputs = ["videos", "shots", "questions", "verdicts", "question_stats", "funnel", "leaks"]

    @dg.asset(
        group_name=GROUP,
        code_version=code_version("1"),
        kinds={"html"},
        deps=[
            *inputs,
            "sft_shards",
            "rl_shards",
            "evaluation_shards",
            "sft_policy",
            "teacher_evaluation",
            "policy_evaluation",
            *by_rl,
        ],
        description="One HTML page: what came in, what was kept and why not, what it cost, what was learnt, what was not run.",
    )
    def report(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from eval.report import write_report

        path = write_report(workspace.lake, report_facts(workspace), workspace.report / "index.html")
        return finish(
            context,
            workspace,
            str(path.stat().st_size),
            facts={"bytes": path.stat().st_size},
            metadata={"page": dg.MetadataValue.url(path.resolve().as_uri())},
        )

    @dg.asset(
        group_name=GROUP,
        code_version=code_version("1"),
        kinds={"html"},
        deps=[*inputs, "exemplars", "reflections", "teacher_evaluation", "policy_evaluation"],
        description="The trajectory browser: overview, shots, every zoom with its frames and thoughts, verdict and reasons.",
    )
    def viewer(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from eval.viewer.page import write_viewer

        path = write_viewer(workspace.lake, workspace.report / "trajectories.html")
        return finish(
            context,
            workspace,
            str(path.stat().st_size),
            facts={"bytes": path.stat().st_size},
            metadata={"page": dg.MetadataValue.url(path.resolve().as_uri())},
        )

    @dg.asset(
        group_name=GROUP,
        code_version=code_version("1"),
        kinds={"duckdb"},
        deps=["report"],
        description="`lake.duckdb`: one view for each table over the Parquet files, for browsing with any DuckDB client.",
    )
    def lake_views(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        path = workspace.lake.write_views(workspace.home / "lake.duckdb")
        return finish(
            context,
            workspace,
            str(len(CATALOG)),
            facts={"views": len(CATALOG)},
            metadata={"path": dg.MetadataValue.path(str(path))},
        )

    return [report, viewer, lake_views]


def report_facts(workspace: Workspace):
    """What the report needs beyond the tables."""
    from eval.report import ReportFacts

    training, by_rl = workspace.training("sft"), workspace.training("rl")
    recipe = workspace.recipe
    return ReportFacts(
        recipe_name=recipe.name,
        protocol=recipe.protocol.model_dump(),
        teacher={
            "server": recipe.teacher.base_url,
            "model": recipe.teacher.model,
            "temperature": recipe.teacher.temperature,
        },
        shard_folders={kind: workspace.shards(kind) for kind in ("sft", "rl", "evaluation")},
        training_folder=training if (training / "summary.json").exists() else None,
        rl_folder=by_rl if recipe.rl.enabled and (by_rl / "summary.json").exists() else None,
        calls=call_statistics(workspace),
        trajectories="trajectories.html",
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def call_statistics(workspace: Workspace) -> dict[str, dict]:
    """Stage -> counts of its calls, summed over batches, as the stamps hold them."""
    total: dict[str, dict] = {}
    for stage in ("probes", "exemplars", "student_rollouts", "reflections"):
        for partition in workspace.stamps.partitions(stage):
            stamp = workspace.stamps.read(stage, partition)
            for name, value in stamp.facts.items():
                if isinstance(value, int | float):
                    counts = total.setdefault(stage, {})
                    counts[name] = counts.get(name, 0) + value
    return total
