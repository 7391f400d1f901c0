"""What every asset needs: the recipe, the lake, the stamps, the folders of a run, and how to record a result."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import dagster as dg
import polars as pl

from videozoomer.lake import Lake
from videozoomer.lake.lake import ALL
from videozoomer.lake.lock import HomeInUse, ResultInUse, hold, hold_result
from videozoomer.lake.snapshot import Snapshot
from videozoomer.lake.stamps import UNFINISHED, Stamp, Stamps, inputs_hash
from videozoomer.settings import Recipe

if TYPE_CHECKING:
    from distill.storage.ledger import Ledger
    from videozoomer.protocol.question import QuestionItem
    from videozoomer.video.reader import ReaderPool

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
"""Ingest batches, named `<source>-<NNNN>`; the asset `sources` adds them."""


class Advance(Protocol):
    """Reports that so many steps of a piece of work are done; a part of a step counts as a fraction."""

    def __call__(self, steps: float = 1) -> None: ...


class Progress:
    """Reports how far long work has come. This one is silent; the command line's draws bars."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """A piece of work of `total` steps; call the yielded function with the number of steps just done."""
        yield _silent


def _silent(steps: float = 1) -> None:
    pass


@dataclass
class RunningStep:
    """The step that runs now. What it writes is one commit, made once its function has ended without an error."""

    lake: Lake
    """Reads the snapshot that the step began with, and what it has written itself."""
    inputs: dict[str, str]
    """For each asset that the step makes: hash of what it is made from, in that snapshot."""
    partition: str
    held: ExitStack
    """Locks of results that are folders."""
    claimed: dict[str, Stamp] = field(default_factory=dict)
    """For each asset whose folder is being replaced, the stamp that says so."""
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """To call once the commit stands."""


@dataclass(frozen=True)
class Workspace:
    """The one resource of the assets."""

    recipe: Recipe
    progress: Progress = field(default_factory=Progress)
    running: list[RunningStep] = field(default_factory=list, compare=False, repr=False)
    """The step that runs in this process, if one does."""
    pinned: Snapshot | None = field(default=None, compare=False, repr=False)
    """Read this snapshot; None reads the newest one at every access."""
    pay_again: bool = False
    """Whether calls whose replies were lost with their ledger may be paid for once more."""

    @property
    def home(self) -> Path:
        return self.recipe.home_path

    @property
    def lake(self) -> Lake:
        return self.running[-1].lake if self.running else Lake(self.home / "tables", pinned=self.pinned)

    def at_once(self) -> Workspace:
        """The workspace as it is now: what is read from it one after another belongs together."""
        return replace(self, running=[], pinned=self.lake.snapshot())

    def inputs(self, asset: str) -> str:
        """Hash of what the running step makes this asset from."""
        return self.running[-1].inputs[asset]

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once the running step's results are committed; never if it fails or is killed."""
        self.running[-1].afterwards.append(action)

    def begin_writing(self) -> None:
        """Call it before the running step replaces a folder or a page: these are not part of a commit.

        Until the step commits, their stamps say that they are unfinished, so what a killed process leaves behind is
        stale. No other process replaces them meanwhile.

        Raises:
            dagster.Failure: another process is replacing them.
        """
        step = self.running[-1]
        for asset in step.inputs:
            try:
                step.held.enter_context(hold_result(self.home, f"{asset}.{step.partition}"))
            except ResultInUse as error:
                raise dg.Failure(str(error)) from error
            old = step.lake.snapshot().stamp(asset, step.partition)
            step.claimed[asset] = Stamp("", f"{UNFINISHED}{uuid.uuid4().hex}", old.facts if old else {})
            Stamps(Lake(self.home / "tables")).write(asset, step.claimed[asset], step.partition)

    @property
    def stamps(self) -> Stamps:
        return Stamps(self.lake)

    def ledger(self, stage: str, partition: str) -> Path:
        """Path of the ledger of one stage of one batch: one file, one writer."""
        return self.home / "ledger" / stage / f"{partition}.sqlite"

    @property
    def servers(self) -> Path:
        """What `videozoomer ledger probe` learnt about the recipe's servers: a ledger without calls."""
        return self.home / "servers.sqlite"

    def open_ledger(self, stage: str, partition: str) -> Ledger:
        """Open a stage's ledger for writing, with what is known about the servers.

        Raises:
            LedgerError: another process is writing to it.
        """
        from distill.storage.ledger import Ledger

        ledger = Ledger(self.ledger(stage, partition))
        if self.servers.is_file():
            ledger.adopt(self.servers)
        return ledger

    def scratch(self, stage: str, partition: str) -> Path:
        """A folder for files that are needed only while a step runs."""
        folder = self.home / "scratch" / stage / partition
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def shards(self, kind: str) -> Path:
        return self.home / "shards" / kind

    def training(self, stage: str) -> Path:
        return self.home / "training" / stage

    @property
    def zoom_store(self) -> str | None:
        """Folder of the frames that ingest stores for fast zooms; None where the recipe stores none."""
        return str(self.home / "zoom_store") if self.recipe.video.zoom_store_fps else None

    @property
    def unpacked(self) -> str:
        return str(self.recipe.unpacked_path)

    def readers(self, items: Iterable[QuestionItem]) -> ReaderPool:
        """What reads the frames that a player of these questions asks for, from the zoom store where it has them."""
        from videozoomer.protocol.question import bad_spans_by_video
        from videozoomer.video.reader import ReaderPool

        protocol = self.recipe.protocol.to_protocol()
        return ReaderPool(
            protocol.min_pixels,
            protocol.max_pixels,
            zoom_store_dir=self.zoom_store,
            unpacked_dir=self.unpacked,
            stream=self.recipe.video.stream_index,
            bad_spans=bad_spans_by_video(items),
        )

    @property
    def report(self) -> Path:
        return self.home / "report"

    def batches(self) -> list[str]:
        """All batches, as `sources` last wrote them."""
        return self.lake.partitions("files")


def partition_of(context: dg.AssetExecutionContext) -> str:
    return context.partition_key if context.has_partition_key else ALL


def stamped_inputs(snapshot: Snapshot, assets_def: dg.AssetsDefinition, key: dg.AssetKey, partition: str) -> str:
    """Hash of what the asset would be made from in this snapshot; see `videozoomer.lake.stamps`."""
    version = assets_def.code_versions_by_key.get(key) or ""
    # The outputs of one asset function may depend on one another; only inputs from outside it count.
    parents = {parent.to_user_string() for parent in assets_def.asset_deps[key]} - {
        k.to_user_string() for k in assets_def.keys
    }
    return inputs_hash(snapshot, version, parents, partition)


Step = TypeVar("Step", bound=Callable[..., Any])


def step(function: Step) -> Step:
    """Decorate the function of an asset, below Dagster's decorator: it reads one snapshot and makes one commit.

    A result whose inputs change while it is made is stamped with the inputs that it was made from, and so is stale at
    once. The home is held meanwhile, so that no run from the command line works on it.

    Raises:
        dagster.Failure: a run from another process holds the home, or has made the same result meanwhile.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def results(context: dg.AssetExecutionContext, workspace: Workspace, **others: Any) -> Iterator[Any]:
            # Nothing is reported as made before it is committed.
            with _running(context, workspace):
                made = list(function(context, workspace=workspace, **others))
            yield from made

        return cast(Step, results)

    @functools.wraps(function)
    def result(context: dg.AssetExecutionContext, workspace: Workspace, **others: Any) -> Any:
        with _running(context, workspace):
            return function(context, workspace=workspace, **others)

    return cast(Step, result)


@contextmanager
def _running(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[None]:
    definition, partition = context.assets_def, partition_of(context)
    work = f"the step {definition.op.name} of Dagster run {context.run.run_id[:8]}"
    if workspace.running:
        raise dg.Failure(f"{work} cannot run beside another step of the same process; use the in-process executor")
    try:
        with hold(workspace.home, work, shared=True), ExitStack() as held:
            lake = Lake(workspace.home / "tables").begin(f"{work}, partition {partition}")
            inputs = {
                key.to_user_string(): stamped_inputs(lake.snapshot(), definition, key, partition)
                for key in definition.keys
            }
            running = RunningStep(lake, inputs, partition, held)
            workspace.running.append(running)
            try:
                yield
                lake.commit(lambda head: _refuse_if_overtaken(running, definition, head))
            finally:
                workspace.running.clear()
            for action in running.afterwards:
                action()
    except HomeInUse as error:
        raise dg.Failure(str(error)) from error


def _refuse_if_overtaken(running: RunningStep, definition: dg.AssetsDefinition, head: Snapshot) -> None:
    """Of two runs that make the same result, the one that commits first stands, unless it is stale and this is not.

    Raises:
        dagster.Failure: another run has committed a result of this step since it began, and it stands.
    """
    before = running.lake.base
    for key in definition.keys:
        asset, partition = key.to_user_string(), running.partition
        own = running.claimed.get(asset, before.stamp(asset, partition))
        found = head.stamp(asset, partition)
        if found is None or found == own or found == running.lake.snapshot().stamp(asset, partition):
            continue
        now = stamped_inputs(head, definition, key, partition)
        if found.inputs == now or running.inputs[asset] != now:
            raise dg.Failure(
                f"another run has made {asset} ({partition}) since this step began. That result stands and nothing of "
                "this step is kept; run again if it is stale"
            )


def finish(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    content: str,
    *,
    asset: str | None = None,
    facts: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult:
    """Stamp the result of a `step` and report it to Dagster. `facts` are counts, for the stamp and the metadata."""
    key = dg.AssetKey(asset) if asset else context.asset_key
    name = key.to_user_string()
    workspace.stamps.write(name, Stamp(workspace.inputs(name), content, dict(facts or {})), partition_of(context))
    return dg.MaterializeResult(
        asset_key=key, data_version=dg.DataVersion(content), metadata={**(facts or {}), **(metadata or {})}
    )


def content_of(workspace: Workspace, written: Iterable[tuple[str, str]]) -> str:
    """One hash over all (table, partition) pairs just written.

    Up to four pairs, it is their shortened hashes one after another, as in the first release: results of finished runs
    stay current. From the fifth on that form would leave pairs out, so all are hashed together.
    """
    hashes = [(table, partition, workspace.lake.content_hash(table, partition)) for table, partition in written]
    if len(hashes) <= 4:
        return "".join(content[:16] for _, _, content in hashes)
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


def is_current(workspace: Workspace, assets_def: dg.AssetsDefinition, key: dg.AssetKey, partition: str) -> bool:
    """Whether a result exists, was made from the present inputs, and contains no failure that may be retried."""
    snapshot = workspace.lake.snapshot()
    stamp = snapshot.stamp(key.to_user_string(), partition)
    return (
        stamp is not None
        and stamp.inputs == stamped_inputs(snapshot, assets_def, key, partition)
        and not stamp.facts.get("retryable")
        and not raised_limits(stamp, workspace.recipe)
    )


def raised_limits(stamp: Stamp, recipe: Recipe) -> set[str]:
    """Settings of `video` that stopped the reading of a file and allow more now."""
    limits: dict[str, float | None] = stamp.facts.get("limits", {})
    return {name for name, value in limits.items() if _allows_more(getattr(recipe.video, name), value)}


def _allows_more(now: float | None, before: float | None) -> bool:
    """None is a limit that follows from the film; it is not known whether another one allows more, so it is tried."""
    return now != before if now is None or before is None else now > before


def preview(rows: pl.DataFrame, columns: Sequence[str], limit: int = 10) -> dg.MarkdownMetadataValue:
    """The first rows of a table, as Markdown for the asset's page in the UI."""
    shown = rows.select([name for name in columns if name in rows.columns]).head(limit).to_dicts()
    names = [name for name in columns if name in rows.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in shown:
        cells = (
            json.dumps(row[name], ensure_ascii=False, default=str)
            if isinstance(row[name], list | dict)
            else str(row[name])
            for name in names
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ")[:160] for cell in cells) + " |")
    return dg.MetadataValue.md("\n".join(lines))
