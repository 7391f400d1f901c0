"""The full graph on a small world: its results, that they are current, and that frames arrive unchanged."""

import dataclasses

import polars as pl
import pytest

from assets.items import playable
from assets.workspace import Workspace
from pipelines.build import build_defs
from pipelines.run import open_instance, run
from videozoomer.protocol import Episode, load_prompts
from videozoomer.protocol.message_rows import from_rows
from videozoomer.shards.read import ShardSet


@pytest.fixture(scope="module")
def workspace(finished) -> Workspace:
    return Workspace(finished.recipe)


def test_every_asset_is_made_and_none_twice(finished):
    made = finished.result.materialized
    assert len(made) == len(set(made))
    assert {name for name, _ in made} == {
        key.to_user_string() for key in build_defs(finished.recipe).resolve_asset_graph().get_all_asset_keys()
    }
    assert not finished.result.current


def test_a_second_run_makes_nothing_and_sends_no_call(finished):
    # A call that failed under load may pass later, so its stage is made again.
    retryable = [
        (asset, part)
        for asset, found in Workspace(finished.recipe).lake.snapshot().stamps.items()
        for part, stamp in found.items()
        if stamp.facts.get("retryable")
    ]
    assert not retryable, f"this machine was too slow: {retryable} have failures that may pass at another try"
    before = len(finished.recorder.requests)
    again = run(finished.recipe)
    assert again.materialized == []
    assert len(finished.recorder.requests) == before


def test_an_unreadable_file_is_quarantined_with_a_reason(workspace):
    videos = workspace.lake.read("videos")
    lost = videos.filter(pl.col("status") == "quarantined")
    assert lost.height >= 1 and lost["reason"].null_count() == 0
    assert videos.filter(pl.col("status") == "ok").height >= 2


def test_frames_in_a_shard_are_the_bytes_that_the_teacher_received(finished, workspace):
    """One row from question file to SFT shard: same messages, same frames byte for byte, same order."""
    rows = list(ShardSet(workspace.shards("sft")).rows())
    row = max(rows, key=lambda row: row["zooms"])
    assert row["zooms"] >= 1
    question = workspace.lake.read("questions").filter(pl.col("question_id") == row["question_id"]).to_dicts()[0]
    stored = workspace.lake.read("trajectories").filter(pl.col("trajectory_id") == row["id"]).to_dicts()[0]
    shards = ShardSet(workspace.shards("sft"))
    shown = [part["frame_id"] for message in row["messages"] for part in message["parts"] if part["type"] == "image"]
    assert question["question"] in "".join(part["text"] or "" for part in row["messages"][1]["parts"])
    assert row["messages"] == stored["messages"]
    assert len(shown) == stored["frames_shown"]
    for frame_id in shown:
        assert shards.jpeg(frame_id) == finished.recorder.frames[frame_id]


def test_a_conversation_opens_with_question_options_and_overview_only(workspace):
    """Each stored conversation begins with the messages built from an item, and an item has no field for the truth."""
    prompts, protocol = load_prompts("v1"), workspace.recipe.protocol.to_protocol()
    items = {
        item.question_id: item for batch in workspace.batches() for item in playable(workspace.lake, batch, "train")
    }
    assert not {"answer", "evidence", "truth"} & {
        field.name for item in items.values() for field in dataclasses.fields(item)
    }
    rows = workspace.lake.read("trajectories").filter(pl.col("kind").is_in(["exemplar", "reflection"]))
    assert rows.height
    for row in rows.iter_rows(named=True):
        item = items[row["question_id"]]
        opening = Episode(item.task, item.overview, protocol, prompts, max_zooms=row["max_zooms"]).messages
        assert from_rows(row["messages"])[:2] == opening


def test_the_funnel_adds_up_and_the_shard_has_the_kept_rows(workspace):
    funnel, verdicts = workspace.lake.read("funnel"), workspace.lake.read("verdicts")
    kept = verdicts.filter(pl.col("outcome") == "kept").height
    assert (
        funnel.filter((pl.col("stage") == "kept") & pl.col("kind").is_in(["exemplar", "reflection"]))["rows"].sum()
        == kept
    )
    shard_rows = list(ShardSet(workspace.shards("sft")).rows())
    assert {row["id"] for row in shard_rows} == set(verdicts.filter(pl.col("outcome") == "kept")["trajectory_id"])


def test_pages_and_views_exist(workspace):
    import duckdb

    assert (workspace.report / "index.html").stat().st_size > 10_000
    assert (workspace.report / "trajectories.html").stat().st_size > 10_000
    with duckdb.connect(str(workspace.home / "lake.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from trajectories").fetchone()[0] > 0


def test_every_check_ran_and_passed(finished):
    keys = build_defs(finished.recipe).resolve_asset_graph().asset_check_keys
    assert {"funnel_adds_up", "no_leak_in_shards", "split_by_video"} <= {key.name for key in keys}
    with open_instance(finished.recipe) as instance:
        for key in keys:
            last = instance.get_latest_asset_check_evaluation_record(key)
            assert last is not None and last.status.value == "SUCCEEDED", key
