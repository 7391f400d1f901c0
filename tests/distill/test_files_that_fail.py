"""A file that is full, read-only or damaged stops the step with a sentence, and a damaged ledger gives what it has."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from builders import frame, frames_at
from chat_server import ChatServer
from distill_world import make_items
from test_chat import PROMPTS, PROTOCOL, endpoint
from typer.testing import CliRunner

from distill.client.chat import ChatPlayer
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.budget import Budget
from distill.storage.errors import StorageError
from distill.storage.frames import FrameStore
from distill.storage.ledger import Entry, Ledger, LedgerError, read_entries
from distill.storage.ledger_queries import find_ledgers, summarise
from distill.storage.salvage import salvage
from pipelines.cli import app
from videozoomer.settings.model import DistillSettings, Prices

CALLS = 150
PRICES = Prices(input_per_million=1, output_per_million=1)


def grow_no_more(file: FrameStore | Budget | Ledger) -> None:
    """As on a full disk: SQLite refuses the next page."""
    connection = file._connection if isinstance(file, Budget) else file._writer
    if isinstance(file, Budget):  # Its rows come and go within one page: leave no room on it.
        connection.execute("insert into aside values (?, 'k', 0, 0)", ("x" * 3700,))
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count={pages}")


@pytest.mark.slow
@pytest.mark.parametrize("full", ["frames", "budget", "ledger"])
def test_a_full_disk_stops_the_step_in_one_sentence_and_running_again_resumes(full, tmp_path):
    name = {"frames": "f.sqlite", "budget": "b.sqlite", "ledger": "l.sqlite"}[full]
    with ChatServer() as server:

        def play(*, on_a_full_disk: bool) -> list:
            with (
                FrameStore(tmp_path / "f.sqlite") as store,
                Budget(tmp_path / "b.sqlite", 1000.0) as budget,
                Ledger(tmp_path / "l.sqlite") as ledger,
            ):
                jobs = exemplar_jobs(make_items(store, 40), DistillSettings(samples=1))
                player = ChatPlayer(endpoint(server, prices=PRICES), ledger, store, budget=budget)
                if on_a_full_disk:
                    grow_no_more({"frames": store, "budget": budget, "ledger": ledger}[full])
                return EpisodeRunner(player, frames_at, store, PROTOCOL, PROMPTS, concurrency=8).play_all(jobs)

        with pytest.raises(StorageError, match=rf"{name} cannot grow .*full.*free disk space, then run again"):
            play(on_a_full_disk=True)
        assert server.counts["calls"] < 40, "calls are paid although nothing can be kept"
        rows = play(on_a_full_disk=False)
    assert {row["status"] for row in rows} == {"answered"}
    paid = [entry.key for entry in read_entries(tmp_path / "l.sqlite")]
    assert len(paid) == len(set(paid))


@pytest.mark.parametrize(
    "kind", [Ledger, FrameStore, lambda path: Budget(path, 1.0)], ids=["ledger", "frames", "budget"]
)
def test_a_file_that_is_none_of_ours_is_named_with_its_remedy(kind, tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"no database at all" * 400)
    with pytest.raises(
        StorageError, match=r"x.sqlite is damaged .*; (save what can be read with `videozoomer|delete|move)"
    ):
        kind(path)
    with pytest.raises(StorageError, match="damaged"):  # And the lock on it was released.
        kind(path)


@pytest.mark.parametrize(
    "kind", [Ledger, FrameStore, lambda path: Budget(path, 1.0)], ids=["ledger", "frames", "budget"]
)
def test_a_file_that_cannot_be_written_is_named(kind, tmp_path, monkeypatch):
    def closed(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    for room in ("ledger", "frames", "budget"):
        monkeypatch.setattr(f"distill.storage.{room}.connect_shared", closed)
    with pytest.raises(StorageError, match=r"x.sqlite cannot be written .*make the file and its folder writable"):
        kind(tmp_path / "x.sqlite")


def entry(number: int) -> Entry:
    key = random.Random(number).randbytes(16).hex()
    return Entry(
        key,
        0,
        1.0 + number,
        "episode",
        "here",
        "m",
        0,
        1.0,
        "d",
        "ok",
        True,
        reply=f"reply {number} ß" + "x" * (9000 if number % 10 == 0 else 300),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "l.sqlite"
    with Ledger(path) as ledger:
        for number in range(CALLS):
            ledger.append(entry(number))
        ledger.set_fact("here", "refuses:m", "seed")
    return path


def saved_from(path: Path, target: Path) -> tuple[set[str], int]:
    result = salvage(path, target)
    found = {one.key: one for one in read_entries(target)}
    known = {entry(number).key: entry(number) for number in range(CALLS)}
    assert all(one == known[key] for key, one in found.items()), "a call came back other than it was"
    assert result.calls == len(found)
    return set(found), result.lost


def test_a_whole_ledger_is_saved_whole(whole, tmp_path):
    found, lost = saved_from(whole, tmp_path / "new.sqlite")
    assert (len(found), lost) == (CALLS, 0)
    with Ledger(tmp_path / "new.sqlite") as ledger:
        assert ledger.fact("here", "refuses:m") == "seed" and ledger.replay(entry(7).key) == entry(7)
    with pytest.raises(LedgerError, match="exists already"):
        salvage(whole, tmp_path / "new.sqlite")


@pytest.mark.slow
def test_one_damaged_page_costs_the_calls_on_it_and_no_others(whole, tmp_path):
    data = whole.read_bytes()
    for page in range(len(data) // 4096):
        damaged = tmp_path / f"{page}.sqlite"
        damaged.write_bytes(data[: page * 4096] + b"\xa5" * 4096 + data[(page + 1) * 4096 :])
        found, lost = saved_from(damaged, tmp_path / f"{page}.new")
        assert len(found) >= CALLS - 10, page
        assert len(found) == CALLS or lost, page


def test_a_ledger_cut_off_in_the_middle_gives_its_first_part(whole, tmp_path):
    damaged = tmp_path / "l.sqlite"
    damaged.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2 + 1000])
    found, lost = saved_from(damaged, tmp_path / "new.sqlite")
    assert CALLS // 4 < len(found) < CALLS and lost


def test_the_command_that_the_error_names_mends_the_home(whole, tmp_path):
    damaged = tmp_path / "ledger" / "l.sqlite"
    damaged.parent.mkdir()
    damaged.write_bytes(b"\0" * 4096 + whole.read_bytes()[4096:])
    with pytest.raises(LedgerError, match="salvage") as told:
        Ledger(damaged)
    with pytest.raises(LedgerError, match="salvage"):
        summarise(find_ledgers(damaged))
    command = str(told.value).split("`")[1].split()
    result = CliRunner().invoke(app, command[1:])
    assert result.exit_code == 0 and f"saved {CALLS} calls" in result.output.replace("\n", " ")
    with Ledger(damaged) as ledger:
        assert ledger.attempts() == CALLS and ledger.fact("here", "refuses:m") == "seed"
    assert damaged.with_name("l.sqlite.damaged").is_file() and [p.name for p in find_ledgers(tmp_path)] == ["l.sqlite"]


def test_a_frame_store_that_fails_while_reading_says_so(tmp_path):
    with FrameStore(tmp_path / "f.sqlite") as store:
        one = frame(1.0, "x")
        store.put([one], "v")
        with closing(sqlite3.connect(tmp_path / "f.sqlite")) as other:
            other.execute("drop table frames")
        with pytest.raises(StorageError, match=r"f.sqlite"):
            store.jpeg(one.frame_id)
