"""Grade a played stage: compare its answers with the truth, and send what the rules cannot decide to the judge."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from assets.playing import spending, stage_partition, stopped
from assets.workspace import Workspace, content_of, finish, partition_of, preview
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import GradeRow, QuestionRow
from videozoomer.protocol.question import QuestionColumns


def grade_stage(context: dg.AssetExecutionContext, workspace: Workspace, stage: str) -> dg.MaterializeResult:
    """Write the table `grades` for one batch of a stage. Of all assets of distillation, only these read the truth."""
    from filters.grading import grade_rows

    batch, lake = partition_of(context), workspace.lake
    partition = stage_partition(stage, batch)
    rows = lake.read("trajectories", [partition]).to_dicts()
    questions = rows_as(QuestionRow, lake.read("questions", [batch]))
    graded = judged_by_recipe(workspace, stage, batch, grade_rows(rows, questions), rows, questions)
    lake.write("grades", graded, partition)
    grades = lake.read("grades", [partition])
    counted = dict(grades.group_by("verdict").len().iter_rows())
    valid = counted.get("correct", 0) + counted.get("wrong", 0)
    facts = {
        "graded": grades.height,
        **{verdict: counted.get(verdict, 0) for verdict in ("correct", "wrong", "unknown")},
    }
    return finish(
        context,
        workspace,
        content_of(workspace, [("grades", partition)]),
        facts=facts,
        metadata={
            "pass_rate": round(counted.get("correct", 0) / valid, 4) if valid else None,
            "preview": preview(grades, ["trajectory_id", "question_id", "verdict", "grader", "detail", "hit"]),
        },
    )


def judged_by_recipe(
    workspace: Workspace,
    stage: str,
    batch: str,
    grades: list[GradeRow],
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[QuestionColumns],
) -> list[GradeRow]:
    """The grades, with those that the rules left `unknown` decided by the recipe's judge, if it has one."""
    endpoint = workspace.recipe.filters.judge
    if endpoint is None:
        return grades
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.judge import Judge, structured
    from distill.storage.frames import FrameStore
    from videozoomer.protocol.prompts import load_prompts

    scratch = workspace.scratch(f"judge_{stage}", batch)
    with (
        FrameStore(scratch / "frames.sqlite") as store,
        workspace.open_ledger(f"judge_{stage}", batch) as ledger,
        spending(workspace) as budget,
    ):
        player = ChatPlayer(structured(endpoint), ledger, store, budget=budget, purpose="judge")
        judge = Judge(player, load_prompts(workspace.recipe.protocol.prompts), endpoint.concurrency, endpoint.votes)
        try:
            judged = judge.decide_unknown(grades, rows, questions)
        except StepStopped as error:
            raise stopped(f"judging {stage} of batch {batch}", error) from error
    shutil.rmtree(scratch)
    return judged
