"""Runs every rule over the lake and records what to keep and every reason to reject the rest.

A rule is one file `rules/<name>.sql`: a query that returns (id, reason). The comment at its top gives its level, its
order, what it drops and why. `question` rules drop a question with all its trajectories, `trajectory` rules drop one
episode, and `selection` rules choose, one after the other, among the survivors of all earlier rules (view
`survivors`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from filters import alike, conclusions, duplicates, sql_functions
from filters.funnel import count
from videozoomer.lake import CATALOG, Lake
from videozoomer.lake.catalog import WINDOW
from videozoomer.protocol.evidence import joined, windows_of
from videozoomer.reviews import Review, applying
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


def run_rules(
    lake: Lake,
    settings: FilterSettings,
    rules: Sequence[Rule] | None = None,
    *,
    threads: int | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> RuleResult:
    """Apply the rules to every question and every candidate (see `queries/views.sql`).

    Reads tables `questions`, `videos`, `overviews`, `trajectories`, `grades`, `evidence`, `leaks` and `reviews`; writes
    nothing. The rules default to the project's own; to add one, pass `in_order([*load_rules(), read_rule(path)])`.
    `threads` defaults to one a core. `tables` are rows to look at in place of the lake's, such as those of one batch.

    Raises:
        RuleError: a rule's query fails or does not return the columns (id, reason), or `settings.skip_rules` or
            `settings.review_overrides` names no rule, or one that no review overrides.
    """
    every = load_rules() if rules is None else rules
    chosen, overridden = _without(every, settings.skip_rules), _overridable(every, settings.review_overrides)
    connection = lake.connect()
    try:
        if threads is not None:
            connection.execute(f"set threads = {threads:d}")
        for functions in (duplicates, sql_functions, conclusions):
            functions.register(connection)
        connection.register("settings", _one_row(settings))
        connection.register("reviewed", _reviewed(applying(lake)))
        for name, rows in (tables or {}).items():
            connection.register(name, rows)
        connection.execute((QUERIES / "views.sql").read_text())
        connection.execute("create temp table dropped (id varchar, reason varchar, level varchar, place integer)")
        for place, rule in enumerate(chosen):
            if rule.level == "selection":
                connection.execute((QUERIES / "survivors.sql").read_text())
                if re.search(r"\balike\b", rule.sql):
                    connection.register("alike", alike.find(connection, settings.trajectory_ratio))
            drop(rule, place, connection)
            if rule.name in overridden:
                connection.execute((QUERIES / "override.sql").read_text(), {"place": place})
        verdicts, stats = (
            connection.sql((QUERIES / name).read_text()).pl() for name in ("verdicts.sql", "question_stats.sql")
        )
    finally:
        connection.close()
    verdicts = CATALOG["verdicts"].conform(verdicts).sort("trajectory_id")
    question_stats = CATALOG["question_stats"].conform(_with_joined_windows(stats)).sort("question_id")
    return RuleResult(verdicts, question_stats, count(verdicts, question_stats))


def _with_joined_windows(stats: pl.DataFrame) -> pl.DataFrame:
    """Several trajectories of a question suffice by overlapping segments; these become one window."""
    found = [
        rows and [{"start_s": one.start_s, "end_s": one.end_s} for one in joined(windows_of(rows))]
        for rows in stats["found_evidence"].to_list()
    ]
    return stats.with_columns(pl.Series("found_evidence", found, dtype=pl.List(WINDOW)))


def _without(rules: Sequence[Rule], skipped: Sequence[str]) -> list[Rule]:
    names = [rule.name for rule in rules]
    if unknown := sorted(set(skipped) - set(names)):
        raise RuleError(f"filters.skip_rules names {unknown}, which are no rules; choose from {sorted(names)}")
    return [rule for rule in rules if rule.name not in skipped]


NEVER_OVERRIDDEN = frozenset(
    {
        "question_quarantined", "no_video", "no_question", "leaked_video", "leaked_question", "reviewed_drop",
        "reviewed_drop_question",
    }
)  # fmt: skip
"""Rules whose questions cannot be used, or not safely, and those that obey a person already."""


def _overridable(rules: Sequence[Rule], names: Sequence[str]) -> frozenset[str]:
    known = {rule.name for rule in rules}
    if unknown := sorted(set(names) - known):
        raise RuleError(f"filters.review_overrides names {unknown}, which are no rules; choose from {sorted(known)}")
    if never := sorted(NEVER_OVERRIDDEN & set(names)):
        raise RuleError(
            f"filters.review_overrides names {never}, which no review overrides: leaks are settled pair "
            "by pair, and without question or film there is nothing to train on"
        )
    return frozenset(names)


def _reviewed(reviews: Sequence[Review]) -> pl.DataFrame:
    """Decisions to keep or to drop that apply, for the rules."""
    rows = [(one.subject, one.key, one.decision) for one in reviews if one.decision in ("keep", "drop")]
    return pl.DataFrame(rows, schema=dict.fromkeys(("subject", "key", "decision"), pl.String), orient="row")


def _one_row(settings: FilterSettings) -> pl.DataFrame:
    """The settings as a table of one row; queries refer to its columns, so no value is pasted into SQL."""
    evidence = settings.evidence
    chosen = {
        "probes_evidence": evidence is not None,
        "open_chance": evidence.open_chance if evidence else None,
        "pass_level": evidence.pass_level if evidence else None,
        "max_idle_zooms": evidence.max_idle_zooms if evidence else None,
    }
    types = {"open_chance": pl.Float64, "pass_level": pl.Float64, "max_idle_zooms": pl.Int64}
    left_out = {"judge", "skip_rules", "review_overrides", "evidence", "evaluation_questions"}
    plain = settings.model_dump(mode="json", exclude=left_out)
    return pl.DataFrame([plain | chosen], schema_overrides=types)


def drop(rule: Rule, place: int, connection: duckdb.DuckDBPyConnection) -> None:
    """Add (id, reason) of every item that the rule drops to table `dropped`.

    Raises:
        RuleError: its query fails or returns other columns.
    """
    import duckdb

    try:
        found = connection.sql(rule.sql)
        columns = [] if found is None else found.columns
        if columns == ["id", "reason"]:
            connection.execute(
                "insert into dropped select distinct id, reason, $level, $place from found where id is not null",
                {"level": rule.level, "place": place},
            )
    except duckdb.Error as error:
        raise RuleError(f"rule {rule.name}: its query fails: {error}") from error
    if columns != ["id", "reason"]:
        raise RuleError(f"rule {rule.name}: its query must return (id, reason), not {columns}")
