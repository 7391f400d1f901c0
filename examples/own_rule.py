"""A curation rule of your own: see what it would drop from a finished home before you add it.

    python examples/own_rule.py runs/demo                    # tries examples/own_rule.sql
    python examples/own_rule.py runs/films my_rule.sql       # yours

A rule is one SQL query that returns (id, reason) over the views of `filters/queries/views.sql`; its head says at which
level and in which order it works. To use it in every run, put the file into `filters/rules/` with a test beside
`tests/filters/test_rules.py`. Nothing is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from filters.rules import in_order, load_rules, read_rule, run_rules
from videozoomer.lake import Lake
from videozoomer.settings.model import FilterSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="home of a finished run")
    parser.add_argument("rule", type=Path, nargs="?", default=Path(__file__).with_name("own_rule.sql"))
    given = parser.parse_args()
    if not (given.home / "tables" / "verdicts").is_dir():
        parser.error(f"{given.home} holds no finished run; run `videozoomer run` first and give its home")
    lake, settings, rule = Lake(given.home / "tables"), FilterSettings(), read_rule(given.rule)
    before = run_rules(lake, settings).verdicts
    after = run_rules(lake, settings, in_order([*load_rules(), rule])).verdicts
    named = sum(bool(set(new) - set(old)) for old, new in zip(before["reasons"], after["reasons"], strict=True))
    lost = before.filter(outcome="kept").join(after.filter(outcome="kept"), on="trajectory_id", how="anti")
    print(f"{rule.name}: drops {rule.drops}")
    print(f"names {named} of {after.height} trajectories; {lost.height} of them were kept until now")
    for trajectory_id, kind in lost.select("trajectory_id", "kind").head(10).iter_rows():
        print(f"  {kind:11} {trajectory_id}")


if __name__ == "__main__":
    main()
