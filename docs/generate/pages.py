"""Every generated file and the function that writes it: the reference pages, and the typed rows of the tables."""

from __future__ import annotations

from collections.abc import Callable

from docs.generate import api, assets, commands, settings
from filters.document import with_rules
from pipelines.document import rewritten
from videozoomer.lake.document import as_markdown as tables
from videozoomer.lake.typed_rows import lake_rows
from videozoomer.shards.typed_rows import shard_rows

Build = Callable[[str], str]
"""From a page's text now to the text it should have. A page that is generated as a whole ignores its text now."""

PAGES: dict[str, Build] = {
    "videozoomer/lake/rows.py": lambda _: lake_rows(),
    "videozoomer/shards/rows.py": lambda _: shard_rows(),
    "ARCHITECTURE.md": rewritten,
    "docs/filters.md": with_rules,
    "docs/tables.md": lambda _: tables(),
    "docs/reference/commands.md": lambda _: commands.page(),
    "docs/reference/settings.md": lambda _: settings.page(),
    "docs/reference/assets.md": lambda _: assets.page(),
    **{f"docs/reference/api/{room}.md": api.page_of(room) for room in api.ROOMS},
}
"""Path from the root of the repository -> its text."""
