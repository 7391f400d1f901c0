"""Ledgers read back: sums, searches, exports, pruning, and the command line over them."""

import asyncio
import json
from contextlib import closing

import polars as pl
import pytest
from chat_server import ChatServer
from typer.testing import CliRunner

from distill.storage.ledger import Entry, Ledger, LedgerError, read_entries
from distill.storage.ledger_queries import export, find_ledgers, grep, prune, summarise
from pipelines.cli.ledger import app
from videozoomer.sqlite import connect_shared


def entry(key, attempt=0, outcome="ok", final=True, **fields):
    return Entry(
        **(
            {
                "key": key,
                "attempt": attempt,
                "at": 100.0 + attempt,
                "purpose": "episode",
                "endpoint": "e",
                "model": "m",
                "sample": 0,
                "temperature": 1.0,
                "request_digest": "d",
                "outcome": outcome,
                "final": final,
                "input_tokens": 10,
                "output_tokens": 2,
                "cost_usd": 0.5,
                "latency_s": 0.1 * (attempt + 1),
                "reply": f"reply of {key}" if outcome == "ok" else None,
                "excerpt": "What is it?",
            }
            | fields
        )
    )


@pytest.fixture
def home(tmp_path):
    for batch in ("b1", "b2"):
        with Ledger(tmp_path / "ledger" / f"{batch}.sqlite") as ledger:
            ledger.append(entry(f"{batch}-one", outcome="timeout", final=False, error="late", cost_usd=0.0))
            ledger.append(entry(f"{batch}-one", attempt=1))
            ledger.append(entry(f"{batch}-two", outcome="cut_off"))
    (tmp_path / "ledger" / "other.sqlite").write_text("no database")
    return tmp_path


def test_ledgers_are_found_and_summed_up(home):
    paths = find_ledgers(home)
    assert [path.name for path in paths] == ["b1.sqlite", "b2.sqlite"]
    groups = {group.outcome: group for group in summarise(paths)}
    assert {name: group.attempts for name, group in groups.items()} == {"ok": 2, "timeout": 2, "cut_off": 2}
    assert (
        groups["ok"].cost_usd == 1.0
        and groups["ok"].input_tokens == 20
        and groups["ok"].slowest_s == pytest.approx(0.2)
    )
    with pytest.raises(LedgerError, match="no ledger at"):
        find_ledgers(home / "nowhere")


def test_grep_looks_at_replies_errors_and_questions(home):
    paths = find_ledgers(home)
    assert [found.key for _, found in grep(paths, "REPLY of b2")] == ["b2-one"]
    assert [found.outcome for _, found in grep(paths, "^late$")] == ["timeout", "timeout"]
    assert len(list(grep(paths, "what is", outcome="cut_off"))) == 2
    with pytest.raises(LedgerError, match="not a regular expression"):
        list(grep(paths, "("))


def test_exports_contain_every_entry(home, tmp_path):
    paths = find_ledgers(home)
    assert export(paths, tmp_path / "calls.jsonl") == export(paths, tmp_path / "calls.parquet") == 6
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert lines == pl.read_parquet(tmp_path / "calls.parquet").to_dicts()
    with pytest.raises(LedgerError, match="must end in"):
        export(paths, tmp_path / "calls.csv")


def test_pruning_keeps_replies(home):
    paths = find_ledgers(home)
    assert prune(paths, dry_run=True) == 2 and prune(paths, before=1.0) == 0
    assert prune(paths) == 2
    assert [found.outcome for found in read_entries(paths[0])] == ["cut_off", "ok"]
    assert prune(paths, outcomes=["cut_off"]) == 2
    with Ledger(paths[0]) as ledger:
        assert ledger.replay("b1-one").reply == "reply of b1-one" and ledger.replay("b1-two") is None
        with pytest.raises(LedgerError, match="in use by another"):
            prune(paths)
    with pytest.raises(LedgerError, match="paid for again"):
        prune(paths, outcomes=["ok"])


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["summary"], "$2.0000"),
        (["grep", "late", "--outcome", "timeout"], "reply: late"),
        (["prune", "--dry-run"], "would delete 2"),
    ],
)
def test_the_command_line(home, arguments, shown):
    result = CliRunner().invoke(app, [arguments[0], str(home), *arguments[1:]], env={"COLUMNS": "200"})
    assert result.exit_code == 0 and shown in result.output


def test_a_summary_reads_in_a_narrow_terminal(home):
    result = CliRunner().invoke(app, ["summary", str(home)], env={"COLUMNS": "80"})
    assert "…" not in result.output and max(map(len, result.output.splitlines())) <= 80
    assert [line.split()[0] for line in result.output.splitlines()[2:5]] == ["cut_off", "ok", "timeout"]


def test_the_command_line_reports_errors(tmp_path):
    result = CliRunner().invoke(app, ["summary", str(tmp_path / "none")])
    assert result.exit_code == 1 and "there is no ledger" in result.output.replace("\n", " ")


@pytest.mark.parametrize("field", ["reply", "error"])
def test_an_entry_comes_back_as_it_was_written(tmp_path, field):
    written = entry("k", **{field: 'with "quotes", \x00 and ünicode 🎞'})
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.append(written)
        assert ledger.replay("k") == written
        ledger.set_fact("e", "refuses:m", "stop")
        assert ledger.fact("e", "refuses:m") == "stop"
        ledger.drop_fact("e", "refuses:m")
        assert ledger.fact("e", "refuses:m") is None and ledger.next_attempt("k") == 1


def test_a_server_is_probed_from_the_command_line():
    with ChatServer() as server:
        result = CliRunner().invoke(app, ["probe", server.url])
    assert result.exit_code == 0 and "rule-player" in result.output and "max images" in result.output


def test_entries_written_together_are_found_again(tmp_path):
    async def write(ledger):
        numbered = [entry(f"k{index}") for index in range(1200)]
        await asyncio.gather(
            ledger.write(entry("again", outcome="timeout", final=False)), *(ledger.write(one) for one in numbered)
        )

    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.look_up("k7") == (None, 0)
        asyncio.run(write(ledger))
        first = {key: ledger.look_up(key) for key in ("k7", "k1199", "again", "never")}
    assert first == {"k7": (entry("k7"), 1), "k1199": (entry("k1199"), 1), "again": (None, 1), "never": (None, 0)}
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert {key: ledger.look_up(key) for key in first} == first


def test_a_failed_flush_fails_every_waiting_caller(tmp_path):
    async def write(ledger):
        return await asyncio.gather(*(ledger.write(entry(f"k{index}")) for index in range(5)), return_exceptions=True)

    with Ledger(tmp_path / "l.sqlite") as ledger:
        with closing(connect_shared(ledger.path, synchronous="normal")) as other:
            other.execute("create trigger full before insert on calls begin select raise(abort, 'no room'); end")
            failures = asyncio.run(write(ledger))
            other.execute("drop trigger full")
        assert [type(failure) for failure in failures] == [LedgerError] * 5 and "then run again" in str(failures[0])
        ledger.append(entry("k0"))
        assert [found.key for found in ledger.entries()] == ["k0"]
