"""The run plan: assets in levels that alternate between unpartitioned and batched, and which of them are stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from assets.reporting import files_digest
from assets.sources import LISTINGS
from assets.workspace import Workspace, is_current
from videozoomer.lake.lake import ALL

READ = {**LISTINGS, "lake_views": files_digest}
"""Assets made from files that no stamp of a parent covers, and the hash of these files."""


@dataclass(frozen=True)
class Level:
    """Assets that are materialised together, each after those it is made from."""

    partitioned: bool
    keys: tuple[dg.AssetKey, ...]


class Plan:
    """The asset graph of a recipe, seen as levels."""

    def __init__(self, assets: Iterable[dg.AssetsDefinition], workspace: Workspace) -> None:
        self.workspace = workspace
        self.definition_of = {key: definition for definition in assets for key in definition.keys}
        self.levels = self._levels()

    def partitions(self, level: Level) -> list[str]:
        return self.workspace.batches() if level.partitioned else [ALL]

    def stale(self, level: Level, partition: str) -> list[dg.AssetKey]:
        """Assets to materialise next: those not current, and those behind them that were never made.

        An asset that was made before and is only behind a stale one waits: its parent may come out the same.
        """
        found = [key for key in level.keys if not self.is_current(key, partition)]
        chosen: set[dg.AssetKey] = set()
        for key in found:
            waits = self._parents_in(key, level) & set(found)
            made_before = self.workspace.stamps.read(key.to_user_string(), partition) is not None
            if not (waits and made_before):
                chosen |= set(self.definition_of[key].keys)
        return [key for key in level.keys if key in chosen]

    def is_current(self, key: dg.AssetKey, partition: str) -> bool:
        """Whether the result exists and was made from the present inputs, also those outside the home."""
        return not self._listing_changed(key) and is_current(self.workspace, self.definition_of[key], key, partition)

    def is_made(self, key: dg.AssetKey, partition: str) -> bool:
        """Whether there is a finished result, current or not."""
        stamp = self.workspace.stamps.read(key.to_user_string(), partition)
        return stamp is not None and not stamp.unfinished

    def ancestors(self, keys: Iterable[dg.AssetKey]) -> set[dg.AssetKey]:
        """All assets that these are made from, directly or not."""
        found: set[dg.AssetKey] = set()
        waiting = list(keys)
        while waiting:
            definition = self.definition_of[waiting.pop()]
            parents = {parent for made in definition.keys for parent in definition.asset_deps[made]} - found
            found |= parents
            waiting += parents
        return found

    def _listing_changed(self, key: dg.AssetKey) -> bool:
        """Whether an asset that reads files would find others than when it was made."""
        name = key.to_user_string()
        if name not in READ:
            return False
        stamp = self.workspace.stamps.read(name)
        return stamp is None or stamp.facts.get("listing") != READ[name](self.workspace)

    def _parents_in(self, key: dg.AssetKey, level: Level) -> set[dg.AssetKey]:
        """Parents within the level of the asset and of the other assets of its function; none of these themselves."""
        own = self.definition_of[key]
        return {parent for made in own.keys for parent in own.asset_deps[made]} & set(level.keys) - set(own.keys)

    def _levels(self) -> list[Level]:
        height: dict[dg.AssetKey, int] = {}

        def rank(key: dg.AssetKey) -> int:
            if key not in height:
                own = self.definition_of[key]
                parents = [parent for parent in own.asset_deps[key] if parent not in own.keys]
                height[key] = max(
                    (rank(parent) + (self._partitioned(parent) != self._partitioned(key)) for parent in parents),
                    default=0,
                )
            return height[key]

        order = self._topological()
        grouped: dict[tuple[int, bool], list[dg.AssetKey]] = {}
        for key in order:
            grouped.setdefault((rank(key), self._partitioned(key)), []).append(key)
        return [
            Level(partitioned, tuple(keys))
            for (_, partitioned), keys in sorted(grouped.items(), key=lambda item: item[0])
        ]

    def _partitioned(self, key: dg.AssetKey) -> bool:
        return self.definition_of[key].partitions_def is not None

    def _topological(self) -> list[dg.AssetKey]:
        done: dict[dg.AssetKey, None] = {}

        def visit(key: dg.AssetKey) -> None:
            if key in done:
                return
            for parent in sorted(self.definition_of[key].asset_deps[key], key=str):
                visit(parent)
            done[key] = None

        for key in self.definition_of:
            visit(key)
        return list(done)
