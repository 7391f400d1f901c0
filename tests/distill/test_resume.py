"""kill -9 in the middle of a run: no reply is paid for twice, and the rows are the same."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chat_server import ChatServer

from distill.storage.ledger import Ledger, LedgerError, read_entries

HERE = Path(__file__).parent
RUN = """
import json, sys
sys.path[:0] = [{here!r}, {tests!r}]
from builders import frames_at
from distill_world import make_items
from distill.client.chat import ChatPlayer
from distill.exemplars import exemplar_jobs
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from distill.rollouts import EpisodeRunner
from videozoomer.settings.model import DistillSettings, Endpoint
from videozoomer.protocol import Protocol, load_prompts
home, url = sys.argv[1:]
with FrameStore(home + "/frames.sqlite") as store, Ledger(home + "/ledger.sqlite") as ledger:
    jobs = exemplar_jobs(make_items(store, 20), DistillSettings(samples=2))
    player = ChatPlayer(Endpoint(base_url=url, identity="test", concurrency=4), ledger, store)
    rows = EpisodeRunner(player, frames_at, store, Protocol(), load_prompts("v1"), concurrency=4).play_all(jobs)
    open(home + "/rows.json", "w").write(json.dumps(rows, sort_keys=True))
"""


def start(home, url):
    home.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", RUN.format(here=str(HERE), tests=str(HERE.parent)), str(home), url])


def answered(home):
    try:
        return sum(1 for _ in read_entries(home / "ledger.sqlite"))
    except (LedgerError, sqlite3.OperationalError):
        return 0  # The file is yet to be made.


@pytest.mark.slow
def test_killed_runs_end_with_the_rows_of_an_uninterrupted_one(tmp_path):
    with ChatServer(latency_s=0.02, keep=False) as server:
        assert start(tmp_path / "whole", server.url).wait(60) == 0
        ideal, killed = server.counts["calls"], tmp_path / "killed"
        assert ideal == 80
        for threshold in (7, 31, 60):
            process = start(killed, server.url)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                if answered(killed) >= threshold:
                    break
                time.sleep(0.005)
            assert process.poll() is None, "the run ended before it could be killed"
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert start(killed, server.url).wait(60) == 0
        paid = server.counts["calls"] - ideal
    assert json.loads((killed / "rows.json").read_text()) == json.loads((tmp_path / "whole" / "rows.json").read_text())
    assert ideal <= paid <= ideal + 3 * 4
    keys = [entry.key for entry in read_entries(killed / "ledger.sqlite") if entry.final]
    assert len(keys) == len(set(keys)) == ideal


def test_one_writer_at_a_time(tmp_path):
    with Ledger(tmp_path / "l.sqlite"), pytest.raises(LedgerError, match="in use by another"):
        Ledger(tmp_path / "l.sqlite")
    Ledger(tmp_path / "l.sqlite").close()
