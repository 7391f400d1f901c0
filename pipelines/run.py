"""Bring a recipe's assets up to date through Dagster: level by level, batch by batch, only what is stale."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import dagster as dg

from assets.checks import CHECKS
from assets.training_process import LoggedProcess
from assets.workspace import BATCHES, Progress, Workspace
from pipelines.build import build_assets, why_absent
from pipelines.garbage import ViewsInUse, collect_garbage
from pipelines.plan import Level, Plan
from videozoomer.lake.lock import hold
from videozoomer.settings import Recipe

INSTANCE_FILE = "dagster.yaml"
INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
"""Names of the exceptions by which Ctrl-C ends a step."""


class RunFailed(RuntimeError):
    """A step or a blocking check failed; the message names it and its batch and gives the remedy."""


@dataclass
class RunResult:
    materialized: list[tuple[str, str]] = field(default_factory=list)
    """(asset, partition) made in this run."""
    current: list[tuple[str, str]] = field(default_factory=list)
    """(asset, partition) that were up to date."""
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """(asset, partition) that are stale and that a wanted asset is made from, but that `only` left out."""


def dagster_home(recipe: Recipe) -> Path:
    """Folder of the recipe's own Dagster instance, created on first use from the project's dagster.yaml."""
    home = recipe.home_path / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent
    source = next(path for path in (here.parent / INSTANCE_FILE, here / INSTANCE_FILE) if path.exists())
    if not (home / INSTANCE_FILE).exists():
        shutil.copy(source, home / INSTANCE_FILE)
    return home


@contextmanager
def open_instance(recipe: Recipe) -> Iterator[dg.DagsterInstance]:
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
    pay_again: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> RunResult:
    """Materialise what is stale.

    `only` limits the run to these assets (and to assets made by the same function) and to what they are made from where
    that is missing; `batches` limits it to these partitions. `force` remakes assets that are current. `say` receives a
    line before each step. `pay_again`: calls whose replies were lost with their ledger may be paid for once more.

    Raises:
        HomeInUse: another run holds the home.
        RunFailed: a step or a blocking check failed. Results finished before it are kept and not made again.
        KeyboardInterrupt: the run was stopped by Ctrl-C; the same holds.
        SourceError: a source of the recipe has nothing to list.
    """
    workspace = Workspace(recipe, progress or Progress(), pay_again=pay_again)
    assets = build_assets(recipe)
    plan = Plan(assets, workspace)
    names = [key.to_user_string() for key in plan.definition_of]
    if unknown := sorted({*only, *force} - set(names)):
        raise RunFailed(why_absent(recipe, unknown[0]) or _no_such(unknown[0], names))
    with hold(workspace.home, "a run from the command line"), open_instance(recipe) as instance, _quiet():
        materializer = _Materializer(
            plan,
            only=set(only),
            force=set(force),
            definitions=[*assets, *CHECKS],
            resources={"workspace": workspace, "pipes": LoggedProcess()},
            instance=instance,
            say=say,
        )
        for level in plan.levels:
            if level.partitioned:
                _require_batches(batches, workspace.batches())
                # The tables may know batches that this instance does not: its event log may be younger than they are.
                instance.add_dynamic_partitions(str(BATCHES.name), workspace.batches())
            for partition in plan.partitions(level):
                if not (level.partitioned and batches and partition not in batches):
                    materializer.update(level, partition)
        if materializer.result.materialized:
            _collect_garbage(workspace, say)
    return materializer.result


def _no_such(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"there is no asset {name!r}; " + (f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}")


def _collect_garbage(workspace: Workspace, say: Callable[[str], None]) -> None:
    try:
        collect_garbage(workspace)
    except ViewsInUse as error:
        say(f"replaced files of tables are kept: {error}")


def _require_batches(asked: Iterable[str], known: Sequence[str]) -> None:
    if unknown := sorted(set(asked) - set(known)):
        choice = f"choose from {', '.join(known)}" if known else "no batch is listed yet; run without --batch first"
        raise RunFailed(f"there is no batch {unknown[0]!r}; {choice}")


@dataclass
class _Materializer:
    """Makes the stale assets of one level and partition after another."""

    plan: Plan
    only: Collection[str]
    force: Collection[str]
    definitions: Sequence[dg.AssetsDefinition | dg.AssetChecksDefinition]
    resources: Mapping[str, Any]
    instance: dg.DagsterInstance
    say: Callable[[str], None]
    result: RunResult = field(default_factory=RunResult)
    _needed: set[dg.AssetKey] = field(init=False)
    """Everything that a wanted asset is made from."""

    def __post_init__(self) -> None:
        self._needed = self.plan.ancestors(key for key in self.plan.definition_of if self._wanted(key))

    def update(self, level: Level, partition: str) -> None:
        """Repeat until nothing is stale: an asset behind a stale one is judged once that one is made."""
        done: set[dg.AssetKey] = set()
        while todo := self._todo(level, partition, done):
            self._materialize(level, partition, todo)
            done |= set(todo)
        self.result.materialized += [(key.to_user_string(), partition) for key in done]
        left = [key for key in level.keys if key not in done]
        self.result.current += [(key.to_user_string(), partition) for key in left if self._wanted(key)]
        self.result.passed_over += [
            (key.to_user_string(), partition)
            for key in left
            if key in self._needed and not self._wanted(key) and not self.plan.is_current(key, partition)
        ]

    def _wanted(self, key: dg.AssetKey) -> bool:
        return not self.only or key.to_user_string() in self.only

    def _lacking(self, key: dg.AssetKey, partition: str) -> bool:
        """Whether a wanted asset is made from this one, which was never made or not finished."""
        return key in self._needed and not self.plan.is_made(key, partition)

    def _todo(self, level: Level, partition: str, done: Collection[dg.AssetKey]) -> list[dg.AssetKey]:
        """The assets to make next, with the others that the same function makes."""
        stale = self.plan.stale(level, partition)
        chosen = {
            key
            for key in level.keys
            if key not in done
            and (
                (self._wanted(key) and (key in stale or key.to_user_string() in self.force))
                or self._lacking(key, partition)
            )
        }
        made_together = {made for key in chosen for made in self.plan.definition_of[key].keys}
        return [key for key in level.keys if key in made_together]

    def _materialize(self, level: Level, partition: str, todo: Sequence[dg.AssetKey]) -> None:
        where = f" of batch {partition}" if level.partitioned else ""
        self.say(f"{', '.join(key.to_user_string() for key in todo)}{where}")
        result = dg.materialize(
            self.definitions,
            selection=dg.AssetSelection.assets(*todo),
            instance=self.instance,
            resources=self.resources,
            partition_key=partition if level.partitioned else None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        if _interrupted(result):
            raise KeyboardInterrupt
        if not result.success:
            raise RunFailed(_why(result, where))


def _interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a step ended by Ctrl-C, which Dagster records as a failure like any other."""
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return any(error.cls_name in INTERRUPTS for error in errors if error)


def _why(result: dg.ExecuteInProcessResult, where: str) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            return f"{event.step_key}{where} failed: {_sentence(event)}"
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            found = {name: entry.value for name, entry in check.metadata.items()}
            return f"the check {check.check_name} of {check.asset_key.to_user_string()}{where} did not pass: {found}"
    return f"the run{where} failed; `videozoomer ui` shows its log"


def _sentence(event: dg.DagsterEvent) -> str:
    """The description of a `dg.Failure`, otherwise the message of the exception behind the step's error."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error.cause or failure.error if failure.error else None
    return error.message.strip() if error else "no error was recorded; `videozoomer ui` shows the log"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dagster's own log in its instance, off the screen."""
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
