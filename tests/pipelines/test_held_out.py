"""The questions of an evaluation are drawn with the recipe's seed."""

from collections.abc import Callable

import pytest
from lake_fixture import write_lake
from location_snapshot import recipe_of

from assets.evaluation import held_out
from assets.videos import PARTITION
from assets.workspace import Workspace
from distill.storage.frames import FrameStore
from videozoomer.settings.model import ShardSettings
from videozoomer.shards.build import build_evaluation

LIMIT = 6


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Callable[[int], list[str]]:
    """Ids of the questions drawn with a seed."""
    home, demo = tmp_path_factory.mktemp("home"), recipe_of("demo")
    tables, batch = write_lake(home, held_out=4).lake, "films-0001"
    lake = Workspace(demo.model_copy(update={"home": str(home)})).lake
    lake.write("files", [], batch)
    for table in ("questions", "videos", "overviews"):
        lake.write(table, tables.read(table).to_dicts(), batch)
    lake.write("frames", tables.read("frames").to_dicts(), PARTITION.format(batch=batch))
    build_evaluation(lake, home / "shards" / "evaluation", ShardSettings(), {})

    def draw(seed: int) -> list[str]:
        evaluation = demo.evaluation.model_copy(update={"seed": seed})
        workspace = Workspace(demo.model_copy(update={"home": str(home), "evaluation": evaluation}))
        with FrameStore(home / "frames.sqlite") as store:
            return [item.question_id for item in held_out(workspace, store, LIMIT)]

    return draw


def test_the_same_seed_draws_the_same_questions(drawn):
    assert len(drawn(0)) == LIMIT and drawn(0) == drawn(0)


def test_another_seed_draws_other_questions(drawn):
    assert set(drawn(1)) != set(drawn(0))
