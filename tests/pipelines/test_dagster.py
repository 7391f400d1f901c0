"""The code location as Dagster loads it: descriptions, jobs, schedules, the sensor, and a rerun from the UI."""

from collections.abc import Iterable
from typing import cast

import dagster as dg
import pytest

from assets.workspace import Workspace
from pipelines.automation import new_batches
from pipelines.build import build_defs
from pipelines.run import open_instance
from videozoomer.settings import RecipeError


@pytest.fixture(scope="module")
def definitions(finished) -> dg.Definitions:
    return build_defs(finished.recipe)


def test_the_location_loads_from_the_recipe_that_the_environment_names(finished, monkeypatch):
    import pipelines.definitions

    monkeypatch.setenv("VIDEOZOOMER_RECIPE", str(finished.recipe_path))
    assert pipelines.definitions.defs().resolve_asset_graph().get_all_asset_keys()
    monkeypatch.delenv("VIDEOZOOMER_RECIPE")
    with pytest.raises(RecipeError, match="VIDEOZOOMER_RECIPE"):
        pipelines.definitions.defs()


def test_every_asset_is_described_grouped_and_versioned(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and node.group_name != "default" and node.code_version, key


def asked_for(workspace: Workspace) -> list[dg.RunRequest | dg.SkipReason]:
    """What the sensor yields with this workspace."""
    context = dg.build_sensor_context(resources={"workspace": workspace})
    return list(cast(Iterable[dg.RunRequest | dg.SkipReason], new_batches(context)))


def test_the_sensor_asks_for_listed_batches_that_are_not_processed(finished, tmp_path):
    assert asked_for(Workspace(finished.recipe)) == [dg.SkipReason("every batch is processed")]
    listed = Workspace(finished.recipe.model_copy(update={"home": str(tmp_path)}))
    listed.lake.write("files", [], "films-0001")
    assert asked_for(listed) == [dg.RunRequest(run_key="films-0001", partition_key="films-0001")]


def test_a_rerun_of_a_batch_from_the_ui_replays_every_call(finished, definitions):
    calls = len(finished.recorder.requests)
    batch, stamps = "world-0001", Workspace(finished.recipe).stamps
    before = stamps.read("exemplars", batch)
    with open_instance(finished.recipe) as instance:
        result = definitions.resolve_job_def("process_batch").execute_in_process(
            instance=instance,
            partition_key=batch,
            asset_selection=[dg.AssetKey("exemplars"), dg.AssetKey("exemplar_grades")],
        )
    assert result.success
    assert len(finished.recorder.requests) == calls
    after = stamps.read("exemplars", batch)
    # What the stage cost stays on record, beside what was replayed.
    assert before and after and after.facts["calls_made"] == before.facts["calls_made"] > 0
    assert after.facts["calls_replayed"] >= after.facts["calls_made"]
