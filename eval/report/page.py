"""Puts the sections together into one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from eval.metrics import ALL
from eval.report import inputs, making, results
from eval.report.facts import ReportFacts
from eval.report.html import Section, count, escape, figures, interval, share
from videozoomer.lake.atomic import write_text
from videozoomer.lake.lake import Lake

SECTIONS = (
    inputs.what_ran, inputs.videos, inputs.shots, inputs.questions,
    making.funnel, making.pass_rates, making.calls, making.zooms,
    results.shards, results.training, results.reinforcement, results.evaluations, results.leaks,
)  # fmt: skip
"""In the order of the page; each takes (lake, facts) and always returns a section, if only to say what is absent."""
STYLE = Path(__file__).with_name("page.css")


def write_report(lake: Lake, facts: ReportFacts, target: Path) -> Path:
    """Write the page to `target` in one rename and return it.

    Raises:
        FactsError, ShardError: a training file or a manifest is there but cannot be read.
    """
    sections = [section(lake, facts) for section in SECTIONS]
    sections.append(results.not_run(sections))
    name = f"Report on {facts.recipe_name}" if facts.recipe_name else "Report"
    return write_page(target, name, headline(lake), sections, facts.trajectories)


def write_page(
    target: Path,
    name: str,
    first: Sequence[tuple[str, str, str]],
    sections: Sequence[Section],
    trajectories: str | None = None,
) -> Path:
    """One HTML file that needs nothing else. `first`: the figures at the top, as (what, how much, small print)."""
    return write_text(target, _page(name, first, sections, trajectories))


def headline(lake: Lake) -> list[tuple[str, str, str]]:
    """The figures at the top of the page, as (what, how much, small print)."""
    videos = lake.scan("videos", columns=["status"]).collect()["status"]
    questions = lake.scan("questions", columns=["status"]).collect()["status"]
    verdicts = lake.scan("verdicts", columns=["outcome"]).collect()["outcome"]
    taken, fit, kept = (
        (column == good).sum() for column, good in ((videos, "ok"), (questions, "ok"), (verdicts, "kept"))
    )
    out = [
        ("videos", count(taken), f"{count(len(videos) - taken)} quarantined"),
        ("questions", count(fit), f"{count(len(questions) - fit)} quarantined"),
        ("trajectories kept", count(kept), f"of {count(len(verdicts))} candidates"),
    ]
    scored = lake.read("evaluations").filter((pl.col("metric") == "accuracy") & (pl.col("slice") == ALL))
    for (player,), rows in sorted(scored.group_by("player"), key=lambda pair: pair[0]):
        by_setting = {row["setting"]: row for row in rows.iter_rows(named=True)}
        first = by_setting.get("zoom") or next(iter(by_setting.values()))
        small = [
            f"with zoom, {count(first['questions'])} questions" if first["setting"] == "zoom" else first["setting"]
        ]
        if first["low"] is not None:
            small.append(f"95% interval {interval(first['low'], first['high'])}")
        if "overview" in by_setting and first["setting"] == "zoom":
            small.append(f"{share(by_setting['overview']['value'])} from the overview alone")
        out.append((f"accuracy of {player}", share(first["value"]), "; ".join(small)))
    return out


def _page(
    name: str, first: Sequence[tuple[str, str, str]], sections: Sequence[Section], trajectories: str | None
) -> str:
    links = "".join(f'<li><a href="#{section.id}">{escape(section.title)}</a></li>' for section in sections)
    body = "".join(
        f'<section id="{section.id}" aria-labelledby="{section.id}-title"><h2 id="{section.id}-title">{escape(section.title)}</h2>{section.body}</section>'
        for section in sections
    )
    browser = f'<p><a href="{escape(trajectories)}">Browse single trajectories</a></p>' if trajectories else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(name)} – VideoZoomer</title>\n<style>{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f"<header><p class='brand'>VideoZoomer</p><h1>{escape(name)}</h1>{figures(first)}{browser}</header>\n"
        f'<div class="columns"><nav aria-label="Sections"><ol>{links}</ol></nav>\n<main>{body}</main></div>\n</body>\n</html>\n'
    )
