"""A small world, its local teacher behind a recorder, and one run of the full graph for several tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from graph_fixture import Recorder, write_recipe

from pipelines.run import RunResult, run
from videozoomer.settings import Recipe, load_recipe


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    from examples.world import make_world

    target = tmp_path_factory.mktemp("world")
    make_world(target, size="small")
    return target


@pytest.fixture(scope="session")
def teacher():
    from examples.teacher import serve

    with serve(port=0) as server:
        yield server


@dataclass
class Finished:
    recipe_path: Path
    recipe: Recipe
    result: RunResult
    recorder: Recorder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, world, teacher) -> Finished:
    """One run of the full graph."""
    folder = tmp_path_factory.mktemp("run")
    with Recorder(teacher.base_url.removesuffix("/v1")) as recorder:
        path = write_recipe(folder / "recipe.yaml", world, recorder.url)
        recipe = load_recipe(path)
        result = run(recipe)
        yield Finished(path, recipe, result, recorder)
