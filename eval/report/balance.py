"""Report section about balance: what the data is made of before and after the rules, and which rule shifts it."""

from __future__ import annotations

import polars as pl

from eval.charts import bars
from eval.report.facts import ReportFacts
from eval.report.html import Section, count, escape, figure, note, share, table, words
from filters.balance import CHANCE, TRAITS, WHOLE, sorted_values
from filters.shifts import LEAST_EFFECT, NOUNS, SIGNIFICANT
from videozoomer.lake.lake import Lake

LARGEST = 12
"""Shifts that the table of rules lists."""
TITLE = "Balance"


def balance(lake: Lake, facts: ReportFacts) -> Section:
    counts, shifts = lake.read("balance"), lake.read("shifts")
    if not counts.height:
        return Section("balance", TITLE, note("Nothing was counted."), ["What the rules shift was not counted."])
    body = (
        "<p>What the data is made of before and after the rules. A warning needs a shift that is certain "
        f"(chi-square, p below {SIGNIFICANT:.0e}; the samples of a question count as one) and large (Cohen's w of at "
        f"least {LEAST_EFFECT}).</p>"
    )
    warnings = shifts.drop_nulls("warning").sort("effect", descending=True)["warning"].to_list()
    if warnings:
        body += f"<h3>Warnings</h3><ul>{''.join(f'<li>{escape(warning)}</li>' for warning in warnings)}</ul>"
    else:
        body += note("No rule shifts the data, and right options are as by chance.")
    largest = shifts.drop_nulls("effect").filter(pl.col("place") != counts["place"].max())
    largest = largest.sort("effect", descending=True).head(LARGEST)
    if largest.height:
        body += "<h3>Largest shifts</h3>" + table(
            ["kind", "rule", "trait", "before", "after", "Cohen's w", "p"],
            [
                (r["kind"], words(r["rule"]), words(r["trait"]), r["before"], r["after"], r["effect"], r["p_value"])
                for r in largest.iter_rows(named=True)
            ],
        )
    for kind in counts.filter(rule=WHOLE)["kind"].unique().sort():
        body += _of_kind(kind, counts.filter(kind=kind))
    return Section("balance", TITLE, body)


def _of_kind(kind: str, counts: pl.DataFrame) -> str:
    """One table of all traits, and a chart of the letters."""
    rows = []
    for trait, title in TRAITS.items():
        mine = sorted_values(trait, counts.filter(rule=WHOLE, trait=trait))
        before, after = mine["before"].sum(), mine["after"].sum()
        for row in mine.iter_rows(named=True):
            asked = share(row["before"] / before if before else None)
            kept = share(row["after"] / after if after else None)
            rows.append((title, words(row["value"]), row["before"], asked, row["after"], kept))
    name = NOUNS.get(kind, f"{kind}s")
    body = f"<h3>{name[0].upper()}{name[1:]}</h3>" + table(
        ["trait", "value", "before", "share", "after", "share"], rows
    )
    letters = counts.filter(rule=CHANCE, trait="letter")
    if letters.height:
        chart = bars(letters.to_dicts(), "value", "after", x_title="letter of the right option", y_title="kept")
        expected = ", ".join(f"{row['value']} {count(row['before'])}" for row in letters.iter_rows(named=True))
        body += figure(chart, f"letters-{kind}", f"Letters of the right options. Chance gives {expected}.")
    return body
