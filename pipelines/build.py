"""`build_defs`: a code location for one recipe. Tests call it with resources of their own.

Assets are declared at module level in `assets/`, without a recipe. A recipe decides two things about them, both in this
file: which of them are in the graph (`reflections` and `report` are declared twice, with different parents), and their
code versions. Parents are not changed here: Dagster 1.13's `map_asset_specs` accepts new dependencies, but does not
make the step wait for them.
"""

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
from assets.settings_used import SETTINGS_USED, code_version
from assets.workspace import Workspace
from pipelines.automation import JOBS, SCHEDULES, SENSORS
from videozoomer.settings import Recipe


def build_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The recipe's assets in the order in which data flows, each with its code version."""

    def with_settings(spec: dg.AssetSpec) -> dg.AssetSpec:
        used = SETTINGS_USED[spec.key.to_user_string()](recipe)
        return spec.replace_attributes(code_version=code_version(spec.code_version or "", used))

    return [asset.map_asset_specs(with_settings) for asset in chosen_assets(recipe)]


def chosen_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The assets that the recipe asks for, as declared; those of a student, of RL and of harvesting are optional."""
    by_student, by_rl, harvested = recipe.student is not None, recipe.rl.enabled, recipe.rl.harvest
    return [
        *sources.ASSETS,
        *videos.ASSETS,
        distillation.probes,
        distillation.exemplars,
        distillation.probe_grades,
        distillation.exemplar_grades,
        student.reflections if by_student else distillation.reflections,
        distillation.reflection_grades,
        *(student.ASSETS if by_student else []),
        *curation.ASSETS,
        *datasets.ASSETS,
        training.sft_policy,
        *([training.rl_policy] if by_rl else []),
        *([harvest.rft_shards] if by_rl and harvested else []),
        *([harvest.rft_policy] if by_rl and harvested and harvested.train else []),
        evaluation.teacher_evaluation,
        evaluation.policy_evaluation,
        *([evaluation.rl_policy_evaluation] if by_rl else []),
        reporting.report_with_rl if by_rl else reporting.report,
        reporting.viewer,
        reporting.lake_views,
    ]


def build_resources(recipe: Recipe) -> dict[str, Any]:
    return {"workspace": Workspace(recipe), "pipes": dg.PipesSubprocessClient()}


def build_defs(recipe: Recipe, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of a recipe."""
    return dg.Definitions(
        assets=build_assets(recipe),
        asset_checks=checks.CHECKS,
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={**build_resources(recipe), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
