"""Writing files and folders so that a reader finds the old content or the new, never a part of it.

Everything is written to a partial path beside the target, synced to disk and renamed over the target:

    write_text(target, "...")
    with replaced_file(target) as partial:
        frame.write_parquet(partial)
    with replaced_folder(target) as partial:
        (partial / "data.parquet").write_bytes(...)

An error leaves the old content in place and removes the partial path. A killed process leaves its partial path behind;
`remove_leftovers` finds it by name. The content is on disk before its new name is, so a power cut cannot leave an empty
file under the target's name either.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What `link` says on a file system that has no hard links."""
_LEFTOVER = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{8}\.(partial|replaced)")


def partial_path(target: Path) -> Path:
    """A new path beside the target, which `commit` renames; hidden, and with a suffix that no reader looks for."""
    return _beside(target, "partial")


def commit(partial: Path, target: Path, *, sync: bool = True) -> None:
    """Sync a finished file or folder to disk and give it the target's name.

    A folder cannot be renamed over another one: the old folder is moved aside first, so for a moment there is none.
    """
    if sync:
        _sync_tree(partial)
    aside = _beside(target, "replaced") if target.is_dir() else None
    if aside:
        target.rename(aside)
    partial.rename(target)
    if sync:
        _sync(target.parent)
    if aside:
        shutil.rmtree(aside)


def create(partial: Path, target: Path) -> bool:
    """Sync a finished file to disk and give it the target's name, unless a file has that name; return whether it did.

    Of several processes that create the same target, one does. The partial file is gone afterwards.
    """
    _sync(partial)
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if not _create_without_links(partial, target):
            return False
    finally:
        partial.unlink(missing_ok=True)
    _sync(target.parent)
    return True


def _create_without_links(partial: Path, target: Path) -> bool:
    """For file systems that have no hard links, such as exFAT: a lock stands for the name that must not exist."""
    with target.with_name(".create.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return False
        partial.rename(target)
        return True


def make_folder(path: Path) -> None:
    """Make a folder and those above it; their names are on disk afterwards."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _sync(folder.parent)


@contextmanager
def replaced_file(target: Path, *, sync: bool = True) -> Iterator[Path]:
    """The path to write to; it becomes the target when the block ends without an error. Makes parent folders.

    Syncing costs some 5 to 15 ms. `sync=False` is for entries of a cache only: they survive a killed process, but after
    a power cut they may be empty.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        yield partial
        commit(partial, target, sync=sync)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new, empty folder to fill; it becomes the target when the block ends without an error.

    Leftovers of killed writers of the same target are removed first, so one process at a time may write a target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    partial = partial_path(target)
    partial.mkdir()
    try:
        yield partial
        commit(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_text(target: Path, text: str) -> Path:
    return write_bytes(target, text.encode())


def write_bytes(target: Path, data: bytes) -> Path:
    with replaced_file(target) as partial:
        partial.write_bytes(data)
    return target


def remove_leftovers(target: Path) -> None:
    """Remove what killed writers of this target left behind; call it only while no other process writes the target."""
    for path in target.parent.iterdir() if target.parent.exists() else ():
        match = _LEFTOVER.fullmatch(path.name)
        if match and match["target"] == target.name:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _beside(target: Path, state: str) -> Path:
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.{state}")


def _sync_tree(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _sync_tree(inner)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; they make names durable themselves.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
