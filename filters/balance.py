"""What the data is made of before and after each rule, and which rule shifts it.

Curation chooses, and every choice may shift what is left: towards short films, easy questions, one letter. For each
kind of item and each trait, this module counts the values before and after each rule and tests whether the rule dropped
some values more often than others.

**The test.** Pearson's chi-square on the table of dropped and remaining items by value; with two values it is the
two-proportion z-test. Samples of a question and questions about a film are not independent, so the statistic is divided
by the mean number of items for each question (for each film where the trait is one of films): the design effect where
all items of a question agree. Values with fewer than `LEAST_EXPECTED` expected items are pooled.

**The floor.** In a large set any trifle is significant, so a warning also needs an effect: Cohen's w between the shares
before and after, `sqrt(sum((after - before)^2 / before))`, of at least `LEAST_EFFECT`, which Cohen calls small
("Statistical Power Analysis for the Behavioral Sciences", 1988, section 7.2). For a value with a share of 25% that is 4
percentage points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from filters import sql_functions
from filters.shifts import OF_FILMS, Shift, against_chance, of_rule
from videozoomer.lake import CATALOG, Lake

if TYPE_CHECKING:
    import duckdb

QUERY = Path(__file__).parent / "queries" / "balance.sql"
KEPT = 1_000_000
"""Place of what every rule kept; rules have smaller ones."""
WHOLE, CHANCE, FAILED = "all rules", "chance", "failed"
"""What stands for a rule's name: from everything asked to what is kept; what is kept against what chance gives;
episodes that could not be played."""
TRAITS: dict[str, str] = {
    "letter": "letter of the right option",
    "longest": "the longest option is",
    "topic": "topic",
    "film": "film",
    "type": "type of the answer",
    "zooms": "zooms",
    "duration": "length of the film",
    "language": "language",
    "pass_rate": "pass rate of the question",
}
"""Trait -> what it is, in the order in which pages show them."""


@dataclass(frozen=True, slots=True)
class Balance:
    counts: pl.DataFrame
    """Rows of table `balance`."""
    shifts: pl.DataFrame
    """Rows of table `shifts`."""

    @property
    def warnings(self) -> list[str]:
        return self.shifts["warning"].drop_nulls().to_list()


def measure(lake: Lake, rules: Sequence[str] | None = None) -> Balance:
    """Count all traits before and after each rule.

    Reads `questions`, `question_stats`, `verdicts`, `trajectories` and `videos`; writes nothing. Each table is read
    once, so the cost grows with the number of rows.

    `rules`: names in the order in which they ran, by default the project's; a reason that is not among them counts
    after all others.
    """
    if rules is None:
        from filters.rules import load_rules

        rules = [rule.name for rule in load_rules()]
    connection = lake.connect()
    try:
        sql_functions.register(connection)
        connection.execute(f"create temp macro kept_place() as {KEPT}")
        places = _places(connection, rules)
        ranks = pl.DataFrame({"reason": list(places), "place": list(places.values())}, schema_overrides=_RANKS)
        connection.register("ranks", ranks)
        connection.execute(QUERY.read_text())
        found = connection.sql("select kind, place, trait, value, count(*) as rows from traits group by all").pl()
        units = connection.sql(
            f"""
            select kind, trait, place, count(*) as units
            from (
                select kind, trait, max(place) as place from traits
                group by kind, trait, case when trait in {OF_FILMS} then video else question end
            )
            group by all
            """
        ).pl()
        lettered = connection.sql(
            "select kind, options, longest, count(*) as rows from items "
            "where options is not null and place = kept_place() group by all"
        ).pl()
    finally:
        connection.close()
    names = {0: FAILED} | {place: reason for reason, place in places.items()}
    return _balance(found, units, lettered, names)


_RANKS = pl.Schema({"reason": pl.String, "place": pl.Int32})


def _places(connection: duckdb.DuckDBPyConnection, rules: Sequence[str]) -> dict[str, int]:
    found = connection.sql(
        "select distinct reasons[1] from verdicts where outcome = 'rejected' "
        "union select distinct reasons[1] from question_stats where len(reasons) > 0"
    ).fetchall()
    others = sorted({reason for (reason,) in found if reason} - set(rules))
    return {reason: place for place, reason in enumerate([*rules, *others], 1)}


def _balance(found: pl.DataFrame, units: pl.DataFrame, lettered: pl.DataFrame, names: Mapping[int, str]) -> Balance:
    counts: list[dict] = []
    shifts: list[dict] = []

    def add(kind: str, place: int, rule: str, trait: str, before: Values, after: Values, shift: Shift) -> None:
        counts.extend(
            {
                "kind": kind, "place": place, "rule": rule, "trait": trait, "value": value,
                "before": round(before.get(value, 0)), "after": round(after.get(value, 0)),
            }
            for value in in_order(trait, before.keys() | after.keys())
        )  # fmt: skip
        shifts.append({"kind": kind, "place": place, "rule": rule, "trait": trait} | shift.to_row())

    for (kind, trait), mine in found.sort("kind", "trait").group_by("kind", "trait", maintain_order=True):
        of_place = {place: dict(rows.select("value", "rows").iter_rows()) for (place,), rows in mine.group_by("place")}
        samples = dict(units.filter(kind=kind, trait=trait).select("place", "units").iter_rows())
        asked = _sum(of_place.values())
        left, left_units = asked, sum(samples.values())
        for place in sorted(of_place.keys() - {KEPT}):
            after = {value: rows - of_place[place].get(value, 0) for value, rows in left.items()}
            shift = of_rule(kind, names[place], trait, left, after, left_units)
            add(kind, place, names[place], trait, left, after, shift)
            left, left_units = after, left_units - samples.get(place, 0)
        kept = {value: of_place.get(KEPT, {}).get(value, 0) for value in asked}
        whole = of_rule(kind, WHOLE, trait, asked, kept, sum(samples.values()))
        add(kind, KEPT, WHOLE, trait, asked, kept, whole)
        expected = _by_chance(trait, lettered.filter(kind=kind))
        if expected and sum(kept.values()):
            shift = against_chance(kind, CHANCE, trait, expected, kept, samples.get(KEPT, 0))
            add(kind, KEPT + 1, CHANCE, trait, expected, kept, shift)
    return Balance(CATALOG["balance"].conform(counts), CATALOG["shifts"].conform(shifts))


Values = Mapping[str, float]
"""Value -> items."""


def _sum(parts: Iterable[Values]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for value, rows in part.items():
            total[value] = total.get(value, 0) + rows
    return total


def _by_chance(trait: str, lettered: pl.DataFrame) -> dict[str, float]:
    """Items of each value if the right option were drawn at random; empty for a trait without such a thing."""
    expected: dict[str, float] = {}
    for row in lettered.iter_rows(named=True):
        share, rows = 1 / row["options"], row["rows"]
        if trait == "letter":
            parts = {_letter(index): share for index in range(row["options"])}
        elif trait == "longest" and row["longest"] is not None:
            parts = {"the right one": share, "another one": 1 - share}
        else:
            continue
        for value, part in parts.items():
            expected[value] = expected.get(value, 0) + part * rows
    return expected


def _letter(index: int) -> str:
    from videozoomer.protocol.options import letter_of

    return letter_of(index)


_ORDERED = {
    "duration": ("under 1 min", "1 to 3 min", "3 to 10 min", "10 to 30 min", "30 to 60 min", "1 h and more"),
    "pass_rate": ("0%", "1 to 49%", "50 to 99%", "100%"),
}


def in_order(trait: str, values: Iterable[str]) -> list[str]:
    """The values of a trait as a person would list them."""
    order = _ORDERED.get(trait, ())
    return sorted(values, key=lambda value: (order.index(value) if value in order else len(order), value))


def sorted_values(trait: str, counts: pl.DataFrame) -> pl.DataFrame:
    """Rows of table `balance` of one kind, rule and trait, as a person would list them."""
    place = {value: index for index, value in enumerate(in_order(trait, counts["value"]))}
    return counts.sort(pl.col("value").replace_strict(place, return_dtype=pl.Int64)) if place else counts
