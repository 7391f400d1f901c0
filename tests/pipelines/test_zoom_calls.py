"""Whose zoom calls are read as meant: those of teachers, unless the recipe demands the letter; a student's never."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import assets.distillation
import assets.student
from videozoomer.lake.lake import Lake
from videozoomer.settings import Recipe

RECIPE = {"name": "r", "home": "h", "sources": [{"name": "s", "videos": "v", "questions": "q"}],
          "teacher": {"base_url": "http://127.0.0.1:9/v1"}, "policy": {"tiny": {}}, "student": {}}  # fmt: skip
STAGES = {
    "probes": (assets.distillation.probes, False),
    "exemplars": (assets.distillation.exemplars, True),
    "reflections": (assets.distillation.reflections, True),
    "student_rollouts": (assets.student.student_rollouts, False),
    "reflections on a student": (assets.student.reflections, True),
}


@pytest.mark.parametrize("zoom_calls", ["as_meant", "to_the_letter"])
@pytest.mark.parametrize("stage", STAGES)
def test_the_recipe_says_whether_the_letter_is_demanded_of_a_teacher(stage, zoom_calls, tmp_path, monkeypatch):
    asset, by_a_teacher = STAGES[stage]
    played = []
    for room in (assets.distillation, assets.student):
        monkeypatch.setattr(room, "play_stage", lambda *_, read_as_meant=False, **__: played.append(read_as_meant))
    monkeypatch.setattr(assets.student, "checkpoint_of", lambda *_: tmp_path)
    monkeypatch.setattr(assets.student, "served_student", lambda workspace: nullcontext(workspace.recipe.teacher))
    recipe = Recipe.model_validate(RECIPE | {"distill": {"zoom_calls": zoom_calls}})
    workspace = SimpleNamespace(recipe=recipe, lake=Lake(tmp_path))
    asset.op.compute_fn.decorated_fn.__wrapped__(
        SimpleNamespace(partition_key="b", has_partition_key=True), workspace=workspace
    )
    assert played == [by_a_teacher and zoom_calls == "as_meant"]
