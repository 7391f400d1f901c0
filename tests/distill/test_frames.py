"""The frame store: frames are durable when put, and available at once and durable soon when kept."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from builders import frames_at

from distill.storage.frames import FrameMissing, FrameStore
from videozoomer.protocol import FrameRef
from videozoomer.sqlite import connect_shared

FRAMES = frames_at("video", [1.0, 1.5, 2.0])
REFS = [FrameRef(frame.frame_id, frame.time_s) for frame in FRAMES]
IDS = [frame.frame_id for frame in FRAMES]
PICTURES = {frame.frame_id: (frame.jpeg, frame.width, frame.height) for frame in FRAMES}


def test_kept_frames_are_available_before_they_are_written(tmp_path):
    path = tmp_path / "f.sqlite"
    with FrameStore(path) as store, closing(connect_shared(path, synchronous="normal")) as other:
        other.execute("begin immediate")  # Nobody else can write in the meantime.
        try:
            store.keep(FRAMES, "v", "read")
            assert (
                store.recall("read") == REFS
                and store.pictures(IDS) == PICTURES
                and store.jpeg(IDS[1]) == FRAMES[1].jpeg
            )
            assert other.execute("select count(*) from frames").fetchone() == (0,)
        finally:
            other.execute("rollback")
        # Rows are those of the file, so they wait for it.
        assert [(row["frame_id"], row["video_id"], row["jpeg"]) for row in store.rows(IDS)] == [
            (f.frame_id, "v", f.jpeg) for f in FRAMES
        ]
        assert store.recall("read") == REFS and store.pictures(IDS) == PICTURES
        assert other.execute("select count(*) from frames").fetchone() == (len(FRAMES),)


def test_kept_frames_survive_reopening_the_store(tmp_path):
    with FrameStore(tmp_path / "f.sqlite") as store:
        for number in range(150):
            store.keep(FRAMES if number % 2 else FRAMES[:1], "v", f"read{number}")
    with FrameStore(tmp_path / "f.sqlite") as store:
        assert store.pictures(IDS) == PICTURES
        assert [len(store.recall(f"read{number}")) for number in range(150)] == [1, 3] * 75
        assert store.recall("read150") is None


def test_a_killed_process_leaves_no_read_without_its_frames(tmp_path):
    code = (
        "import os, sys; from builders import frames_at; from distill.storage.frames import FrameStore\n"
        "store = FrameStore(sys.argv[1])\n"
        "for number in range(200):\n"
        "    store.keep(frames_at('video', [number, number + 0.5]), 'v', f'read{number}')\n"
        "os._exit(9)"
    )
    path = tmp_path / "f.sqlite"
    # The search path of this process, since the tests' helpers are on it.
    assert (
        subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}", str(path)], check=False
        ).returncode
        == 9
    )
    with FrameStore(path) as store:
        noted = [refs for number in range(200) if (refs := store.recall(f"read{number}")) is not None]
        assert all(store.pictures([ref.frame_id for ref in refs]) for refs in noted)
        assert len(noted) < 200


def test_a_failed_write_is_reported_and_leaves_no_read_without_its_frames(tmp_path):
    with FrameStore(tmp_path / "f.sqlite") as store:
        with closing(connect_shared(store.path, synchronous="normal")) as other:
            other.execute("create trigger full before insert on frames begin select raise(abort, 'no room'); end")
        store.keep(FRAMES, "v", "read")
        with pytest.raises(sqlite3.IntegrityError, match="no room"):
            list(store.rows(IDS))
        with pytest.raises(sqlite3.IntegrityError, match="no room"):
            store.keep(FRAMES, "v", "other")
        assert store.pictures(IDS) == PICTURES and store.recall("read") == REFS
    with FrameStore(tmp_path / "f.sqlite") as store:
        assert store.recall("read") is None


def test_a_missing_frame_is_named(tmp_path):
    with FrameStore(tmp_path / "f.sqlite") as store:
        store.put(FRAMES[:2], "v")
        with pytest.raises(
            FrameMissing, match=f"{IDS[2]} is not in {Path(tmp_path, 'f.sqlite')}; put the overview's frames"
        ):
            store.pictures(IDS)
        assert store.recall("none") is None
