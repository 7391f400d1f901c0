"""`probes`, `exemplars`, `reflections` and their grades: the teacher plays, its answers are held against the truth."""

from dataclasses import replace

import dagster as dg

from assets.playing import grade_stage, play_stage, stage_partition
from assets.workspace import BATCHES, Workspace, code_version, partition_of
from recipes import Recipe

GROUP = "distillation"


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    played = code_version("1", recipe.teacher, recipe.distill, recipe.protocol)
    server = {"group_name": GROUP, "partitions_def": BATCHES, "kinds": {"openai", "parquet"}}
    failed_stage, failed_grades = ("exemplars", "exemplar_grades") if recipe.student is None else ("student_rollouts", "student_grades")
    graded = {"group_name": GROUP, "partitions_def": BATCHES, "kinds": {"parquet"}, "code_version": code_version("1", recipe.filters)}

    @dg.asset(
        **server, code_version=code_version(played, recipe.filters), deps=["questions", "videos", "overviews"],
        description="Each training question asked without any frame: what is answered so teaches nothing about video.",
    )
    def probes(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from distill.probes import probe_jobs

        return play_stage(
            context, workspace, "probes", lambda items: probe_jobs(items, workspace.recipe.filters, temperature=workspace.recipe.teacher.temperature),
            endpoint=workspace.recipe.teacher, split="train",
        )

    @dg.asset(
        **server, code_version=played, deps=["questions", "videos", "overviews"],
        description="The teacher plays each training question several times: overview, zooms, answer. Every call is in the ledger "
        "before the episode moves on, so a rerun replays what was answered for nothing.",
    )
    def exemplars(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from distill.exemplars import exemplar_jobs

        return play_stage(
            context, workspace, "exemplars", lambda items: exemplar_jobs(items, workspace.recipe.distill, temperature=workspace.recipe.teacher.temperature),
            endpoint=workspace.recipe.teacher, split="train",
        )

    @dg.asset(**graded, deps=[probes, "questions"], description="Probes held against the truth.")
    def probe_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "probes")

    @dg.asset(**graded, deps=[exemplars, "questions"], description="Exemplars held against the truth: correct, wrong or unknown, and whether a zoom met known evidence.")
    def exemplar_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "exemplars")

    @dg.asset(
        **server, code_version=played, deps=[failed_stage, failed_grades, "questions", "videos", "overviews"],
        description="Failed rollouts that did zoom, shown to the teacher without their answer and without the truth: "
        "it says what was wrong with the zoom, zooms elsewhere and answers.",
    )
    def reflections(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from distill.reflections import reflection_jobs
        from zoom.prompts import load_prompts

        chosen, partition = workspace.recipe, stage_partition(failed_stage, partition_of(context))
        grades = workspace.lake.read("grades", [partition])
        wrong = set(grades.filter(grades["verdict"] == "wrong")["trajectory_id"])
        failed = [
            row for row in workspace.lake.read("trajectories", [partition]).iter_rows(named=True)
            if row["trajectory_id"] in wrong and row["zooms"]
        ]
        return play_stage(
            context, workspace, "reflections",
            lambda items: reflection_jobs(
                items, failed, chosen.distill, load_prompts(chosen.protocol.prompts), temperature=chosen.teacher.temperature
            ),
            endpoint=chosen.teacher, split="train", frames_from=[failed_stage],
        )

    @dg.asset(**graded, deps=[reflections, "questions"], description="Reflections held against the truth.")
    def reflection_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "reflections")

    played_assets = [probes, exemplars, probe_grades, exemplar_grades, reflections, reflection_grades]
    return played_assets if recipe.student is None else [*played_assets, *_student(recipe, server, graded)]


def _student(recipe: Recipe, server: dict, graded: dict) -> list[dg.AssetsDefinition]:
    """Rollouts of a served student, where the recipe has one."""

    @dg.asset(
        **server, code_version=code_version("1", recipe.student, recipe.distill, recipe.protocol), deps=["questions", "videos", "overviews"],
        description="The student plays each training question; its failures are what the teacher reflects on.",
    )
    def student_rollouts(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from distill.exemplars import exemplar_jobs

        student = workspace.recipe.student
        return play_stage(
            context, workspace, "student_rollouts",
            lambda items: (
                replace(job, kind="student")
                for job in exemplar_jobs(items, workspace.recipe.distill, temperature=student.temperature)
            ),
            endpoint=student, split="train", cut_off="play",
        )

    @dg.asset(**graded, deps=[student_rollouts, "questions"], description="The student's rollouts held against the truth.")
    def student_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "student_rollouts")

    return [student_rollouts, student_grades]
