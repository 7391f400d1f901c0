"""Keys, code versions, groups, dependencies, checks, jobs, schedules and sensors are the stored ones.

A code version decides whether a stored result is current: a difference here makes results of existing runs stale.
"""

import dagster as dg
import pytest
from location_snapshot import FOLDER, VARIANTS, recipe_of, snapshot

from assets.settings_used import SETTINGS_USED
from pipelines.build import build_assets


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_code_location_is_the_stored_one(variant):
    stored = (FOLDER / f"{variant}.txt").read_text()
    assert snapshot(recipe_of(variant)) == stored, (
        "intended? python tests/pipelines/location_snapshot.py writes it again"
    )


def test_the_settings_of_every_asset_are_declared_and_of_no_other():
    keys = {key.to_user_string() for variant in VARIANTS for a in build_assets(recipe_of(variant)) for key in a.keys}
    assert keys == set(SETTINGS_USED)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_step_waits_for_all_that_its_assets_are_made_from(variant):
    for asset in build_assets(recipe_of(variant)):
        declared = {dep.asset_key for spec in asset.specs for dep in spec.deps}
        waited_for: set[dg.AssetKey] = set(asset.keys_by_input_name.values())
        assert declared == waited_for, asset.keys
