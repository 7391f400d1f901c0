"""`build_defs`: a whole code location for one recipe. Tests call it with resources of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import (
    checks,
    curation,
    datasets,
    distillation,
    evaluation,
    harvest,
    reporting,
    sources,
    student,
    training,
    videos,
)
from assets.workspace import Workspace
from pipelines.automation import build_jobs, build_schedules, build_sensors
from videozoomer.settings import Recipe

MODULES = (sources, videos, distillation, student, curation, datasets, training, harvest, evaluation, reporting)
"""Asset modules in the order in which data flows."""


def build_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [asset for module in MODULES for asset in module.build(recipe)]


def build_resources(recipe: Recipe) -> dict[str, Any]:
    return {"workspace": Workspace(recipe), "pipes": dg.PipesSubprocessClient()}


def build_defs(recipe: Recipe, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of a recipe."""
    return dg.Definitions(
        assets=build_assets(recipe),
        asset_checks=checks.build(),
        jobs=build_jobs(),
        schedules=build_schedules(),
        sensors=build_sensors(recipe),
        resources={**build_resources(recipe), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
