"""`teacher_evaluation`, `policy_evaluation`, `rl_policy_evaluation`: players on the held-out questions."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.items import playable, put_overview_frames
from assets.playing import spending, stopped, write_trajectories
from assets.training import NOTHING, checkpoint_of, why_untrained
from assets.training_process import require_packages
from assets.workspace import Workspace, content_of, finish, preview, step
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import QuestionRow

if TYPE_CHECKING:
    from distill.player import Player
    from distill.storage.frames import FrameStore
    from videozoomer.lake.rows import TrajectoryRow
    from videozoomer.protocol.question import QuestionItem

GROUP = "evaluation"


@dg.asset(
    group_name=GROUP,
    deps=["evaluation_shards"],
    kinds={"openai", "parquet"},
    code_version="2",
    description="The teacher on the held-out questions, with zoom and with the overview alone.",
)
@step
def teacher_evaluation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    from distill.client.chat import ChatPlayer
    from distill.client.errors import StepStopped
    from distill.storage.frames import FrameStore

    stage, endpoint = "evaluation_teacher", workspace.recipe.teacher
    scratch = workspace.scratch(stage, "all")
    with (
        FrameStore(scratch / "frames.sqlite") as store,
        workspace.open_ledger(stage, "all") as ledger,
        spending(workspace) as budget,
    ):
        items = held_out(workspace, store, workspace.recipe.evaluation.max_questions)
        player = ChatPlayer(endpoint, ledger, store, budget=budget)
        try:
            result = _evaluate(context, workspace, stage, items, player, store, endpoint.concurrency)
        except StepStopped as error:
            raise stopped("the teacher's evaluation", error) from error
    shutil.rmtree(scratch)
    return result


@dg.asset(
    group_name=GROUP,
    deps=["evaluation_shards", "sft_policy"],
    kinds={"pytorch", "parquet"},
    code_version="2",
    description="The fine-tuned policy on the held-out questions, with zoom and with the overview alone.",
)
@step
def policy_evaluation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    return evaluate_policy(context, workspace, "sft", "evaluation_policy")


@dg.asset(
    group_name=GROUP,
    deps=["evaluation_shards", "rl_policy"],
    kinds={"pytorch", "parquet"},
    code_version="2",
    description="The policy after reinforcement learning on the held-out questions, with zoom and with the overview "
    "alone.",
)
@step
def rl_policy_evaluation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    return evaluate_policy(context, workspace, "rl", "evaluation_rl_policy")


def evaluate_policy(
    context: dg.AssetExecutionContext, workspace: Workspace, trained: str, stage: str
) -> dg.MaterializeResult:
    """Evaluate the checkpoint in `training/<trained>`; its rows are written under `stage`."""
    from distill.storage.frames import FrameStore
    from train.serving.player import LocalPolicy

    checkpoint = checkpoint_of(workspace, trained)
    if checkpoint is None:
        return _no_player(context, workspace, stage, str(why_untrained(workspace, trained)))
    require_packages("playing a policy")
    chosen = workspace.recipe.evaluation
    scratch = workspace.scratch(stage, "all")
    with FrameStore(scratch / "frames.sqlite") as store:
        items = held_out(workspace, store, chosen.policy_questions or chosen.max_questions)
        player = LocalPolicy(checkpoint, store, chosen.max_new_tokens, name=f"{trained}_policy")
        result = _evaluate(context, workspace, stage, items, player, store, concurrency=len(items) or 1)
    shutil.rmtree(scratch)
    return result


def _no_player(context: dg.AssetExecutionContext, workspace: Workspace, stage: str, why: str) -> dg.MaterializeResult:
    """An evaluation of nobody: its tables are empty, also where there was a policy before."""
    write_trajectories(workspace, stage, "all", [], None)
    for table, partition in (("grades", f"{stage}.all"), ("evaluations", stage)):
        workspace.lake.write(table, [], partition)
    return finish(
        context,
        workspace,
        content_of(workspace, [("evaluations", stage), ("trajectories", f"{stage}.all")]),
        facts={NOTHING: why, "episodes": 0},
    )


def held_out(workspace: Workspace, store: "FrameStore", limit: int | None) -> "list[QuestionItem]":
    """Evaluation questions of all batches, at most `limit`, drawn with the recipe's `evaluation.seed`.

    Their overview frames are copied to the store.

    Raises:
        ShardError: the evaluation's data set, which the figures are reported for, does not match its manifest.
    """
    from eval.harness import draw
    from videozoomer.shards.read import ShardSet

    ShardSet(workspace.shards("evaluation")).verify()
    items: list[QuestionItem] = []
    for batch in workspace.batches():
        if found := playable(workspace.lake, batch, "evaluation"):
            items += found
            put_overview_frames(workspace.lake, batch, store)
    return draw(items, limit, workspace.recipe.evaluation.seed)


def _graded_otherwise(
    trajectories: "Sequence[TrajectoryRow]", questions: "Sequence[QuestionRow]"
) -> dict[str, dg.MarkdownMetadataValue]:
    """Answers that the paper or lmms-eval would grade otherwise than we do: how many, and which."""
    from filters.graders.other_rules import RULES, as_markdown
    from filters.grading import disagreements

    found = {rule: disagreements(trajectories, questions, rule) for rule in RULES}
    return {
        f"graded_otherwise_by_{rule}": dg.MetadataValue.md(as_markdown(rows, rule))
        for rule, rows in found.items()
        if rows
    }


def _evaluate(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    stage: str,
    items: "Sequence[QuestionItem]",
    player: "Player",
    store: "FrameStore",
    concurrency: int,
) -> dg.MaterializeResult:
    from distill.rollouts import EpisodeRunner
    from eval.harness import evaluate
    from videozoomer.protocol.prompts import load_prompts

    chosen, lake, recipe = workspace.recipe.evaluation, workspace.lake, workspace.recipe
    protocol = recipe.protocol.to_protocol()
    with (
        workspace.readers(items) as readers,
        workspace.progress.task(stage.replace("_", " of the "), len(items) * len(chosen.settings)) as advance,
    ):
        result = evaluate(
            items,
            rows_as(QuestionRow, lake.read("questions")),
            EpisodeRunner(
                player,
                readers.frames_at,
                store,
                protocol,
                load_prompts(recipe.protocol.prompts),
                concurrency,
                lambda row: advance(1),
            ),
            settings=chosen,
        )
    write_trajectories(workspace, stage, "all", result.trajectories, store)
    lake.write("grades", result.grades, f"{stage}.all")
    lake.write("evaluations", result.evaluations, stage)
    table = lake.read("evaluations", [stage])
    accuracy = {
        f"accuracy_{row['setting']}": row["value"]
        for row in table.iter_rows(named=True)
        if row["metric"] == "accuracy" and row["slice"] == "all"
    }
    return finish(
        context,
        workspace,
        content_of(workspace, [("evaluations", stage), ("trajectories", f"{stage}.all")]),
        facts={
            "player": player.name,
            "questions": len(items),
            "episodes": len(result.trajectories),
            "failed": sum(row["status"] == "failed" for row in result.trajectories),
            **accuracy,
        },
        metadata={
            "figures": preview(table.filter(table["slice"] == "all"), table.columns, 40),
            **_graded_otherwise(result.trajectories, rows_as(QuestionRow, lake.read("questions"))),
        },
    )
