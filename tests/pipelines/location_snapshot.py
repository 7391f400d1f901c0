"""The code location of a recipe as lines of text, one a definition: what the snapshots in `code_location/` store.

`python tests/pipelines/location_snapshot.py` writes them again; a code version that changes makes stored results stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from pipelines.build import build_defs
from videozoomer.settings import Recipe

FOLDER = Path(__file__).parent / "code_location"
DEMO = Path(__file__).resolve().parents[2] / "recipes/demo.yaml"
SERVER = {"base_url": "http://127.0.0.1:9/v1", "model": "other"}
VARIANTS: dict[str, dict[str, Any]] = {
    "demo": {},
    "curation": {"policy": {}},
    "student": {"student": {"samples": 2}},
    "rl": {"rl": {"enabled": True}},
    "rft": {"rl": {"enabled": True, "harvest": {"train": True}}},
    "harvest": {"rl": {"enabled": True, "harvest": {}}},
    "evidence": {"filters": {"evidence": {}}, "policy": {}, "distill": {"samples": 3, "max_samples": 6}},
    "judge": {"filters": {"judge": SERVER, "probe_overview": True, "probe_samples": 3}},
    "teachers": {"distill": {"samples": 3, "more_teachers": [{"endpoint": SERVER, "share": 0.5}]}},
}
"""Changes to the demonstration's recipe, by the name of their snapshot."""


def recipe_of(variant: str) -> Recipe:
    """The demo's recipe with the variant's changes. Its paths stay relative, so nothing depends on the machine."""
    return Recipe.model_validate(yaml.safe_load(DEMO.read_text()) | VARIANTS[variant])


def snapshot(recipe: Recipe) -> str:
    definitions = build_defs(recipe)
    return "\n".join([*_assets(definitions), *_checks(definitions), *_automation(definitions), ""])


def _assets(definitions: dg.Definitions) -> Iterator[str]:
    for asset in definitions.assets or ():
        assert isinstance(asset, dg.AssetsDefinition)
        for spec in sorted(asset.specs, key=lambda spec: spec.key.to_user_string()):
            parts = (
                asset.partitions_def.name if isinstance(asset.partitions_def, dg.DynamicPartitionsDefinition) else None
            )
            yield (
                f"asset {spec.key.to_user_string()} by {asset.op.name}: group {spec.group_name}, "
                f"version {spec.code_version}, kinds {_listed(spec.kinds)}, partitions {parts}, "
                f"resources {_listed(asset.required_resource_keys)}, "
                f"deps {_listed(dep.asset_key.to_user_string() for dep in spec.deps)}"
            )


def _checks(definitions: dg.Definitions) -> Iterator[str]:
    for check in definitions.asset_checks or ():
        assert isinstance(check, dg.AssetChecksDefinition)
        for spec in check.check_specs:
            more = _listed(dep.asset_key.to_user_string() for dep in spec.additional_deps)
            yield f"check {spec.name} of {spec.asset_key.to_user_string()}: blocking {spec.blocking}, deps {more}"


def _automation(definitions: dg.Definitions) -> Iterator[str]:
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            chosen = _listed(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
            yield f"job {job.name}: partitions {job.partitions_def is not None}, assets {chosen}"
    for schedule in repository.schedule_defs:
        status = schedule.default_status.name
        yield f"schedule {schedule.name}: {schedule.cron_schedule} of {schedule.job_name}, {status}"
    for sensor in repository.sensor_defs:
        yield f"sensor {sensor.name}: every {sensor.minimum_interval_seconds} s, {sensor.job_name}"
    yield f"resources: {_listed(definitions.resources or ())}"
    yield f"assets: {len(graph.get_all_asset_keys())}"


def _listed(names: Any) -> str:
    return ",".join(sorted(names)) or "-"


def write() -> None:
    for variant in VARIANTS:
        (FOLDER / f"{variant}.txt").write_text(snapshot(recipe_of(variant)))


if __name__ == "__main__":
    write()
