"""The graph with a student: trained on exemplars alone, served, played by the same client, and reflected on."""

import shutil

import polars as pl
import pytest
from graph_fixture import write_recipe

from assets.workspace import Workspace
from pipelines.run import run
from videozoomer.settings import load_recipe
from videozoomer.shards.read import ShardSet

pytestmark = pytest.mark.slow


def test_the_teacher_reflects_on_the_failures_of_a_student_that_was_trained_and_served(finished, tmp_path, world):
    shutil.copytree(finished.recipe.home_path, tmp_path / "run")
    path = write_recipe(
        tmp_path / "recipe.yaml",
        world,
        finished.recorder.url,
        student={"samples": 1},
        evaluation={"max_questions": 2, "policy_questions": 2, "max_new_tokens": 8, "bootstrap": 100},
    )
    recipe = load_recipe(path)
    steps = ["student_shards", "student", "student_rollouts", "student_grades", "reflections"]
    made = {name for name, _ in run(recipe, only=steps).materialized}
    assert made == set(steps)
    workspace = Workspace(recipe)
    assert {row["kind"] for row in ShardSet(workspace.shards("student")).rows()} == {"exemplar"}
    rows = workspace.lake.read("trajectories")
    student = rows.filter(pl.col("kind") == "student")
    asked = rows.filter((pl.col("kind") == "exemplar") & (pl.col("sample") == 0)).height
    assert student.height == asked and (student["status"] != "failed").all()
    reflected = rows.filter(pl.col("kind") == "reflection")
    assert set(reflected["parent_id"]) <= set(student.filter(pl.col("zooms") > 0)["trajectory_id"])
    assert not run(recipe, only=steps).materialized
