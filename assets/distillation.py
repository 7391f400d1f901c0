"""`probes`, `exemplars`, `reflections` and their grades: the teacher plays, its answers are held against the truth."""

from collections.abc import Callable, Sequence

import dagster as dg

from assets.playing import grade_stage, play_stage, stage_partition
from assets.workspace import BATCHES, Workspace, code_version, partition_of
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import QuestionRow
from videozoomer.protocol.question import Question
from videozoomer.settings import Recipe

GROUP = "distillation"


def rightness(workspace: Workspace, batch: str) -> Callable[[dict], bool | None]:
    """Whether an episode's answer is right, None where the rules cannot tell: what decides that a question was asked enough."""
    from filters.grading import grade

    rows = rows_as(QuestionRow, workspace.lake.read("questions", [batch]))
    questions = {row["question_id"]: Question.from_row(row) for row in rows}
    told = {"correct": True, "wrong": False}
    return lambda row: told.get(grade(questions[row["question_id"]], row["answer"]).verdict)


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    played = code_version("1", recipe.teacher, recipe.distill, recipe.protocol)
    server = {"group_name": GROUP, "partitions_def": BATCHES, "kinds": {"openai", "parquet"}}
    probing = f"{recipe.filters.probe_without_video:d}{recipe.filters.probe_overview:d}{recipe.filters.probe_samples}"
    judges = [recipe.filters.judge] if recipe.filters.judge else []
    failed_stage, failed_grades = (
        ("exemplars", "exemplar_grades") if recipe.student is None else ("student_rollouts", "student_grades")
    )
    graded = {
        "group_name": GROUP,
        "partitions_def": BATCHES,
        "kinds": {"parquet"},
        "code_version": code_version("1", *judges),
    }

    @dg.asset(
        **server,
        code_version=f"{played}-{probing}",
        deps=["questions", "videos", "overviews"],
        description="Each training question asked without any frame: what is answered so teaches nothing about video.",
    )
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
        **server,
        code_version=played,
        deps=["questions", "videos", "overviews"],
        description="The teacher plays each training question several times: overview, zooms, answer. Every call is in the ledger "
        "before the episode moves on, so a rerun replays what was answered for nothing.",
    )
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
                is_correct=rightness(workspace, partition_of(context)),
                temperature=chosen.teacher.temperature,
            ),
            endpoint=chosen.teacher,
            split="train",
            more=chosen.distill.more_teachers,
            episodes=lambda questions: questions * chosen.distill.samples,
        )

    @dg.asset(**graded, deps=[probes, "questions"], description="Probes held against the truth.")
    def probe_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "probes")

    @dg.asset(
        **graded,
        deps=[exemplars, "questions"],
        description="Exemplars held against the truth: correct, wrong or unknown, and whether a zoom met known evidence.",
    )
    def exemplar_grades(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "exemplars")

    @dg.asset(
        **server,
        code_version=played,
        deps=[failed_stage, failed_grades, "questions", "videos", "overviews"],
        description="Failed rollouts that did zoom, shown to the teacher without their answer and without the truth: "
        "it says what was wrong with the zoom, zooms elsewhere and answers.",
    )
    def reflections(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from distill.reflections import reflection_jobs
        from videozoomer.protocol.prompts import load_prompts

        chosen, partition = workspace.recipe, stage_partition(failed_stage, partition_of(context))
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
            frames_from=[failed_stage],
            episodes=lambda questions: (
                min(len(failed), questions * chosen.distill.reflect_per_question) * chosen.distill.reflections
            ),
        )

    @dg.asset(**graded, deps=[reflections, "questions"], description="Reflections held against the truth.")
    def reflection_grades(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "reflections")

    return [probes, exemplars, probe_grades, exemplar_grades, reflections, reflection_grades]
