"""Replaced files go after their time, and no file that a kept commit names goes."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videozoomer.lake import Lake, atomic
from videozoomer.lake.garbage import find_garbage, remove_garbage
from videozoomer.lake.log import CHECKPOINT_EVERY

HOUR_S = 3600.0


class Clock:
    """The time of commits and of files, moved by hand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = time.time()
        commit = atomic.commit

        def placed(partial: Path, target: Path) -> None:
            commit(partial, target)
            os.utime(target, (self.now_s, self.now_s))

        patch.setattr(time, "time", lambda: self.now_s)
        patch.setattr(atomic, "commit", placed)

    def wait(self, hours: float) -> None:
        self.now_s += hours * HOUR_S


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "tables")


def put(lake: Lake, score: float, partition: str = "all"):
    return lake.write("leaks", [{"kind": "k", "train_id": "t", "evaluation_id": "e", "score": score}], partition)


def collect(lake: Lake, *, older_than_h: float = 24, keep: int = 1) -> int:
    found = find_garbage(lake, older_than_s=older_than_h * HOUR_S, keep=keep)
    remove_garbage(lake, found)
    return len(found.files)


def test_a_replaced_file_goes_after_its_time(lake, clock):
    old = put(lake, 1)
    clock.wait(48)
    new, still = put(lake, 2), lake.at_once()
    put(lake, 3, "other")
    # Old as a file, but replaced only now.
    assert collect(lake) == 0 and old.exists() and still.read("leaks")["score"].to_list() == [2]
    clock.wait(48)
    put(lake, 3, "other")
    put(lake, 3, "other")
    assert collect(lake) == 1 and not old.exists() and new.exists()
    assert sorted(lake.read("leaks")["score"]) == [2, 3]


def test_the_last_commits_stay_readable_however_old(lake, clock):
    put(lake, 1)
    snapshots = []
    for score in range(2, 6):
        snapshots.append(lake.at_once())
        put(lake, score)
    clock.wait(48)
    assert collect(lake, keep=2) == 2
    assert [now.read("leaks")["score"].item() for now in snapshots[-2:]] == [3, 4]


def test_what_a_killed_writer_left_goes_and_what_a_live_one_writes_stays(lake, clock):
    put(lake, 1)
    left = lake.begin("killed")
    lost = put(left, 2)
    (lake.root / ".partial" / "half").write_bytes(b"half")
    clock.wait(48)
    live = put(lake.begin("live"), 3)
    assert collect(lake) == 2 and not lost.exists() and live.exists()
    assert not list((lake.root / ".partial").iterdir())


def test_a_file_that_is_written_again_is_new(lake, clock):
    first = put(lake, 1)
    put(lake, 2)
    clock.wait(48)
    running = lake.begin("the old rows again")
    assert put(running, 1) == first
    assert collect(lake) == 0
    running.commit()
    assert lake.read("leaks")["score"].item() == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.floats(0, 30)), min_size=1, max_size=60))
@settings(max_examples=10, deadline=None)
def test_what_is_current_is_never_removed(tmp_path_factory, steps):
    lake, expected = Lake(tmp_path_factory.mktemp("lake")), {}
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        for score, partition, hours in steps:
            put(lake, float(score), partition)
            expected[partition] = float(score)
            before = lake.at_once()
            clock.wait(hours)
            collect(lake)
            for reader in (lake, before):
                assert {
                    part: reader.read("leaks", [part])["score"].item() for part in "ab" if reader.exists("leaks", part)
                } == expected


def test_commits_go_once_checkpoints_hold_them(lake, clock):
    for score in range(4 * CHECKPOINT_EVERY):
        put(lake, score)
    clock.wait(48)
    put(lake, 0.5)
    assert collect(lake) > 0
    assert len(list((lake.root / "log").iterdir())) < 3 * CHECKPOINT_EVERY
    assert lake.read("leaks")["score"].item() == 0.5
    assert find_garbage(lake, older_than_s=HOUR_S, keep=1).files == []
