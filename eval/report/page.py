"""Assembles the sections into one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from eval.metrics import ALL
from eval.report import balance, inputs, making, results
from eval.report.facts import ReportFacts, evaluations_of
from eval.report.html import Section, count, escape, interval, key_numbers, share
from videozoomer.lake.atomic import write_text
from videozoomer.lake.lake import Lake

SECTIONS = (
    inputs.what_ran, inputs.videos, inputs.shots, inputs.questions,
    making.funnel, balance.balance, making.reviews, making.pass_rates, making.calls, making.zooms,
    results.shards, results.training, results.reinforcement, results.evaluations, results.leaks,
)  # fmt: skip
"""Sections in page order. Each takes (lake, facts) and always returns a section, if only to name what is missing."""
STYLE = Path(__file__).with_name("page.css")


def write_report(lake: Lake, facts: ReportFacts, target: Path) -> Path:
    """Write the page to `target` atomically and return its path.

    Raises:
        FactsError, ShardError: a training file or a manifest exists but cannot be read.
    """
    sections = [section(lake, facts) for section in SECTIONS]
    sections.append(results.not_run(sections))
    name = f"Report on {facts.recipe_name}" if facts.recipe_name else "Report"
    return write_page(target, name, headline(lake, facts), sections, facts.trajectories)


def write_page(
    target: Path,
    name: str,
    numbers: Sequence[tuple[str, str, str]],
    sections: Sequence[Section],
    trajectories: str | None = None,
) -> Path:
    """Write one self-contained HTML file. `numbers` are shown at the top, each as (name, value, details)."""
    return write_text(target, _page(name, numbers, sections, trajectories))


def headline(lake: Lake, facts: ReportFacts) -> list[tuple[str, str, str]]:
    """The numbers at the top of the page, each as (name, value, details)."""
    videos, ok_videos = _rows_with(lake, "videos", "status", "ok")
    questions, ok_questions = _rows_with(lake, "questions", "status", "ok")
    candidates, kept = _rows_with(lake, "verdicts", "outcome", "kept")
    numbers = [
        ("videos", count(ok_videos), f"{count(videos - ok_videos)} quarantined"),
        ("questions", count(ok_questions), f"{count(questions - ok_questions)} quarantined"),
        ("trajectories kept", count(kept), f"of {count(candidates)} candidates"),
    ]
    accuracies = evaluations_of(lake, facts).filter((pl.col("metric") == "accuracy") & (pl.col("slice") == ALL))
    for player in accuracies["player"].unique().sort():
        rows = accuracies.filter(pl.col("player") == player)
        by_condition = {row["setting"]: row for row in rows.iter_rows(named=True)}
        first = by_condition.get("zoom") or next(iter(by_condition.values()))
        details = [
            f"with zoom, {count(first['questions'])} questions" if first["setting"] == "zoom" else first["setting"]
        ]
        if first["low"] is not None:
            details.append(f"95% interval {interval(first['low'], first['high'])}")
        if "overview" in by_condition and first["setting"] == "zoom":
            details.append(f"{share(by_condition['overview']['value'])} from the overview alone")
        numbers.append((f"accuracy of {player}", share(first["value"]), "; ".join(details)))
    return numbers


def _rows_with(lake: Lake, table: str, column: str, value: str) -> tuple[int, int]:
    """Number of rows of a table, and of those that have `value` in `column`."""
    values = lake.scan(table, columns=[column]).collect()
    return values.height, values.filter(pl.col(column) == value).height


def _page(
    name: str, numbers: Sequence[tuple[str, str, str]], sections: Sequence[Section], trajectories: str | None
) -> str:
    links = "".join(f'<li><a href="#{section.id}">{escape(section.title)}</a></li>' for section in sections)
    body = "".join(
        f'<section id="{section.id}" aria-labelledby="{section.id}-title">'
        f'<h2 id="{section.id}-title">{escape(section.title)}</h2>{section.body}</section>'
        for section in sections
    )
    browser = f'<p><a href="{escape(trajectories)}">Browse the trajectories</a></p>' if trajectories else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(name)} – VideoZoomer</title>
<style>{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header><p class='brand'>VideoZoomer</p><h1>{escape(name)}</h1>{key_numbers(numbers)}{browser}</header>
<div class="columns"><nav aria-label="Sections"><ol>{links}</ol></nav>
<main>{body}</main></div>
</body>
</html>
"""
