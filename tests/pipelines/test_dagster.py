"""The code location as Dagster loads it: groups, descriptions, jobs, schedules, the sensor, and a rerun from the UI's side."""

import dagster as dg
import pytest

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


def test_jobs_schedules_and_sensor_resolve(definitions):
    assert {"list_sources", "process_batch", "curate_and_train"} <= {
        job.name for job in definitions.resolve_all_job_defs()
    }
    repository = definitions.get_repository_def()
    assert {schedule.name for schedule in repository.schedule_defs} == {"nightly_listing", "weekly_curation"}
    (sensor,) = repository.sensor_defs
    assert sensor.job_name == "process_batch"


def test_the_sensor_asks_for_what_was_listed_and_is_not_processed(finished, definitions):
    (sensor,) = definitions.get_repository_def().sensor_defs
    with open_instance(finished.recipe) as instance:
        told = sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, repository_def=definitions.get_repository_def())
        )
    assert not told.run_requests and "processed" in told.skip_message


def test_a_rerun_of_a_batch_from_the_ui_replays_every_call(finished, definitions):
    asked = len(finished.recorder.requests)
    batch = "world-0001"
    with open_instance(finished.recipe) as instance:
        result = definitions.resolve_job_def("process_batch").execute_in_process(
            instance=instance,
            partition_key=batch,
            asset_selection=[dg.AssetKey("exemplars"), dg.AssetKey("exemplar_grades")],
        )
    assert result.success
    assert len(finished.recorder.requests) == asked
