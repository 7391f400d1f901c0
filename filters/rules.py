"""Runs every rule over the lake and records what to keep and every reason to reject the rest.

A rule is one file `rules/<name>.sql`: a query that returns (id, reason). The comment at its top gives its level, its
order, what it drops and why. `question` rules drop a question with all its trajectories, `trajectory` rules drop one
episode, and `selection` rules choose, one after the other, among the survivors of all earlier rules (view
`survivors`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from filters import duplicates, sql_functions
from filters.funnel import count
from videozoomer.lake import CATALOG, Lake
from videozoomer.settings.model import FilterSettings

if TYPE_CHECKING:
    import duckdb

FOLDER = Path(__file__).parent / "rules"
QUERIES = Path(__file__).parent / "queries"
Level = Literal["question", "trajectory", "selection"]
LEVELS: tuple[Level, ...] = get_args(Level)


class RuleError(ValueError):
    """A rule file is invalid; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    level: Level
    order: int
    """Rules run in this order, and the first one to drop an item gives its first reason; question rules come first."""
    drops: str
    why: str
    sql: str


@dataclass(frozen=True, slots=True)
class RuleResult:
    verdicts: pl.DataFrame
    """Rows of table `verdicts`: every exemplar, reflection and harvested rollout on a training question."""
    question_stats: pl.DataFrame
    """Rows of table `question_stats`: every question."""
    funnel: pl.DataFrame
    """Rows of table `funnel`: for each kind, asked = failed + rejected + kept. A rejected item counts once, under its
    first reason."""


@cache
def load_rules() -> tuple[Rule, ...]:
    """The project's rules, in order. Raises the same errors as `read_rule` and `in_order`."""
    return in_order(read_rule(path) for path in FOLDER.glob("*.sql"))


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules sorted by their order.

    Raises:
        RuleError: two rules have the same order, or one precedes a rule of an earlier level.
    """
    rules = sorted(rules, key=lambda rule: rule.order)
    for earlier, later in pairwise(rules):
        if earlier.order == later.order:
            raise RuleError(f"rules {earlier.name} and {later.name} both have order {later.order}; give each its own")
        if LEVELS.index(earlier.level) > LEVELS.index(later.level):
            raise RuleError(f"rule {later.name} ({later.level}) must have a lower order than any {earlier.level} rule")
    return tuple(rules)


def read_rule(path: Path) -> Rule:
    """One rule file.

    Raises:
        RuleError: its header lacks a line or names no level.
    """
    text = path.read_text()
    comments = "\n".join(line[3:] for line in text.splitlines() if line.startswith("-- "))
    fields = dict(re.findall(r"^(level|order|drops|why): (.+(?:\n  .+)*)", comments, re.M))
    fields = {name: " ".join(value.split()) for name, value in fields.items()}
    if missing := [name for name in ("level", "order", "drops", "why") if name not in fields]:
        raise RuleError(f"rule {path.name}: the comment at its top lacks {missing}; add `-- {missing[0]}: ...`")
    level = next((level for level in LEVELS if level == fields["level"]), None)
    if level is None or not fields["order"].isdigit():
        raise RuleError(f"rule {path.name}: level must be one of {LEVELS} and order a number")
    return Rule(path.stem, level, int(fields["order"]), fields["drops"], fields["why"], text)


def run_rules(lake: Lake, settings: FilterSettings, rules: Sequence[Rule] | None = None) -> RuleResult:
    """Apply the rules to every question and every candidate (see `queries/views.sql`).

    Reads tables `questions`, `videos`, `overviews`, `trajectories`, `grades` and `leaks`; writes nothing. The rules
    default to the project's own; to add one, pass `in_order([*load_rules(), read_rule(path)])`.

    Raises:
        RuleError: a rule's query fails or does not return the columns (id, reason).
    """
    connection = lake.connect()
    try:
        duplicates.register(connection)
        sql_functions.register(connection)
        connection.register("settings", _one_row(settings))
        connection.execute((QUERIES / "views.sql").read_text())
        candidates = connection.sql(
            "select trajectory_id, question_id, video_id, kind, status, failure from candidates order by trajectory_id"
        ).pl()
        reasons: dict[str, list[str]] = {}
        dropped: dict[str, list[str]] = {}
        question_of = dict(candidates.select("trajectory_id", "question_id").iter_rows())
        for rule in load_rules() if rules is None else rules:
            if rule.level == "selection":
                left = [t for t, question in question_of.items() if not reasons.get(t) and not dropped.get(question)]
                connection.register(
                    "left_over", pl.DataFrame({"trajectory_id": left}, schema={"trajectory_id": pl.String})
                )
                connection.execute(
                    "create or replace temp view survivors as select candidates.* from candidates "
                    "semi join left_over using (trajectory_id) where status <> 'failed'"
                )
            target = dropped if rule.level == "question" else reasons
            for item, reason in sorted(_dropped_by(rule, connection)):
                target.setdefault(item, []).append(reason)
        stats = connection.sql((QUERIES / "question_stats.sql").read_text()).pl()
    finally:
        connection.close()
    verdicts = _verdicts(candidates, reasons, dropped)
    stats = stats.with_columns(
        pl.Series("reasons", [dropped.get(question, []) for question in stats["question_id"]], dtype=pl.List(pl.String))
    )
    question_stats = CATALOG["question_stats"].conform(stats).sort("question_id")
    return RuleResult(verdicts, question_stats, count(verdicts, question_stats))


def _one_row(settings: FilterSettings) -> pl.DataFrame:
    """The settings as a table of one row; queries refer to its columns, so no value is pasted into SQL."""
    return pl.DataFrame([settings.model_dump(mode="json", exclude={"judge"})])


def _dropped_by(rule: Rule, connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """(id, reason) of every item that the rule drops."""
    import duckdb

    try:
        found = connection.execute(rule.sql)
        columns = [column[0] for column in found.description or ()]
        rows = found.fetchall()
    except duckdb.Error as error:
        raise RuleError(f"rule {rule.name}: its query fails: {error}") from error
    if columns != ["id", "reason"]:
        raise RuleError(f"rule {rule.name}: its query must return (id, reason), not {columns}")
    return set(rows)


def _verdicts(candidates: pl.DataFrame, reasons: dict[str, list[str]], dropped: dict[str, list[str]]) -> pl.DataFrame:
    rows = []
    for row in candidates.iter_rows(named=True):
        if row["status"] == "failed":
            outcome, why = "failed", [row["failure"] or "unnamed"]
        else:
            why = dropped.get(row["question_id"], []) + reasons.get(row["trajectory_id"], [])
            outcome = "rejected" if why else "kept"
        kept = {name: row[name] for name in ("trajectory_id", "question_id", "video_id", "kind")}
        rows.append({**kept, "outcome": outcome, "reasons": why})
    return CATALOG["verdicts"].conform(rows).sort("trajectory_id")
