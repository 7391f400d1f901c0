"""The graph with RL: from the fine-tuned policy and the RL shards to a trained policy, rollouts and evaluation."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from graph_fixture import write_recipe
from safetensors.torch import load_file

from assets.workspace import Workspace
from pipelines.run import run
from videozoomer.settings import load_recipe
from videozoomer.shards.manifest import FILE, Manifest
from videozoomer.shards.read import ShardSet

pytestmark = pytest.mark.slow

TINY = {
    "enabled": True,
    "steps": 1,
    "prompts": 2,
    "group": 2,
    "mini_batch": 2,
    "redraws": 0,
    "max_new_tokens": 8,
    "zero_stage": 0,
    "bf16": False,
    "overview_budgets": [8],
}


def test_rl_and_its_harvest_run_if_the_recipe_asks_for_them(finished, tmp_path, world):
    shutil.copytree(finished.recipe.home_path, tmp_path / "run")
    recipe = load_recipe(
        write_recipe(tmp_path / "recipe.yaml", world, finished.recorder.url, rl=TINY | {"harvest": {}})
    )
    result = run(recipe)
    made = {name for name, _ in result.materialized}
    assert made == {"rl_policy", "rl_policy_evaluation", "rft_shards", "report", "lake_views"}
    workspace = Workspace(recipe)
    folder = workspace.training("rl")
    assert json.loads((folder / "summary.json").read_text())["content_hash"]
    assert (folder / "checkpoint" / "config.json").exists() and list((folder / "trajectories").glob("*.parquet"))
    assert set(workspace.lake.read("evaluations")["player"]) >= {"sft_policy", "rl_policy"}
    # A policy of a few steps produces little worth harvesting; the rest is counted by reason.
    harvested = Manifest.model_validate_json((workspace.shards("rft") / FILE).read_text())
    assert harvested.kind == "sft" and harvested.rows + sum(harvested.about["left_out"].values()) == 4

    _replace_rollouts_by_exemplars(workspace, folder)
    recipe = load_recipe(
        write_recipe(tmp_path / "recipe.yaml", world, finished.recorder.url, rl=TINY | {"harvest": {"train": True}})
    )
    made = {name for name, _ in run(recipe).materialized}
    assert {"rft_shards", "rft_policy"} <= made and "rl_policy" not in made
    harvested = Manifest.model_validate_json((workspace.shards("rft") / FILE).read_text())
    trained = json.loads((workspace.training("rft") / "summary.json").read_text())
    assert harvested.rows > 0 and trained["trajectories"] == harvested.rows
    weights = [load_file(workspace.training(name) / "checkpoint" / "model.safetensors") for name in ("rl", "rft")]
    assert any(not torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def _replace_rollouts_by_exemplars(workspace: Workspace, folder: Path) -> None:
    """Rollouts of a policy as good as the teacher: correct exemplars replace the rollouts of the tiny policy."""
    path = next((folder / "trajectories").glob("round-*.parquet"))
    written = pl.read_parquet(path)
    asked = {row["question_id"] for row in ShardSet(workspace.shards("rl")).rows("train")}
    right = workspace.lake.read("grades").filter(verdict="correct")["trajectory_id"]
    good = workspace.lake.read("trajectories").filter(
        pl.col("trajectory_id").is_in(right.implode()),
        pl.col("question_id").is_in(asked),
        pl.col("zooms") > 0,
        kind="exemplar",
    )
    rows = [
        dict.fromkeys(written.columns)
        | row
        | {"kind": "rollout", "trajectory_id": f"rollout-{number}", "verdict": "correct", "overlap": 1.0}
        for number, row in enumerate(good.to_dicts())
    ]
    assert rows
    pl.DataFrame(rows, schema=written.schema).write_parquet(path)
