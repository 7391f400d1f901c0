"""Tables in the guides that list what the code declares are complete."""

from __future__ import annotations

import re

from doc_pages import ROOT

from distill.client.errors import FINAL_KINDS, PASSING_KINDS, WAITING_KINDS
from filters.grading import GRADERS
from filters.rules import load_rules
from videozoomer.shards.export import FORMATS
from videozoomer.sources.questions import COLUMNS
from videozoomer.video.preflight import REASONS
from videozoomer.video.settings import DETECTORS


def first_column(page: str, heading: str) -> set[str]:
    """Names in the first column of the tables under a heading, up to the next heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_reasons_of_quarantine():
    assert first_column("docs/video.md", "### Why a file is quarantined") == set(REASONS)


def test_kinds_of_failed_calls():
    kinds = {*FINAL_KINDS, *WAITING_KINDS, *PASSING_KINDS}
    assert first_column("docs/distillation.md", "## Retries") == kinds


def test_columns_of_a_question_file():
    assert first_column("docs/how-to/add-a-source.md", "## The question file") == set(COLUMNS)


def test_answer_types():
    assert first_column("docs/filters.md", "## Grades") == set(GRADERS)


def test_formats_of_exports():
    assert first_column("docs/shards.md", "## For other trainers") == set(FORMATS)


def test_rules():
    assert first_column("docs/filters.md", "## Rules") == {rule.name for rule in load_rules()}


def test_shot_detectors():
    text = (ROOT / "docs/video.md").read_text(encoding="utf-8").split("## Shots")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| (\w+) \|", text, re.M)) - {"detector"} == set(DETECTORS)
