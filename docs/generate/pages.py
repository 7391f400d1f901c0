"""Every generated page and the function that writes it."""

from __future__ import annotations

from collections.abc import Callable

from docs.generate import api, assets, commands, settings
from filters.document import with_rules
from pipelines.document import rewritten
from videozoomer.lake.document import as_markdown as tables

Build = Callable[[str], str]
"""From a page's text now to the text it should have. A page that is generated as a whole ignores its text now."""

PAGES: dict[str, Build] = {
    "ARCHITECTURE.md": rewritten,
    "docs/filters.md": with_rules,
    "docs/tables.md": lambda _: tables(),
    "docs/reference/commands.md": lambda _: commands.page(),
    "docs/reference/settings.md": lambda _: settings.page(),
    "docs/reference/assets.md": lambda _: assets.page(),
    **{f"docs/reference/api/{room}.md": api.page_of(room) for room in api.ROOMS},
}
"""Path from the root of the repository -> its text."""
