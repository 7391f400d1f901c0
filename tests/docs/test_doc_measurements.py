"""Every figure on the page of measurements has a date, a commit, a machine and a command."""

from __future__ import annotations

import re

import pytest
from doc_commands import check
from doc_pages import ROOT, commands

TEXT = (ROOT / "docs/measurements.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.M)[1:]
HEAD = "| date | commit | machine | command |"


def _rows() -> list[list[str]]:
    """Cells of every row below a head that begins with date, commit, machine and command."""
    found, inside = [], False
    for line in TEXT.splitlines():
        if line.startswith(HEAD):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.splitlines()[0])
def test_every_section_says_where_its_figures_come_from(section):
    assert HEAD in section


@pytest.mark.parametrize("row", _rows(), ids=" ".join)
def test_every_row_is_complete(row):
    date, commit, machine, command = row[:4]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", date)
    assert re.match(r"`[0-9a-f]{7}`", commit)
    assert re.match(r"A\b", machine) and "**Machine A**" in TEXT
    spans = re.findall(r"`([^`]+)`", command)
    assert spans, "no command"
    for span in spans:
        for words in commands(span):
            check(words)
