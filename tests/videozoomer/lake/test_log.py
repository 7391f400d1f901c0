"""Every commit is seen whole or not at all, none is lost or written over, and a damaged log is an error."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videozoomer.lake import log
from videozoomer.lake.log import CHECKPOINT_EVERY, Log, LogError, checkpoint_name, entry_name
from videozoomer.lake.snapshot import Changes, Snapshot, Stamp
from videozoomer.lake.store import LocalStore, StoreError


def stamped(content: str, partition: str = "all") -> Changes:
    return Changes(stamps={"asset": {partition: Stamp("inputs", content, {"rows": 1})}})


def open_log(root) -> Log:
    """As another process would: nothing is remembered."""
    return Log(LocalStore(root), Changes)


def contents(snapshot: Snapshot) -> dict[str, str]:
    return {partition: stamp.content for partition, stamp in snapshot.stamps.get("asset", {}).items()}


def test_commits_are_numbered_and_another_process_sees_them(tmp_path):
    mine, theirs = open_log(tmp_path), open_log(tmp_path)
    assert mine.commit(stamped("a"), "first").number == 2
    assert contents(theirs.head()) == {"all": "a"}
    theirs.commit(stamped("b", "other"), "second")
    assert contents(mine.head()) == {"all": "a", "other": "b"}
    assert [commit.work for commit in mine.commits()] == ["second", "first", log.TAKEN_OVER]


def test_a_snapshot_does_not_change(tmp_path):
    written = open_log(tmp_path)
    before = written.commit(stamped("a"), "first")
    written.commit(stamped("b"), "second")
    assert contents(before) == {"all": "a"} and contents(written.head()) == {"all": "b"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=70))
@settings(max_examples=8, deadline=None)
def test_reading_by_checkpoint_or_commit_by_commit_is_the_same(tmp_path_factory, commits):
    root, expected = tmp_path_factory.mktemp("log"), {}
    written = open_log(root)
    for partition, content in commits:
        written.commit(
            Changes(
                files={"leaks": {partition: f"leaks/{partition}@{content}.parquet"}},
                stamps=stamped(content, partition).stamps,
            ),
            "work",
        )
        expected[partition] = content
    read = open_log(root).head()
    assert contents(read) == expected
    assert {part: read.files["leaks"][part] for part in expected} == {
        part: f"leaks/{part}@{content}.parquet" for part, content in expected.items()
    }
    for path in (root / "checkpoints").glob("*"):
        path.unlink()
    assert open_log(root).head() == read


def test_a_log_is_opened_by_few_reads(tmp_path, monkeypatch):
    written = open_log(tmp_path)
    for number in range(3 * CHECKPOINT_EVERY):
        written.commit(stamped(str(number)), "work")
    read = []
    get = LocalStore.get
    monkeypatch.setattr(LocalStore, "get", lambda self, name: read.append(name) or get(self, name))
    assert contents(open_log(tmp_path).head()) == {"all": str(3 * CHECKPOINT_EVERY - 1)}
    assert len(read) <= CHECKPOINT_EVERY + 4
    assert len(list((tmp_path / "checkpoints").iterdir())) == log.KEPT_CHECKPOINTS


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    written = open_log(tmp_path)
    for number in range(3 * CHECKPOINT_EVERY):
        written.commit(stamped(str(number)), "work")
    newest = max((tmp_path / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:100])
    assert contents(open_log(tmp_path).head()) == {"all": str(3 * CHECKPOINT_EVERY - 1)}


def test_writers_in_several_threads_and_logs_lose_nothing(tmp_path):
    logs = [open_log(tmp_path) for _ in range(3)]

    def write(number: int) -> None:
        for count in range(10):
            logs[number % 3].commit(stamped(str(count), f"{number}-{count}"), "work")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contents(open_log(tmp_path).head())) == 60
    assert [commit.number for commit in logs[0].commits()] == list(range(61, 0, -1))


class Unreliable(LocalStore):
    """A put lands, and its writer is told otherwise."""

    def put_if_absent(self, name, data):
        created = super().put_if_absent(name, data)
        if name.startswith("log/") and created:
            if "timeout" in str(self.root):
                raise TimeoutError("no answer")
            return False
        return created


@pytest.mark.parametrize("told", ["timeout", "exists"])
def test_a_put_that_landed_all_the_same_is_committed_once(tmp_path, told):
    root = tmp_path / told
    open_log(root).begin()
    written = Log(Unreliable(root), Changes)
    assert written.commit(stamped("a"), "work").number == 2
    assert contents(open_log(root).head()) == {"all": "a"} and open_log(root).head().number == 2


def test_a_put_that_failed_is_an_error_and_no_commit(tmp_path, monkeypatch):
    written = open_log(tmp_path)
    written.commit(stamped("a"), "work")

    def full(self, name, data):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put_if_absent", full)
        with pytest.raises(OSError, match="full"):
            written.commit(stamped("b"), "work")
    assert contents(written.head()) == contents(open_log(tmp_path).head()) == {"all": "a"}


class Forgetful(LocalStore):
    """Writes over what exists, as some stores do that ignore the condition."""

    def put_if_absent(self, name, data):
        self.delete(name)
        return super().put_if_absent(name, data)


def test_a_store_that_writes_over_objects_is_refused(tmp_path):
    with pytest.raises(StoreError, match="local disk"):
        Log(Forgetful(tmp_path), Changes).commit(stamped("a"), "work")
    assert not (tmp_path / "log").exists()


def test_names_are_created_once_without_hard_links_too(tmp_path, monkeypatch):
    def no_links(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    test_writers_in_several_threads_and_logs_lose_nothing(tmp_path)


def test_what_a_check_refuses_is_not_committed(tmp_path):
    written, other = open_log(tmp_path), open_log(tmp_path)
    base = written.commit(stamped("a"), "work")
    other.commit(stamped("b"), "work")

    def same(head: Snapshot) -> None:
        if head.stamp("asset", "all") != base.stamp("asset", "all"):
            raise ValueError("overtaken")

    with pytest.raises(ValueError, match="overtaken"):
        written.commit(stamped("c"), "work", base=base, check=same)
    assert contents(other.head()) == {"all": "b"}


def test_a_check_is_made_again_where_another_commit_came_first(tmp_path, monkeypatch):
    written, other = open_log(tmp_path), open_log(tmp_path)
    written.begin()
    seen = []

    def check(head: Snapshot) -> None:
        seen.append(head.number)
        if len(seen) == 1:
            other.commit(stamped("b", "other"), "work")

    written.commit(stamped("a"), "work", check=check)
    assert seen == [1, 2] and contents(other.head()) == {"all": "a", "other": "b"}


@pytest.mark.parametrize("spoil", ["missing", "damaged"])
def test_a_damaged_log_is_an_error_that_names_the_file(tmp_path, spoil):
    written = open_log(tmp_path)
    for number in range(5):
        written.commit(stamped(str(number)), "work")
    path = tmp_path / entry_name(3)
    if spoil == "missing":
        path.unlink()
    else:
        path.write_text('{"uuid": ')
    with pytest.raises(LogError, match="backup") as error:
        open_log(tmp_path).head()
    assert entry_name(3) in str(error.value)


def test_a_home_that_was_removed_and_made_again_is_noticed(tmp_path):
    written = open_log(tmp_path / "a")
    for _ in range(4):
        written.commit(stamped("a"), "work")
    (tmp_path / "a").rename(tmp_path / "old")
    assert contents(written.head()) == {}
    open_log(tmp_path / "a").commit(stamped("b"), "work")
    assert contents(written.head()) == {"all": "b"}


def test_commits_that_a_checkpoint_holds_can_be_removed(tmp_path):
    written = open_log(tmp_path)
    for number in range(3 * CHECKPOINT_EVERY):
        written.commit(stamped(str(number)), "work")
    newest = written.head()
    assert written.trim(newest.number - 5) > CHECKPOINT_EVERY // 2
    assert open_log(tmp_path).head() == newest
    (tmp_path / checkpoint_name(max(int(p.stem) for p in (tmp_path / "checkpoints").iterdir()))).unlink()
    assert open_log(tmp_path).head() == newest


WRITER = """
import sys
from pathlib import Path
from videozoomer.lake.log import Log
from videozoomer.lake.snapshot import Changes, Stamp
from videozoomer.lake.store import LocalStore
log = Log(LocalStore(Path(sys.argv[1])), Changes)
print("ready", flush=True)
for turn in range(10**6):
    changes = Changes()
    for part in ("a", "b", "c"):
        text = f"{turn} {part}"
        name = log.store.put_file(lambda path: f"files/{part}@{turn}", lambda path: path.write_text(text))
        changes.set_file("files", part, name)
    changes.set_stamp("stage", "all", Stamp(str(turn), str(turn)))
    log.commit(changes, "turn")
"""


@pytest.mark.slow
def test_kill_9_and_live_readers_never_see_a_mixture(tmp_path):
    """Four objects of one stage: three files and the stamp, written again and again by a process that is killed."""
    looks = 0
    for kill in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout and process.stdout.readline() == b"ready\n"
        until = time.monotonic() + 0.4 + 0.1 * kill
        while time.monotonic() < until:
            looks += agrees(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        looks += agrees(tmp_path)
    assert looks > 10


def agrees(root: Path) -> bool:
    """Whether there was something to see; all of it is of one turn."""
    now = open_log(root).head()
    stamp = now.stamp("stage", "all")
    if stamp is None:
        return False
    texts = [(root / name).read_text() for _, name in sorted(now.files["files"].items())]
    assert texts == [f"{stamp.content} {part}" for part in ("a", "b", "c")]
    return True
