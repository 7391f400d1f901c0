"""`student_shards`, `student`, `student_rollouts`, `student_grades`: a policy that saw exemplars alone, and how it fails.

It overfits to zooming once and answering; its failures are what the teacher's reflections repair. Only in the graph
where the recipe has a student.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg

from assets.distillation import GROUP
from assets.playing import grade_stage, play_stage
from assets.training import GROUP as TRAINING_GROUP
from assets.training import fine_tune
from assets.workspace import BATCHES, Workspace, code_version, finish
from videozoomer.settings import Recipe
from videozoomer.settings.model import Endpoint


def build(recipe: Recipe) -> list[dg.AssetsDefinition]:
    if recipe.student is None:
        return []

    @dg.asset(
        group_name=TRAINING_GROUP,
        kinds={"parquet", "huggingface"},
        code_version=code_version("1", recipe.shards, recipe.filters),
        deps=["exemplars", "exemplar_grades", "probe_grades", "leaks", "videos", "questions"],
        description="Exemplars that hold, without reflections: what the student is trained on.",
    )
    def student_shards(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        from filters.rules import run_rules
        from videozoomer.shards.build import about_recipe, build_sft

        chosen, target = workspace.recipe, workspace.shards("student")
        verdicts = run_rules(workspace.lake, chosen.filters).verdicts
        manifest = build_sft(
            workspace.lake, target, chosen.shards, about_recipe(chosen), verdicts=verdicts, kinds=["exemplar"]
        )
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
        code_version=code_version("1", recipe.policy, recipe.sft, recipe.protocol),
        description="The policy after fine-tuning on exemplars alone.",
    )
    def student(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace], pipes: dg.PipesSubprocessClient
    ) -> dg.MaterializeResult:
        return fine_tune(context, workspace, pipes, "student", "train the student on exemplars")

    @dg.asset(
        group_name=GROUP,
        partitions_def=BATCHES,
        kinds={"openai", "parquet"},
        deps=[student, "questions", "videos", "overviews"],
        code_version=code_version("1", recipe.student, recipe.protocol),
        description="The student plays each training question through the same client; its failures are what the teacher reflects on.",
    )
    def student_rollouts(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        from distill.exemplars import exemplar_jobs

        chosen = workspace.recipe.student
        sampling = workspace.recipe.distill.model_copy(update={"samples": chosen.samples, "temperatures": ()})
        with served_student(workspace) as endpoint:
            return play_stage(
                context,
                workspace,
                "student_rollouts",
                lambda items, runner: runner.play_all(
                    replace(job, kind="student")
                    for job in exemplar_jobs(items, sampling, temperature=chosen.temperature)
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
        code_version="1",
        description="The student's rollouts held against the truth.",
    )
    def student_grades(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult:
        return grade_stage(context, workspace, "student_rollouts")

    return [student_shards, student, student_rollouts, student_grades]


@contextmanager
def served_student(workspace: Workspace) -> Iterator[Endpoint]:
    """An endpoint that answers as the student. Its identity holds the checkpoint's hash, so that a student trained anew
    is asked anew."""
    trained = workspace.stamps.read("student").content
    given = workspace.recipe.student.endpoint
    if given is not None:
        yield given.model_copy(update={"identity": f"{given.identity or given.base_url}#{trained}"})
        return
    from train.serving.server import serve

    longest = workspace.recipe.evaluation.max_new_tokens
    with serve(workspace.training("student") / "checkpoint") as server:
        yield Endpoint(
            base_url=server.base_url,
            model=server.model,
            identity=f"student#{trained}",
            max_tokens=longest,
            concurrency=16,
        )
