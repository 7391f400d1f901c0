"""The whole path of probes of evidence, on the small world with its evidence windows taken away."""

import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from graph_fixture import write_recipe
from rich.console import Console

from assets.workspace import Workspace
from distill.storage.ledger import Ledger
from pipelines.estimate import expected_stages, print_estimate
from pipelines.run import run
from videozoomer.settings import load_recipe
from videozoomer.shards.read import ShardSet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def probed(tmp_path_factory, world, teacher):
    """A recipe, run once."""
    folder = tmp_path_factory.mktemp("probed")
    shutil.copytree(world, folder / "world")
    asked = folder / "world/train/questions.jsonl"
    lines = [json.loads(line) | {"evidence": []} for line in asked.read_text().splitlines()]
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = write_recipe(
        folder / "recipe.yaml",
        folder / "world",
        teacher.base_url.removesuffix("/v1"),
        policy={},
        distill={"samples": 2, "max_samples": 3},
        filters={"evidence": {}, "skip_rules": ["guess_admitted", "repeats_another"]},
    )
    recipe = load_recipe(path)
    return recipe, run(recipe)


def test_every_kept_zoom_has_passed_its_probes(probed):
    recipe, result = probed
    assert any(name == "evidence_probes" for name, _ in result.materialized)
    lake = Workspace(recipe).lake
    evidence, verdicts = lake.read("evidence"), lake.read("verdicts")
    assert {"blind", "sufficiency", "elsewhere"} <= set(evidence["probe"])
    assert (evidence["asked"] >= evidence["valid"]).all() and (evidence["valid"] >= evidence["correct"]).all()
    kept = verdicts.filter(outcome="kept")
    zoomed = lake.read("trajectories").filter(
        (pl.col("zooms") > 0) & pl.col("trajectory_id").is_in(kept["trajectory_id"])
    )
    assert zoomed.height > 0
    passed = evidence.filter(probe="sufficiency", stays_right=True)
    assert set(zoomed["trajectory_id"]) <= set(passed["item"])
    assert not set(kept["trajectory_id"]) & set(evidence.filter(probe="elsewhere", stays_right=True)["item"])
    for rule, probe, fails in (
        ("not_sufficient", "sufficiency", False),
        ("letter_not_answer", "shuffled", False),
        ("right_elsewhere", "elsewhere", True),
    ):
        dropped = verdicts.filter(pl.col("reasons").list.contains(rule))["trajectory_id"]
        assert set(dropped) == set(evidence.filter(probe=probe, stays_right=fails)["item"])
    counted = lake.read("funnel").filter(stage="rejected")
    assert set(counted["reason"]) & {"not_sufficient", "right_elsewhere", "answerable_without_video"}


def test_what_is_not_kept_by_cheaper_rules_is_not_asked(probed):
    recipe, _ = probed
    lake = Workspace(recipe).lake
    evidence = lake.read("evidence").filter(pl.col("probe") != "blind")
    grades = dict(lake.read("grades").select("trajectory_id", "verdict").iter_rows())
    assert {grades[item] for item in evidence["item"]} == {"correct"}
    failed = set(evidence.filter(probe="sufficiency", stays_right=False)["item"])
    assert not failed & set(evidence.filter(pl.col("probe") != "sufficiency")["item"])
    hopeless = set(lake.read("evidence").filter(probe="blind", stays_right=True)["item"])
    assert not hopeless & set(evidence["question_id"])


def test_probes_are_in_the_ledger_priced_and_played_once(probed):
    recipe, _ = probed
    workspace = Workspace(recipe)
    probed_batches = [name for name in workspace.lake.partitions("evidence") if "world" in name]
    assert probed_batches
    for batch in probed_batches:
        name = batch.removeprefix("evidence_probes.")
        with Ledger(workspace.ledger("evidence_probes", name)) as ledger:
            asked = workspace.lake.read("trajectories", [batch])
            # Trajectories that zoomed alike are asked the same, which is one call.
            keys = {turn["call_key"] for turns in asked["turns"].to_list() for turn in turns}
            assert ledger.attempts() >= len(keys) > 0 and None not in keys
        assert set(asked["kind"]) == {"evidence"} and set(asked["max_zooms"]) == {0}
    stages = {stage.stage: stage for stage in expected_stages(recipe, {"train": 10, "evaluation": 2})}
    assert [name for name in stages if name.startswith("evidence (")] == [
        f"evidence ({name})" for name in ("blind", "sufficiency", "shuffled", "elsewhere", "leave_one_out")
    ]
    out = Console(file=io.StringIO(), width=160)
    print_estimate(recipe, out)
    assert "evidence (elsewhere)" in out.file.getvalue()
    assert not run(recipe).materialized, "a second run makes nothing"


def test_every_frame_of_a_probe_is_in_the_lake(probed):
    recipe, _ = probed
    lake = Workspace(recipe).lake
    played = lake.read("trajectories").filter(kind="evidence")["messages"].to_list()
    shown = {part["frame_id"] for messages in played for m in messages for part in m["parts"]} - {None}
    assert shown and shown <= set(lake.read("frames")["frame_id"])
    own = lake.read("frames", [name for name in lake.partitions("frames") if name.startswith("evidence_probes.")])
    others = lake.read("frames", [name for name in lake.partitions("frames") if not name.startswith("evidence")])
    assert own.height and not set(own["frame_id"]) & set(others["frame_id"]), "stored once"


def test_found_evidence_reaches_rl(probed):
    recipe, _ = probed
    workspace = Workspace(recipe)
    found = workspace.lake.read("question_stats").filter(pl.col("found_evidence").list.len() > 0)
    assert found.height > 0
    shards = ShardSet(Path(workspace.shards("rl")))
    shards.verify()
    rows = {row["question_id"]: row for row in shards.rows()}
    marked = {name for name, row in rows.items() if row["evidence_source"] == "probe"}
    assert marked == set(found["question_id"]) & set(rows) != set()
    assert all(not row["evidence"] for name, row in rows.items() if name not in marked)


def test_a_recipe_without_probes_then_forgets_them(probed, tmp_path):
    """What was found stays in the tables, and drops nothing any more."""
    recipe, _ = probed
    shutil.copytree(recipe.home_path, tmp_path / "run")
    filters = recipe.filters.model_copy(update={"evidence": None})
    distill = recipe.distill.model_copy(update={"max_samples": None, "samples": 2})
    plain = recipe.model_copy(update={"home": str(tmp_path / "run"), "filters": filters, "distill": distill})
    before = Workspace(recipe).lake.read("verdicts").filter(outcome="kept").height
    made = {name for name, _ in run(plain).materialized}
    lake = Workspace(plain).lake
    assert "evidence_probes" not in made and "verdicts" in made
    reasons = {reason for found in lake.read("verdicts")["reasons"].to_list() for reason in found}
    assert not reasons & {"not_sufficient", "letter_not_answer", "right_elsewhere", "no_better_than_chance"}
    assert lake.read("verdicts").filter(outcome="kept").height >= before
