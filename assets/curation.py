"""`leaks`, `verdicts`, `question_stats`, `funnel`, `balance`: what is kept, why the rest is not, what that shifts.

`verdicts`, `question_stats` and `funnel` are declared twice: with `evidence_probes` among their parents where the
recipe probes evidence.
"""

from collections.abc import Callable, Iterator

import dagster as dg
import polars as pl

from assets.reviewed import reviewed_fact
from assets.sources import leak_listing
from assets.workspace import Workspace, content_of, finish, preview, step
from videozoomer.reviews.current import pair_decisions

GROUP = "curation"
KINDS = {"duckdb", "parquet"}


@dg.asset(
    group_name=GROUP,
    code_version="3",
    kinds=KINDS,
    deps=["videos", "questions"],
    description="Training videos and questions that occur in an evaluation set: same content, same pictures "
    "(signatures find a copy that was cut, cropped, mirrored or encoded again), or the same question, whatever video "
    "it is about. Tables `copies` and `question_leaks` have every pair with its evidence, and those that a person "
    "should look at.",
)
@step
def leaks(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from filters.contamination import find_leaks
    from filters.copies.table import compare_films

    lake, settings = workspace.lake, workspace.recipe.filters
    listing = leak_listing(workspace)
    decisions = pair_decisions(lake)
    films = compare_films(lake, settings, decisions)
    lake.write("copies", films.copies)
    lake.write("compared", films.compared)
    found = find_leaks(lake, settings, decisions)
    lake.write("leaks", found.leaks)
    lake.write("question_leaks", found.questions)
    table, copies, questions = (lake.read(name) for name in ("leaks", "copies", "question_leaks"))
    listed = questions.filter(questions["status"] == "listed")
    return finish(
        context,
        workspace,
        content_of(workspace, [("leaks", "all"), ("copies", "all"), ("question_leaks", "all")]),
        facts={
            "leaks": table.height,
            "listed_videos": copies.filter(copies["status"] == "listed").height,
            "listed_questions": listed["train_id"].n_unique(),
            "films_compared": films.new_train + films.new_evaluation,
            "listing": listing,
        },
        metadata={
            "preview": preview(table, table.columns, 30),
            "copies": preview(copies, copies.columns, 30),
            "listed_pairs_of_questions": preview(listed, listed.columns, 30),
            **({"unusable_evaluation_questions": found.unusable} if found.unusable else {}),
        },
    )


CURATED_FROM = ["leaks", "probe_grades", "exemplar_grades", "reflection_grades", "videos", "questions"]


def _curating(deps: list[str]) -> Callable[[Callable[..., Iterator[dg.MaterializeResult]]], dg.AssetsDefinition]:
    def spec(name: str, description: str) -> dg.AssetSpec:
        return dg.AssetSpec(name, deps=deps, group_name=GROUP, code_version="4", kinds=KINDS, description=description)

    return dg.multi_asset(
        name="curate",
        specs=[
            spec(
                "verdicts",
                "Every trajectory as kept, rejected (with the names of all rules that dropped it) or failed.",
            ),
            spec(
                "question_stats",
                "What is known about every question: pass rate (correct / valid), probes, and the reasons to drop it.",
            ),
            spec("funnel", "From all episodes asked for to those kept, with a count for each reason."),
        ],
    )


@_curating(CURATED_FROM)
@step
def curate(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult]:
    yield from _curate(context, workspace)


@_curating([*CURATED_FROM, "evidence_probes"])
@step
def curate_with_evidence(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.MaterializeResult]:
    yield from _curate(context, workspace)


def _curate(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    from filters.funnel import as_markdown
    from filters.rules import run_rules

    lake = workspace.lake
    # Before reading: what people decide meanwhile makes the verdicts stale.
    listing = reviewed_fact(workspace, "verdicts")
    result = run_rules(lake, workspace.recipe.filters)
    lake.write("verdicts", result.verdicts)
    lake.write("question_stats", result.question_stats)
    lake.write("funnel", result.funnel)
    verdicts, stats, funnel = (lake.read(name) for name in ("verdicts", "question_stats", "funnel"))
    outcomes = dict(verdicts.group_by("outcome").len().iter_rows())
    yield finish(
        context,
        workspace,
        content_of(workspace, [("verdicts", "all")]),
        asset="verdicts",
        facts={name: outcomes.get(name, 0) for name in ("kept", "rejected", "failed")} | listing,
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


@dg.asset(
    group_name=GROUP,
    code_version="1",
    kinds=KINDS,
    deps=["verdicts", "question_stats"],
    description="Letters of the right options, topics, films, answer types, zooms, lengths, languages and pass rates "
    "before and after each rule, with a test whether the rule shifts them.",
)
@step
def balance(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from filters.balance import measure

    found = measure(workspace.lake)
    workspace.lake.write("balance", found.counts)
    workspace.lake.write("shifts", found.shifts)
    for warning in found.warnings:
        context.log.warning(warning)
    shown = found.shifts.filter(pl.col("effect").is_not_null()).sort("effect", descending=True)
    return finish(
        context,
        workspace,
        content_of(workspace, [("balance", "all"), ("shifts", "all")]),
        facts={"tests": shown.height, "warnings": len(found.warnings)},
        metadata={
            "warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in found.warnings) or "none"),
            "largest_shifts": preview(shown, ["kind", "rule", "trait", "before", "after", "effect", "p_value"], 20),
            "before_and_after": preview(
                found.counts.filter(rule="all rules"), ["kind", "trait", "value", "before", "after"], 100
            ),
        },
    )
