"""`python -m filters.document docs/filters.md` updates the page's table of rules from the rule files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from filters.rules import load_rules

SECTION = re.compile(r"(?<=<!-- rules -->\n).*?(?=<!-- /rules -->)", re.S)
"""The generated part of the page; the rest is written by hand."""


def rules_table() -> str:
    """A Markdown table of every rule, in order: its name, its level, what it drops and why."""
    lines = ["| rule | level | drops | why |", "| --- | --- | --- | --- |"]
    lines += [f"| `{rule.name}` | {rule.level} | {rule.drops} | {rule.why} |" for rule in load_rules()]
    return "\n".join(lines) + "\n"


def with_rules(page: str) -> str:
    """The page with an up-to-date table of rules.

    Raises:
        ValueError: the page lacks the two marker comments.
    """
    if not SECTION.search(page):
        raise ValueError("the page lacks the lines <!-- rules --> and <!-- /rules -->; add both around the table")
    return SECTION.sub(lambda _: rules_table(), page)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_rules(target.read_text()))
