"""What is to be done: assets grouped into levels that alternate between whole tables and batches, and what is stale in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from assets.sources import listing_digest
from assets.workspace import Workspace, is_current
from videozoomer.lake.lake import ALL


@dataclass(frozen=True)
class Level:
    """Assets that are materialised together, in an order in which each comes after what it is made from."""

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
        """Assets to materialise next: those not current, and behind them those that never were.

        An asset that is only behind a stale one is left until that one is done: it may come out the same.
        """
        found = [
            key
            for key in level.keys
            if self.source_changed(key) or not is_current(self.workspace, self.definition_of[key], key, partition)
        ]
        chosen: set[dg.AssetKey] = set()
        for key in found:
            waits = self._parents_in(key, level) & set(found)
            made_before = self.workspace.stamps.read(key.to_user_string(), partition) is not None
            if not (waits and made_before):
                chosen |= set(self.definition_of[key].keys)
        return [key for key in level.keys if key in chosen]

    def source_changed(self, key: dg.AssetKey) -> bool:
        """Whether the listing of the sources, which no other asset feeds, differs from what was listed last."""
        if key.to_user_string() != "sources":
            return False
        stamp = self.workspace.stamps.read("sources")
        return stamp is None or stamp.facts.get("listing") != listing_digest(self.workspace.recipe)

    def _parents_in(self, key: dg.AssetKey, level: Level) -> set[dg.AssetKey]:
        """What the asset is made from within its level, itself and its sisters of one function left out."""
        own = self.definition_of[key]
        return {parent for sister in own.keys for parent in own.asset_deps[sister]} & set(level.keys) - set(own.keys)

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
