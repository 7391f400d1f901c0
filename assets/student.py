"""`student_shards`, `student`, `student_rollouts`, `student_grades`: a policy trained on exemplars alone.

Such a policy overfits to zooming once and then answering; the teacher reflects on its failed rollouts. These assets are
in the graph only where the recipe has a student, and `reflections` then takes the place of that in `distillation.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg

from assets.datasets import warn_if_empty
from assets.distillation import GROUP, reflect
from assets.grading import grade_stage
from assets.playing import play_stage
from assets.training import GROUP as TRAINING_GROUP
from assets.training import checkpoint_of, fine_tune
from assets.workspace import BATCHES, Workspace, finish, step
from videozoomer.settings.model import Endpoint, StudentSettings


@dg.asset(
    group_name=TRAINING_GROUP,
    kinds={"parquet", "huggingface"},
    code_version="3",
    deps=["exemplars", "exemplar_grades", "probe_grades", "leaks", "videos", "questions"],
    description="Exemplars that pass every rule, without reflections: the student's training set.",
)
@step
def student_shards(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from filters.rules import run_rules
    from videozoomer.shards.build import about_recipe, build_sft

    chosen, target = workspace.recipe, workspace.shards("student")
    # Evidence is probed later; what an earlier run found must not count.
    none = {"evidence": workspace.lake.read("evidence", [])}
    verdicts = run_rules(workspace.lake, chosen.filters, tables=none).verdicts
    workspace.begin_writing()
    manifest = build_sft(
        workspace.lake, target, chosen.shards, about_recipe(chosen), verdicts=verdicts, kinds=["exemplar"]
    )
    warn_if_empty(context, "student", manifest)
    return finish(
        context,
        workspace,
        manifest.content_hash,
        facts={"rows": manifest.rows, "frames": manifest.frames, "bytes": manifest.bytes},
        metadata={"path": dg.MetadataValue.path(str(target))},
    )


@dg.asset(
    group_name=TRAINING_GROUP,
    deps=[student_shards],
    kinds={"pytorch", "deepspeed"},
    code_version="1",
    description="The policy after fine-tuning on exemplars alone.",
)
@step
def student(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    return fine_tune(context, workspace, pipes, "student", "train the student on exemplars")


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    kinds={"openai", "parquet"},
    deps=[student, "questions", "videos", "overviews"],
    code_version="1",
    description="The student plays each training question through the same client as the teacher; the teacher "
    "reflects on its failures.",
)
@step
def student_rollouts(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    from distill.exemplars import exemplar_jobs

    chosen = student_settings(workspace)
    if checkpoint_of(workspace, "student") is None:  # Nobody plays, so no call goes to the server that is named here.
        return play_stage(
            context,
            workspace,
            "student_rollouts",
            lambda items, runner: [],
            endpoint=workspace.recipe.teacher,
            split="train",
            episodes=lambda questions: 0,
        )
    sampling = workspace.recipe.distill.model_copy(update={"samples": chosen.samples, "temperatures": ()})
    with served_student(workspace) as endpoint:
        return play_stage(
            context,
            workspace,
            "student_rollouts",
            lambda items, runner: runner.play_all(
                replace(job, kind="student") for job in exemplar_jobs(items, sampling, temperature=chosen.temperature)
            ),
            endpoint=endpoint,
            split="train",
            cut_off="play",
            episodes=lambda questions: questions * chosen.samples,
        )


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    kinds={"parquet"},
    deps=[student_rollouts, "questions"],
    code_version="2",
    description="The grades of the student's rollouts.",
)
@step
def student_grades(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return grade_stage(context, workspace, "student_rollouts")


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    kinds={"openai", "parquet"},
    deps=[student_rollouts, student_grades, "questions", "videos", "overviews"],
    code_version="2",
    description="Failed rollouts of the student that zoomed, shown to the teacher without their answer and without "
    "the truth. The teacher says what was wrong with the zoom, zooms elsewhere and answers.",
)
@step
def reflections(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    return reflect(context, workspace, "student_rollouts")


ASSETS = [student_shards, student, student_rollouts, student_grades]


def student_settings(workspace: Workspace) -> StudentSettings:
    chosen = workspace.recipe.student
    if chosen is None:
        raise dg.Failure(f"recipe {workspace.recipe.name} has no student; add the section `student: {{}}`")
    return chosen


@contextmanager
def served_student(workspace: Workspace) -> Iterator[Endpoint]:
    """An endpoint that answers as the student.

    Its identity contains the checkpoint's hash: a student that was trained again is asked again, not replayed.
    """
    stamp = workspace.stamps.read("student")
    if stamp is None:
        raise dg.Failure("there is no trained student; run the asset `student` first")
    given = student_settings(workspace).endpoint
    if given is not None:
        yield given.model_copy(update={"identity": f"{given.identity or given.base_url}#{stamp.content}"})
        return
    from train.serving.server import serve

    with serve(workspace.training("student") / "checkpoint") as server:
        yield Endpoint(
            base_url=server.base_url,
            model=server.model,
            identity=f"student#{stamp.content}",
            max_tokens=workspace.recipe.evaluation.max_new_tokens,
            concurrency=16,
        )
