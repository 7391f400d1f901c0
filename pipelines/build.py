"""`build_defs`: a code location for one recipe. Tests call it with resources of their own.

Assets are declared at module level in `assets/`, without a recipe. A recipe decides two things about them, both in this
file: which of them are in the graph (`reflections`, `report` and `viewer` are declared more than once, with different
parents), and their code versions. What the recipe does not ask for is left out, not shown as missing: whoever launches
all assets from the UI starts no training that nobody asked for. Parents are not changed here: Dagster 1.13's
`map_asset_specs` accepts new dependencies, but does not make the step wait for them.
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
    evidence,
    harvest,
    reporting,
    sources,
    student,
    training,
    videos,
)
from assets.settings_used import SETTINGS_USED, code_version
from assets.training_process import LoggedProcess
from assets.workspace import Workspace
from pipelines.automation import JOBS, SCHEDULES, SENSORS
from videozoomer.settings import Recipe
from videozoomer.settings.model import HOW_TO_TRAIN


def build_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The recipe's assets in the order in which data flows, each with its code version."""

    def with_settings(spec: dg.AssetSpec) -> dg.AssetSpec:
        used = SETTINGS_USED[spec.key.to_user_string()](recipe)
        return spec.replace_attributes(code_version=code_version(spec.code_version or "", used))

    return [asset.map_asset_specs(with_settings) for asset in chosen_assets(recipe)]


def chosen_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The assets that the recipe asks for, as declared: training, a student, RL and harvesting are optional."""
    trains, by_student = recipe.trains, recipe.student is not None
    probes_evidence = recipe.filters.evidence is not None
    by_rl, harvested = recipe.rl.enabled, recipe.rl.harvest
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
        curation.leaks,
        *([evidence.evidence_probes, curation.curate_with_evidence] if probes_evidence else [curation.curate]),
        curation.balance,
        *datasets.ASSETS,
        *([training.sft_policy] if trains else []),
        *([training.rl_policy] if by_rl else []),
        *([harvest.rft_shards] if by_rl and harvested else []),
        *([harvest.rft_policy] if by_rl and harvested and harvested.train else []),
        evaluation.teacher_evaluation,
        *([evaluation.policy_evaluation] if trains else []),
        *([evaluation.rl_policy_evaluation] if by_rl else []),
        reporting.report_with_rl if by_rl else reporting.report if trains else reporting.report_of_curation,
        reporting.viewer if trains else reporting.viewer_of_curation,
        reporting.lake_views,
    ]


def why_absent(recipe: Recipe, asset: str) -> str | None:
    """The setting that a known asset needs and that the recipe lacks; None for any other name."""
    if asset not in SETTINGS_USED or asset in {key.to_user_string() for a in chosen_assets(recipe) for key in a.keys}:
        return None
    if asset == "evidence_probes":
        return f"recipe {recipe.name} has no {asset}; {NEEDS[asset]}"
    if not recipe.trains:
        more = f"; {NEEDS[asset]} too" if asset in NEEDS else ""
        return f"recipe {recipe.name} trains nothing, so it has no {asset}; to train, {HOW_TO_TRAIN}{more}"
    return f"recipe {recipe.name} has no {asset}; {NEEDS[asset]}"


NEEDS = {
    "evidence_probes": "set filters.evidence to {}",
    **dict.fromkeys(
        ("student_shards", "student", "student_rollouts", "student_grades"), "add the section `student: {}`"
    ),
    **dict.fromkeys(("rl_policy", "rl_policy_evaluation"), "set rl.enabled to true"),
    "rft_shards": "set rl.enabled to true and rl.harvest to {}",
    "rft_policy": "set rl.enabled to true and rl.harvest.train to true",
}
"""Optional assets beyond fine-tuning on the kept rows, and the settings that ask for them."""


def build_resources(recipe: Recipe) -> dict[str, Any]:
    return {"workspace": Workspace(recipe), "pipes": LoggedProcess()}


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
