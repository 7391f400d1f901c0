"""The example of one's own rule: it shows what the rule would drop, and writes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from lake_fixture import write_lake

from filters.rules import run_rules
from videozoomer.lake import Lake
from videozoomer.settings.model import FilterSettings

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "own_rule.py"


def home_of(folder: Path) -> Lake:
    write_lake(folder).lake.root.rename(folder / "tables")
    return Lake(folder / "tables")


def tables_in(folder: Path) -> dict[Path, bytes]:
    """Every written partition; DuckDB's stand-ins for tables without one do not count."""
    return {path: path.read_bytes() for path in folder.rglob("*.parquet") if path.parent.name != ".empty"}


def tried(home: Path, *rule: str) -> str:
    command = [sys.executable, str(SCRIPT), str(home), *rule]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_it_names_what_the_rule_would_drop(tmp_path):
    lake = home_of(tmp_path)
    files = tables_in(tmp_path)
    rule = tmp_path.parent / f"{tmp_path.name}-every_one.sql"
    rule.write_text(
        "-- level: trajectory\n-- order: 195\n-- drops: everything\n-- why: a test\n"
        "select trajectory_id as id, 'every_one' as reason from candidates where status <> 'failed'\n"
    )
    verdicts = run_rules(lake, FilterSettings()).verdicts
    played, kept = verdicts.filter(verdicts["outcome"] != "failed").height, verdicts.filter(outcome="kept").height
    assert kept
    said = tried(tmp_path, str(rule))
    assert f"names {played} of {verdicts.height} trajectories; {kept} of them" in said
    assert tables_in(tmp_path) == files


def test_a_rule_without_a_head_is_refused_by_name(tmp_path):
    home_of(tmp_path)
    rule = tmp_path / "bare.sql"
    rule.write_text("select 1")
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(rule)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and "bare.sql" in done.stderr


def test_a_folder_without_a_run_is_named(tmp_path):
    done = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "nowhere")], capture_output=True, text=True)
    assert done.returncode and "nowhere" in done.stderr
