"""The graph with RL: from the fine-tuned policy and the RL shards to a trained policy, its rollouts and its evaluation."""

import json
import shutil

from graph_fixture import write_recipe

from assets.workspace import Workspace
from pipelines.run import run
from recipes import load_recipe
from shards.manifest import FILE, Manifest


def test_rl_is_an_asset_where_the_recipe_asks_for_it(finished, tmp_path, world):
    shutil.copytree(finished.recipe.home_path, tmp_path / "run")
    tiny = {
        "enabled": True, "steps": 1, "prompts": 2, "group": 2, "mini_batch": 2, "redraws": 0, "max_new_tokens": 8,
        "zero_stage": 0, "bf16": False, "overview_budgets": [8], "harvest": {},
    }
    recipe = load_recipe(write_recipe(tmp_path / "recipe.yaml", world, finished.recorder.url, rl=tiny))
    outcome = run(recipe)
    made = {name for name, _ in outcome.materialized}
    assert made == {"rl_policy", "rl_policy_evaluation", "rft_shards", "report", "lake_views"}
    workspace = Workspace(recipe)
    folder = workspace.training("rl")
    assert json.loads((folder / "summary.json").read_text())["content_hash"]
    assert (folder / "checkpoint" / "config.json").exists() and list((folder / "trajectories").glob("*.parquet"))
    assert set(workspace.lake.read("evaluations")["player"]) >= {"sft_policy", "rl_policy"}
    # A policy of a few steps has little that is worth harvesting; what is left out is counted.
    harvested = Manifest.model_validate_json((workspace.shards("rft") / FILE).read_text())
    assert harvested.kind == "sft" and harvested.rows + sum(harvested.about["left_out"].values()) == 4
