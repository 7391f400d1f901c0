"""`report`, `viewer`, `lake_views`: pages and views for people."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.reviewed import reviewed_fact
from assets.training import checkpoint_of, why_untrained
from assets.workspace import Workspace, finish, step
from videozoomer.lake import CATALOG
from videozoomer.settings import Recipe

if TYPE_CHECKING:
    from eval.report import ReportFacts

GROUP = "report"
CURATED = ["videos", "shots", "questions", "verdicts", "question_stats", "funnel", "leaks"]
WRITTEN = [*CURATED, "balance", "sft_shards", "rl_shards", "evaluation_shards", "teacher_evaluation"]
REPORTED = [*WRITTEN, "sft_policy", "policy_evaluation"]
BROWSED = [*CURATED, "exemplars", "reflections", "teacher_evaluation"]
REPORT = (
    "One HTML page: what came in, what was kept and why the rest was not, what it cost, what the policy learnt, and "
    "what was not run."
)


@dg.asset(group_name=GROUP, code_version="3", kinds={"html"}, deps=REPORTED, description=REPORT)
@step
def report(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return make_report(context, workspace)


@dg.asset(
    name="report",
    group_name=GROUP,
    code_version="3",
    kinds={"html"},
    deps=[*REPORTED, "rl_policy", "rl_policy_evaluation"],
    description=REPORT,
)
@step
def report_with_rl(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    """The same page, made once RL is done, where the recipe has RL."""
    return make_report(context, workspace)


@dg.asset(name="report", group_name=GROUP, code_version="3", kinds={"html"}, deps=WRITTEN, description=REPORT)
@step
def report_of_curation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """The same page, where the recipe trains nothing."""
    return make_report(context, workspace)


VIEWER = "The trajectory browser: overview, shots, every zoom with its frames and thoughts, verdict and reasons."


@dg.asset(group_name=GROUP, code_version="2", kinds={"html"}, deps=[*BROWSED, "policy_evaluation"], description=VIEWER)
@step
def viewer(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return make_viewer(context, workspace)


@dg.asset(name="viewer", group_name=GROUP, code_version="2", kinds={"html"}, deps=BROWSED, description=VIEWER)
@step
def viewer_of_curation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """The same page, where the recipe trains nothing."""
    return make_viewer(context, workspace)


@dg.asset(
    group_name=GROUP,
    code_version="2",
    kinds={"duckdb"},
    deps=["report"],
    description="`lake.duckdb`: one view per table over the Parquet files, for browsing with any DuckDB client.",
)
@step
def lake_views(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    workspace.begin_writing()
    path = workspace.lake.write_views(workspace.home / "lake.duckdb")
    return finish(
        context,
        workspace,
        str(len(CATALOG)),
        facts={"views": len(CATALOG), "listing": files_digest(workspace)},
        metadata={"path": dg.MetadataValue.path(str(path))},
    )


def files_digest(workspace: Workspace) -> str:
    """Hash of the names of all tables' files: each view of `lake.duckdb` names those that were current."""
    files = {table: dict(sorted(found.items())) for table, found in sorted(workspace.lake.snapshot().files.items())}
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def make_report(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    from eval.report import write_report

    facts, listing = report_facts(workspace), reviewed_fact(workspace, "report")
    workspace.begin_writing()
    page = write_report(workspace.lake, facts, workspace.report / "index.html")
    return finish_page(context, workspace, page, made_at=facts.made_at, listing=listing)


def make_viewer(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    from eval.viewer.page import write_viewer

    workspace.begin_writing()
    page = write_viewer(workspace.lake, workspace.report / "trajectories.html")
    return finish_page(context, workspace, page)


def finish_page(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    page: Path,
    made_at: str | None = None,
    listing: dict[str, str] | None = None,
) -> dg.MaterializeResult:
    """Stamp a page with the hash of its text. `made_at`, the time printed on it, is left out: it is no content."""
    text = page.read_text()
    content = hashlib.sha256((text.replace(made_at, "") if made_at else text).encode()).hexdigest()
    return finish(
        context,
        workspace,
        content,
        facts={"bytes": page.stat().st_size, **(listing or {})},
        metadata={"page": dg.MetadataValue.url(page.resolve().as_uri())},
    )


def report_facts(workspace: Workspace) -> "ReportFacts":
    """What the report needs beyond the tables."""
    from eval.report import ReportFacts

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
        training_folder=_trained(workspace, "sft") if recipe.trains else None,
        rl_folder=_trained(workspace, "rl") if recipe.rl.enabled else None,
        untrained=why_untrained(workspace, "sft") if recipe.trains else "the recipe trains nothing",
        evaluated=evaluated_in(recipe),
        calls=call_statistics(workspace),
        trajectories="trajectories.html",
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def evaluated_in(recipe: Recipe) -> tuple[str, ...]:
    """Partitions of `evaluations` that a recipe makes; a home keeps those of recipes that it had before."""
    policies = [("evaluation_policy", recipe.trains), ("evaluation_rl_policy", recipe.trains and recipe.rl.enabled)]
    return ("evaluation_teacher", *(stage for stage, made in policies if made))


def _trained(workspace: Workspace, stage: str) -> Path | None:
    """Folder of a finished training; None where it had nothing to train on."""
    folder = workspace.training(stage)
    return folder if checkpoint_of(workspace, stage) and (folder / "summary.json").exists() else None


def call_statistics(workspace: Workspace) -> dict[str, dict]:
    """Stage -> counts of its calls, summed over batches, from the stamps."""
    total: dict[str, dict] = {}
    for stage in ("probes", "exemplars", "student_rollouts", "reflections", "evidence_probes"):
        for partition in workspace.stamps.partitions(stage):
            stamp = workspace.stamps.read(stage, partition)
            for name, value in stamp.facts.items() if stamp else ():
                if isinstance(value, int | float):
                    counts = total.setdefault(stage, {})
                    counts[name] = counts.get(name, 0) + value
    return total
