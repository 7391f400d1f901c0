"""`sft_shards`, `rl_shards`, `evaluation_shards`: the exported data sets, each with manifest, checksums and a card."""

from typing import TYPE_CHECKING

import dagster as dg

from assets.reviewed import reviewed_fact
from assets.workspace import Workspace, finish, step

if TYPE_CHECKING:
    from videozoomer.shards.manifest import Manifest

GROUP = "datasets"
KINDS = {"parquet", "huggingface"}


@dg.asset(
    group_name=GROUP,
    code_version="3",
    kinds=KINDS,
    deps=["verdicts", "question_stats", "funnel", "balance", "leaks"],
    description="Verified exemplars and reflections as conversations with their frames, byte for byte as the teacher "
    "received them. The failed turns of a reflection are marked so that training skips them.",
)
@step
def sft_shards(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return export(context, workspace, "sft")


@dg.asset(
    group_name=GROUP,
    code_version="4",
    kinds=KINDS,
    deps=["verdicts", "question_stats", "funnel", "balance", "leaks"],
    description="Training questions with truth, evidence windows (given, or found by probes), pass rate and "
    "overview, for multi-turn RL.",
)
@step
def rl_shards(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return export(context, workspace, "rl")


@dg.asset(
    group_name=GROUP,
    code_version="3",
    kinds=KINDS,
    deps=["questions", "videos", "overviews", "leaks", "balance"],
    description="Evaluation questions with truth, evidence windows and overview.",
)
@step
def evaluation_shards(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    return export(context, workspace, "evaluation")


ASSETS = [sft_shards, rl_shards, evaluation_shards]


def export(context: dg.AssetExecutionContext, workspace: Workspace, kind: str) -> dg.MaterializeResult:
    """Write the data set `kind` into the run's home and show its card."""
    from videozoomer.shards.build import write_shards

    folder = workspace.shards(kind)
    workspace.begin_writing()
    listing = reviewed_fact(workspace, "sft_shards") if kind == "sft" else {}
    manifest = write_shards(kind, workspace.lake, folder, workspace.recipe)
    warn_if_empty(context, kind, manifest)
    return finish(
        context,
        workspace,
        manifest.content_hash,
        facts={"rows": manifest.rows, "frames": manifest.frames, "bytes": manifest.bytes, **listing},
        metadata={
            "path": dg.MetadataValue.path(str(folder)),
            "card": dg.MetadataValue.md((folder / "README.md").read_text()),
        },
    )


def warn_if_empty(context: dg.AssetExecutionContext, kind: str, manifest: "Manifest") -> None:
    """An empty data set is written, because the report shows it, but not in silence."""
    if why := manifest.about.get("empty"):
        context.log.warning(f"data set {kind} is empty: {why}")
