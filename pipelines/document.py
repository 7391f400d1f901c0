"""`python -m pipelines.document ARCHITECTURE.md` draws the asset graph there as a Mermaid diagram."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dagster import AssetsDefinition

from pipelines.build import build_assets
from videozoomer.settings import Recipe
from videozoomer.settings.model import (
    Endpoint,
    EvidenceSettings,
    FilterSettings,
    PolicySettings,
    RlSettings,
    Source,
    StudentSettings,
    TinyModel,
)
from videozoomer.settings.rl import HarvestSettings

BEGIN, END = "<!-- asset graph: written by `make docs` -->", "<!-- end of asset graph -->"


def document_assets() -> list[AssetsDefinition]:
    """All assets: those of a recipe with a student, probes of evidence, RL and harvesting."""
    recipe = Recipe(
        name="document",
        home=".",
        sources=(Source(name="films", videos="videos", questions="questions.jsonl"),),
        teacher=Endpoint(base_url="http://127.0.0.1"),
        student=StudentSettings(),
        filters=FilterSettings(evidence=EvidenceSettings()),
        policy=PolicySettings(tiny=TinyModel()),
        rl=RlSettings(enabled=True, harvest=HarvestSettings(train=True)),
    )
    return build_assets(recipe)


def as_mermaid() -> str:
    """Every asset in its group; an arrow from each parent that is not already an ancestor through another parent."""
    parents: dict[str, set[str]] = {}
    groups: dict[str, list[str]] = {}
    batched: list[str] = []
    for asset in document_assets():
        for key in sorted(asset.keys, key=str):
            name = key.to_user_string()
            parents[name] = {parent.to_user_string() for parent in asset.asset_deps[key]}
            groups.setdefault(asset.group_names_by_key[key], []).append(name)
            if asset.partitions_def is not None:
                batched.append(name)
    lines = ["```mermaid", "flowchart LR"]
    for group, names in groups.items():
        lines += [f"  subgraph group_{group}[{group}]", *(f"    {name}" for name in names), "  end"]
    for name, above in parents.items():
        lines += [
            f"  {parent} --> {name}"
            for parent in sorted(above - {far for near in above for far in _ancestors(near, parents)})
        ]
    lines += ["  classDef batched stroke-dasharray: 4 3", f"  class {','.join(batched)} batched", "```"]
    return "\n".join(lines)


def _ancestors(name: str, parents: dict[str, set[str]]) -> set[str]:
    return {far for parent in parents[name] for far in ({parent} | _ancestors(parent, parents))}


def rewritten(page: str) -> str:
    """The page with the diagram between its two marks."""
    drawing = f"{BEGIN}\n{as_mermaid()}\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: drawing, page, flags=re.S)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text()))
