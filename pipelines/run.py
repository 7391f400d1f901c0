"""Bring a recipe's assets up to date: level by level, batch by batch, only what is stale, through Dagster."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from assets import checks
from assets.workspace import BATCHES, Progress, Workspace
from pipelines.build import build_assets
from pipelines.plan import Level, Plan
from videozoomer.settings import Recipe

INSTANCE_FILE = "dagster.yaml"


class RunFailed(RuntimeError):
    """A step or a blocking check failed; the message says which, for which batch, and what to do."""


@dataclass
class Outcome:
    materialized: list[tuple[str, str]] = field(default_factory=list)
    """(asset, partition) made in this run."""
    current: list[tuple[str, str]] = field(default_factory=list)
    """(asset, partition) that were up to date."""


def dagster_home(recipe: Recipe) -> Path:
    """Folder of the recipe's own Dagster instance, made on first use from the project's dagster.yaml."""
    home = recipe.home_path / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent
    source = next(path for path in (here.parent / INSTANCE_FILE, here / INSTANCE_FILE) if path.exists())
    if not (home / INSTANCE_FILE).exists():
        shutil.copy(source, home / INSTANCE_FILE)
    return home


@contextmanager
def open_instance(recipe: Recipe):
    """The recipe's Dagster instance, with DAGSTER_HOME set for it and for the processes it starts."""
    home = dagster_home(recipe)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance
    finally:
        os.environ.pop("DAGSTER_HOME") if before is None else os.environ.update(DAGSTER_HOME=before)


def run(
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    only: Sequence[str] = (),
    batches: Sequence[str] = (),
    force: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Materialise what is stale.

    `only` limits the run to these assets (and their sisters), `batches` to these partitions; `force` makes assets
    anew although they are current.

    Raises:
        RunFailed: a step or a blocking check failed. What was finished before stays and is not done again.
        SourceError: a source of the recipe has nothing to list.
    """
    workspace = Workspace(recipe, progress or Progress())
    assets = build_assets(recipe)
    plan = Plan(assets, workspace)
    unknown = sorted({*only, *force} - {key.to_user_string() for key in plan.definition_of})
    if unknown:
        raise RunFailed(
            f"there is no asset {unknown[0]!r}; there are {', '.join(k.to_user_string() for k in plan.definition_of)}"
        )
    outcome = Outcome()
    resources = {"workspace": workspace, "pipes": dg.PipesSubprocessClient()}
    with open_instance(recipe) as instance, _quiet():
        for level in plan.levels:
            wanted = [key for key in level.keys if not only or key.to_user_string() in only]
            if level.partitioned:
                # Known to the tables, maybe not to this instance: its event log may be younger than they are.
                instance.add_dynamic_partitions(BATCHES.name, workspace.batches())
            for partition in plan.partitions(level):
                if level.partitioned and batches and partition not in batches:
                    continue
                _bring_up_to_date(
                    plan,
                    level,
                    partition,
                    set(wanted),
                    set(force),
                    outcome,
                    [*assets, *checks.build()],
                    resources,
                    instance,
                    say,
                )
    return outcome


def _bring_up_to_date(
    plan, level: Level, partition: str, wanted, force, outcome: Outcome, definitions, resources, instance, say
) -> None:
    done: set[dg.AssetKey] = set()
    while True:
        forced = {key for key in level.keys if key.to_user_string() in force}
        todo = [
            key
            for key in level.keys
            if key in wanted and key not in done and (key in plan.stale(level, partition) or key in forced)
        ]
        todo = [key for key in level.keys if any(key in plan.definition_of[other].keys for other in todo)]
        if not todo:
            break
        where = f" of batch {partition}" if level.partitioned else ""
        say(f"{', '.join(key.to_user_string() for key in todo)}{where}")
        result = dg.materialize(
            definitions,
            selection=dg.AssetSelection.assets(*todo),
            instance=instance,
            resources=resources,
            partition_key=partition if level.partitioned else None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        if not result.success:
            raise RunFailed(_why(result, where))
        done |= set(todo)
    outcome.materialized += [(key.to_user_string(), partition) for key in done]
    outcome.current += [(key.to_user_string(), partition) for key in level.keys if key in wanted and key not in done]


def _why(result: dg.ExecuteInProcessResult, where: str) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause or error
            told = event.step_failure_data.user_failure_data
            sentence = told.description if told and told.description else cause.message.strip()
            return f"{event.step_key}{where} failed: {sentence}"
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            return f"the check {check.check_name} of {check.asset_key.to_user_string()}{where} did not pass: { {k: v.value for k, v in check.metadata.items()} }"
    return f"the run{where} failed; `videozoomer ui` shows its log"


@contextmanager
def _quiet():
    """Dagster's own log goes to its instance, not to the screen."""
    logger = logging.getLogger("dagster")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            warnings.simplefilter("ignore", dg.PreviewWarning)
            yield
    finally:
        logger.setLevel(level)
