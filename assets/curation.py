"""`leaks`, `verdicts`: what is kept, and for everything else the reasons why not."""

from collections.abc import Iterator

import dagster as dg

from assets.workspace import Workspace, code_version, content_of, finish, preview
from videozoomer.settings import Recipe

GROUP = "curation"


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    common = {
        "group_name": GROUP,
        "code_version": code_version("1", recipe.filters, recipe.protocol),
        "kinds": {"duckdb", "parquet"},
    }

    @dg.asset(
        **common,
        deps=["videos", "questions"],
        description="Training videos and questions found again in an evaluation set: same content, same pictures (perceptual "
        "signatures, so that a re-encoded copy is found), same words.",
    )
    def leaks(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from filters.contamination import find_leaks

        workspace.lake.write("leaks", find_leaks(workspace.lake, workspace.recipe.filters))
        table = workspace.lake.read("leaks")
        return finish(
            context,
            workspace,
            content_of(workspace, [("leaks", "all")]),
            facts={"leaks": table.height},
            metadata={"preview": preview(table, table.columns, 30)},
        )

    @dg.multi_asset(
        name="curate",
        specs=[
            dg.AssetSpec(
                name,
                deps=[leaks, "probe_grades", "exemplar_grades", "reflection_grades", "videos", "questions"],
                description=text,
                **common,
            )
            for name, text in (
                (
                    "verdicts",
                    "Every trajectory kept, rejected (with the names of all rules that dropped it) or failed.",
                ),
                (
                    "question_stats",
                    "What is known of every question: pass rate as correct over valid, probes, reasons that drop it.",
                ),
                ("funnel", "From all that was asked to what is kept, with a count for each reason."),
            )
        ],
    )
    def curate(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult]:
        from filters.funnel import as_markdown
        from filters.rules import run_rules

        lake = workspace.lake
        result = run_rules(lake, workspace.recipe.filters)
        for name, rows in (
            ("verdicts", result.verdicts),
            ("question_stats", result.question_stats),
            ("funnel", result.funnel),
        ):
            lake.write(name, rows)
        verdicts, stats, funnel = (lake.read(name) for name in ("verdicts", "question_stats", "funnel"))
        outcomes = dict(verdicts.group_by("outcome").len().iter_rows())
        yield finish(
            context,
            workspace,
            content_of(workspace, [("verdicts", "all")]),
            asset="verdicts",
            facts={name: outcomes.get(name, 0) for name in ("kept", "rejected", "failed")},
            metadata={"preview": preview(verdicts, verdicts.columns)},
        )
        yield finish(
            context,
            workspace,
            content_of(workspace, [("question_stats", "all")]),
            asset="question_stats",
            facts={"questions": stats.height, "kept": stats.filter(stats["reasons"].list.len() == 0).height},
            metadata={"mean_pass_rate": stats["pass_rate"].mean(), "preview": preview(stats, stats.columns)},
        )
        yield finish(
            context,
            workspace,
            content_of(workspace, [("funnel", "all")]),
            asset="funnel",
            facts={"rows": funnel.height},
            metadata={"funnel": dg.MetadataValue.md(as_markdown(funnel))},
        )

    return [leaks, curate]
