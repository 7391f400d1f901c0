"""An evaluation is not played on a data set that has changed since it was written."""

import json

import pytest
from builders import frame_row

from assets.evaluation import held_out
from assets.workspace import Workspace
from distill.storage.frames import FrameStore
from videozoomer.settings.model import Endpoint, Recipe, Source
from videozoomer.shards.manifest import FILE, ShardError
from videozoomer.shards.write import write_dataset


def test_a_changed_evaluation_set_is_refused(tmp_path):
    recipe = Recipe(
        name="r",
        home=str(tmp_path / "home"),
        sources=[Source(name="s", videos="x", questions="y")],
        teacher=Endpoint(base_url="http://127.0.0.1:1/v1", model="m"),
    )
    workspace = Workspace(recipe)
    frame = frame_row("v", 0.0, 1)
    question = {
        "question_id": "q", "video_id": "v", "video_uri": "v.mp4", "duration_s": 10.0, "batch": "s-0001",
        "split": "evaluation", "question": "Which?", "options": ["red", "blue"], "answer": "A", "answer_type": "choice",
        "topic": None, "evidence": [], "overview_frame_ids": [frame["frame_id"]], "overview_times_s": [0.0],
        "bad_spans": [],
    }  # fmt: skip
    folder = workspace.shards("evaluation")
    write_dataset("evaluation", folder, [question], [frame], about={}, max_rows=10)
    with FrameStore(tmp_path / "frames.sqlite") as store:
        assert held_out(workspace, store, None) == []
        manifest = json.loads((folder / FILE).read_text())
        manifest["counts"]["rows"] = 9
        (folder / FILE).write_text(json.dumps(manifest))
        with pytest.raises(ShardError, match="rows 9 instead of 1"):
            held_out(workspace, store, None)
