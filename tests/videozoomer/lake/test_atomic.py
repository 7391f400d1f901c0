"""Readers find old content or new, never a part; errors and kills leave the old content in place."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from videozoomer.lake.atomic import commit, partial_path, remove_leftovers, replaced_file, replaced_folder, write_text

WRITER = """
import sys
from pathlib import Path
from videozoomer.lake.atomic import replaced_folder, write_bytes
target, form = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
for version in range(1_000_000):
    letter = bytes([97 + version % 26])
    if form == "file":
        write_bytes(target, letter * 3_000_000)
    else:
        with replaced_folder(target) as folder:
            for name in "abc":
                (folder / name).write_bytes(letter * 500_000)
"""


def seen(target: Path) -> bytes | None:
    """The content of a file, or that of a folder's files one after another; None while there is no target."""
    try:
        if target.is_dir():
            return b"".join(path.read_bytes() for path in sorted(target.iterdir()))
        return target.read_bytes()
    except FileNotFoundError:
        return None


def is_whole(content: bytes, size: int) -> bool:
    return len(content) == size and content == content[:1] * size


def start(target: Path, form: str) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target), form], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    return process


def test_a_reader_never_sees_a_part_of_a_file_that_is_replaced_again_and_again(tmp_path):
    target = tmp_path / "target"
    process = start(target, "file")
    try:
        contents = set()
        until = time.monotonic() + 20
        while len(contents) < 4 and time.monotonic() < until:
            if (content := seen(target)) is not None:
                assert is_whole(content, 3_000_000)
                contents.add(content[:1])
        assert len(contents) == 4
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(("form", "size"), [("file", 3_000_000), ("folder", 1_500_000)])
def test_a_killed_writer_leaves_whole_content_and_what_can_be_removed(tmp_path, form, size):
    rng, target = random.Random(7), tmp_path / "a [target]"
    for _ in range(6):
        process = start(target, form)
        time.sleep(rng.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = seen(target)
        # A folder may be killed between its two renames; then the old one is still there under another name.
        assert content is None or is_whole(content, size)
        if content is None:
            assert form == "folder" or not list(tmp_path.glob("a [[]target]"))
    remove_leftovers(target)
    assert [path.name for path in tmp_path.iterdir()] in ([target.name], [])


def test_an_error_leaves_the_old_content_and_nothing_beside_it(tmp_path):
    write_text(tmp_path / "file", "old")
    with replaced_folder(tmp_path / "folder") as folder:
        (folder / "inside").write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced_file(tmp_path / "file") as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(OSError, match="full"), replaced_folder(tmp_path / "folder") as folder:
        (folder / "inside").write_text("half")
        raise OSError("the disk is full")
    assert seen(tmp_path / "file") == seen(tmp_path / "folder") == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for names in (("a", "b"), ("c",)):
        with replaced_folder(tmp_path / "deep" / "folder") as folder:
            for name in names:
                (folder / name).touch()
    assert [path.name for path in (tmp_path / "deep" / "folder").iterdir()] == ["c"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]


def test_content_is_on_disk_before_its_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    events = []
    synced, renamed = os.fsync, Path.rename

    def fsync(descriptor):
        events.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        synced(descriptor)

    def rename(path, target):
        events.append(("rename", Path(target).name))
        return renamed(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    with replaced_folder(tmp_path / "folder") as folder:
        (folder / "inside").write_text("new")
    assert events == [
        ("sync", "inside"),
        ("sync", folder.name),
        ("rename", "folder"),
        ("sync", tmp_path.name),
    ]
    events.clear()
    with replaced_file(tmp_path / "cached", sync=False) as partial:
        partial.touch()
    assert events == [("rename", "cached")]


def test_leftovers_of_other_targets_stay(tmp_path):
    target, longer = tmp_path / "sft", tmp_path / "sft.old"
    left, other = partial_path(target), partial_path(longer)
    left.touch()
    other.touch()
    remove_leftovers(target)
    assert [path.name for path in tmp_path.iterdir()] == [other.name]
    commit(other, longer)
    assert [path.name for path in tmp_path.iterdir()] == ["sft.old"]
