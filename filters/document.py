"""`python -m filters.document docs/filters.md`: writes the table of rules into the page, from the rules themselves."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from filters.rules import load_rules

SECTION = re.compile(r"(?<=<!-- rules -->\n).*?(?=<!-- /rules -->)", re.S)
"""The part of the page that is written here; all else in it is by hand."""


def rules_table() -> str:
    """Every rule in order, as a Markdown table: name, level, what it drops, why."""
    lines = ["| rule | level | drops | why |", "| --- | --- | --- | --- |"]
    lines += [f"| `{rule.name}` | {rule.level} | {rule.drops} | {rule.why} |" for rule in load_rules()]
    return "\n".join(lines) + "\n"


def with_rules(page: str) -> str:
    """The page with its section of rules as they are now.

    Raises:
        ValueError: the page has no such section.
    """
    if not SECTION.search(page):
        raise ValueError("the page has no section between <!-- rules --> and <!-- /rules -->; add both lines")
    return SECTION.sub(lambda _: rules_table(), page)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_rules(target.read_text()))
