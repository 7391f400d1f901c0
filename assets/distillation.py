"""`probes`, `exemplars`, `reflections` and their grades: the teacher plays, and its answers are graded."""

from collections.abc import Callable, Sequence

import dagster as dg

from assets.grading import grade_stage
from assets.playing import play_stage, stage_partition
from assets.workspace import BATCHES, Workspace, partition_of, step
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import QuestionRow, TrajectoryRow
from videozoomer.protocol.chance import chance_of, tail
from videozoomer.protocol.question import Question, QuestionItem
from videozoomer.settings import Recipe

GROUP = "distillation"


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="1",
    kinds={"openai", "parquet"},
    deps=["questions", "videos", "overviews"],
    description="Each training question asked without any frame, and with the overview alone where the recipe asks "
    "for it. A question that can be answered without looking teaches nothing about video.",
)
@step
def probes(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from distill.probes import overview_probe_jobs, probe_jobs

    teacher, filters = workspace.recipe.teacher, workspace.recipe.filters
    from_overview = filters.probe_samples if filters.probe_overview else 0
    without_video = filters.probe_samples if filters.probe_without_video else 0
    return play_stage(
        context,
        workspace,
        "probes",
        lambda items, runner: runner.play_all(
            [
                *probe_jobs(items, filters, temperature=teacher.temperature),
                *overview_probe_jobs(items, from_overview, temperature=teacher.temperature),
            ]
        ),
        endpoint=teacher,
        split="train",
        episodes=lambda questions: questions * (without_video + from_overview),
    )


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="2",
    kinds={"openai", "parquet"},
    deps=["questions", "videos", "overviews"],
    description="The teacher plays each training question several times: overview, zooms, answer. Every call is "
    "written to the ledger before the episode continues, so a rerun replays it at no cost.",
)
@step
def exemplars(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from distill.exemplars import play_exemplars

    chosen = workspace.recipe
    return play_stage(
        context,
        workspace,
        "exemplars",
        lambda items, runner: play_exemplars(
            items,
            chosen.distill,
            runner,
            is_correct=correctness(workspace, partition_of(context)),
            temperature=chosen.teacher.temperature,
            may_be_luck=luck_test(chosen),
        ),
        endpoint=chosen.teacher,
        split="train",
        more=chosen.distill.more_teachers,
        read_as_meant=chosen.distill.zoom_calls == "as_meant",
        episodes=lambda questions: questions * chosen.distill.samples,
    )


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="2",
    kinds={"parquet"},
    deps=[probes, "questions"],
    description="The grades of the probes.",
)
@step
def probe_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return grade_stage(context, workspace, "probes")


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="2",
    kinds={"parquet"},
    deps=[exemplars, "questions"],
    description="The grades of the exemplars: correct, wrong or unknown, and whether a zoom hit a known evidence "
    "window.",
)
@step
def exemplar_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return grade_stage(context, workspace, "exemplars")


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="2",
    kinds={"openai", "parquet"},
    deps=[exemplars, exemplar_grades, "questions", "videos", "overviews"],
    description="Failed exemplars that zoomed, shown to the teacher without their answer and without the truth. The "
    "teacher says what was wrong with the zoom, zooms elsewhere and answers.",
)
@step
def reflections(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return reflect(context, workspace, "exemplars")


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="2",
    kinds={"parquet"},
    deps=[reflections, "questions"],
    description="The grades of the reflections.",
)
@step
def reflection_grades(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    return grade_stage(context, workspace, "reflections")


def reflect(context: dg.AssetExecutionContext, workspace: Workspace, rollouts: str) -> dg.MaterializeResult:
    """Let the teacher reflect on the failed episodes of the stage `rollouts` that zoomed."""
    from distill.reflections import reflection_jobs
    from videozoomer.protocol.prompts import load_prompts

    chosen, partition = workspace.recipe, stage_partition(rollouts, partition_of(context))
    grades = workspace.lake.read("grades", [partition])
    wrong = set(grades.filter(grades["verdict"] == "wrong")["trajectory_id"])
    failed = [
        row
        for row in workspace.lake.read("trajectories", [partition]).iter_rows(named=True)
        if row["trajectory_id"] in wrong and row["zooms"]
    ]

    def jobs(items: Sequence) -> list:
        prompts = load_prompts(chosen.protocol.prompts)
        return list(reflection_jobs(items, failed, chosen.distill, prompts, temperature=chosen.teacher.temperature))

    return play_stage(
        context,
        workspace,
        "reflections",
        lambda items, runner: runner.play_all(jobs(items)),
        endpoint=chosen.teacher,
        split="train",
        frames_from=[rollouts],
        read_as_meant=chosen.distill.zoom_calls == "as_meant",
        episodes=lambda questions: (
            min(len(failed), questions * chosen.distill.reflect_per_question) * chosen.distill.reflections
        ),
    )


def luck_test(recipe: Recipe) -> Callable[[QuestionItem, int, int], bool] | None:
    """Whether so many right answers of a question may be luck; None where the recipe does not test it."""
    evidence = recipe.filters.evidence
    if evidence is None or (level := evidence.pass_level) is None:
        return None
    open_chance = evidence.open_chance

    def may_be_luck(item: QuestionItem, correct: int, valid: int) -> bool:
        return tail(correct, valid, chance_of(item.answer_type, len(item.options), open_chance)) > level

    return may_be_luck


def correctness(workspace: Workspace, batch: str) -> Callable[[TrajectoryRow], bool | None]:
    """Whether an episode's answer is correct, None where the rules cannot decide; for `distill.enough_correct`."""
    from filters.grading import grade

    rows = rows_as(QuestionRow, workspace.lake.read("questions", [batch]))
    questions = {row["question_id"]: Question.from_row(row) for row in rows}
    verdicts = {"correct": True, "wrong": False}
    return lambda row: verdicts.get(grade(questions[row["question_id"]], row["answer"]).verdict)
