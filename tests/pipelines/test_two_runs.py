"""Two runs from the Dagster UI at once on one home: one result stands as a whole, and the other run says so."""

import dagster as dg
import pytest
from chat_server import ChatServer
from edited_home import EditedHome, read_films

import filters.grading
from assets.workspace import Workspace, content_of
from pipelines.build import build_assets
from pipelines.plan import Plan
from pipelines.run import run
from videozoomer.lake.lock import ResultInUse, hold_result
from videozoomer.lake.stamps import Stamp
from videozoomer.settings import Recipe
from videozoomer.video import ingest

pytestmark = pytest.mark.slow
ASSET = "exemplar_grades"


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Recipe:
    monkeypatch.setattr(ingest, "ingest_many", read_films)
    with ChatServer(zooms=0) as server:
        home = EditedHome(tmp_path, server.url)
        home.film("a").write_text("film a")
        home.ask(0, "a", "A")
        recipe = home.recipe(tmp_path / "home")
        run(recipe, only=[ASSET])
        yield recipe


def materialized(recipe: Recipe, batch: str) -> dg.ExecuteInProcessResult:
    """As the UI starts it: it holds the home together with others."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("batches", [batch])
        return dg.materialize(
            build_assets(recipe),
            selection=[ASSET],
            instance=instance,
            partition_key=batch,
            resources={"workspace": Workspace(recipe), "pipes": dg.PipesSubprocessClient()},
            raise_on_error=False,
        )


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = (event for event in result.all_events if event.is_step_failure)
    return event.step_failure_data.user_failure_data.description


@pytest.mark.parametrize("moved", [False, True], ids=["same parents", "other parents"])
def test_the_run_that_commits_second_is_refused_and_nothing_of_it_is_kept(recipe, monkeypatch, moved):
    workspace = Workspace(recipe)
    (batch,) = workspace.batches()
    grade_rows, results = filters.grading.grade_rows, []

    def with_detail(detail, *given):
        return [row | {"detail": detail} for row in grade_rows(*given)]

    def overtaken(*given):
        monkeypatch.setattr(filters.grading, "grade_rows", lambda *given: with_detail("the other", *given))
        if moved:
            workspace.stamps.write("questions", Stamp("", "changed meanwhile"), batch)
        results.append(materialized(recipe, batch))
        return with_detail("this one", *given)

    monkeypatch.setattr(filters.grading, "grade_rows", overtaken)
    refused = materialized(recipe, batch)
    assert results[0].success and not refused.success
    assert "another run has made exemplar_grades" in failure_of(refused)
    assert set(workspace.lake.read("grades", [f"exemplars.{batch}"])["detail"]) == {"the other"}
    stamp = workspace.stamps.read(ASSET, batch)
    assert stamp and stamp.content == content_of(workspace, [("grades", f"exemplars.{batch}")])
    plan = Plan(build_assets(recipe), workspace)
    assert plan.is_current(dg.AssetKey(ASSET), batch)


def test_two_runs_that_make_the_same_both_succeed(recipe, monkeypatch):
    (batch,) = Workspace(recipe).batches()
    grade_rows, results = filters.grading.grade_rows, []

    def overtaken(*given):
        monkeypatch.setattr(filters.grading, "grade_rows", grade_rows)
        results.append(materialized(recipe, batch))
        return grade_rows(*given)

    monkeypatch.setattr(filters.grading, "grade_rows", overtaken)
    assert materialized(recipe, batch).success and results[0].success


def test_a_current_result_replaces_a_stale_one_that_was_committed_meanwhile(recipe, monkeypatch):
    workspace = Workspace(recipe)
    (batch,) = workspace.batches()
    grade_rows = filters.grading.grade_rows

    def overtaken(*given):
        # Another run commits what it made from parents of before.
        workspace.stamps.write(ASSET, Stamp("inputs of before", "stale"), batch)
        return grade_rows(*given)

    monkeypatch.setattr(filters.grading, "grade_rows", overtaken)
    assert materialized(recipe, batch).success
    assert Plan(build_assets(recipe), workspace).is_current(dg.AssetKey(ASSET), batch)


def test_a_folder_is_replaced_by_one_run_at_a_time(tmp_path):
    with (
        hold_result(tmp_path, "sft_shards.all"),
        pytest.raises(ResultInUse, match=r"sft_shards\.all is being made"),
        hold_result(tmp_path, "sft_shards.all"),
    ):
        pass
    with hold_result(tmp_path, "sft_shards.all"):
        pass
